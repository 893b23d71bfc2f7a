//! Each fault for good: from one request on it happens to every such request. The upload ends in an error that says
//! what happened, and runs to success once the fault is gone.

use cos_slice::upload::error::Error;
use cos_slice::upload::machine::Object;
use cos_slice::upload::status::Status;

use crate::faults::Once;
use crate::journeys;
use crate::work::{Case, Times, alone, run_all};

#[test]
fn a_fault_that_stays_ends_in_a_clear_error_and_the_next_run_without_it_succeeds() {
    let _alone = alone();
    run_all("permanent", Times::Always, |case, result, _| judge(case, result));
}

fn judge(case: &Case, result: &Result<Object, Error>) -> Result<(), String> {
    if is_open(case) {
        return Ok(());
    }
    // What can be done without.
    let succeeds =
        case.fault.always == Status::Ok || case.point.is_verification || is_done_all_the_same(case);
    let error = match result {
        Ok(_) if succeeds => return Ok(()),
        Ok(object) => return Err(format!("success where none is possible: {object:?}")),
        Err(error) if succeeds => return Err(format!("{:?}: {error}", error.status)),
        Err(error) => error,
    };
    let is_last_slice = case.point.operation == "v1_data"
        && case.point.offset == Some((case.journey.slices - 1) * journeys::SLICE);
    let completes = is_last_slice || ["upload_slice_finish", "upload"].contains(&&*case.point.operation);
    // The request that completes the object may have had its effect.
    let may_be_unknown = completes && error.status == Status::OutcomeUnknown;
    // A reset may arrive before the connection counts as open.
    let at_connecting = case.fault.of_connection && error.status == Status::Connect;
    if error.status != case.fault.always && !may_be_unknown && !at_connecting {
        return Err(format!(
            "{:?} in place of {:?}: {error}",
            error.status, case.fault.always
        ));
    }
    let names_it = error.message.contains(case.point.wire_name());
    let offset_fits = error.place.offset == case.point.offset;
    if is_about_one_request(case) && !(names_it && offset_fits) {
        return Err(format!("an error that does not say where: {error}"));
    }
    Ok(())
}

/// Where the server names the offset, a slice whose effect was had is not asked for again, whatever became of its answers.
fn is_done_all_the_same(case: &Case) -> bool {
    case.point.operation == "v1_data" && case.fault.has_effect()
}

/// Faults of which it is only known that nothing wrong comes of them: what the server says is not so, or changes each
/// time.
fn is_open(case: &Case) -> bool {
    let fault = case.fault;
    // Where an upload is unfinished, that is no fault.
    let is_true = matches!(fault.once, Once::OfSession(_)) && !case.point.succeeds;
    is_true
        || matches!(fault.once, Once::Lie | Once::Rotated)
        || fault.is("drop_session")
        || fault.is("replace")
}

/// Not one that leads to other requests, which fail in its place: a refusal that asks for a new look, and, where a slice
/// that was not answered does so, connections that all break.
fn is_about_one_request(case: &Case) -> bool {
    let asks_first = case.journey.api.rules().server_names_offset && case.point.is_slice();
    let asks_anew = matches!(case.fault.once, Once::OfSession(_)) || (case.fault.of_connection && asks_first);
    !asks_anew
}
