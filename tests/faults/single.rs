//! Each fault once: the upload succeeds, unless the server refused it for good.

use std::collections::HashMap;

use cos_emulator::RequestRecord;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::Object;
use cos_slice::upload::status::Status;

use crate::faults::{Once, Resend};
use crate::journeys::is_slice;
use crate::work::{Case, Times, alone, run_all};

#[test]
fn a_single_fault_anywhere_is_survived_or_refused_and_never_makes_a_wrong_object() {
    let _alone = alone();
    run_all("single", Times::Once, |case, result, sent| {
        judge(case, result)?;
        // Where time decides, a busy machine may send more.
        if case.fault.is("hang") {
            Ok(())
        } else {
            no_waste(case, sent)
        }
    });
}

fn judge(case: &Case, result: &Result<Object, Error>) -> Result<(), String> {
    let once = case.fault.once;
    let error = match result {
        Ok(_) if matches!(once, Once::Refused(_)) && !case.point.is_verification => {
            return Err("success in spite of a refusal".into());
        }
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let may = match once {
        // A refusal that can't be read is one all the same, by its HTTP status.
        Once::Nothing => case.fault.is("replace") && !case.point.succeeds,
        Once::OfSession(status) => error.status == status && !is_in_a_session(&case.point.operation),
        // With discarding on it could go, but lacking nothing it looks like a complete object.
        Once::Rotated => {
            let refused = matches!(error.status, Status::OtherUpload | Status::ObjectExists);
            refused && !case.journey.hash
        }
        Once::Refused(status) => error.status == status && error.message.contains(case.point.wire_name()),
        Once::Lie => true,
    };
    if may {
        Ok(())
    } else {
        Err(format!("{:?}: {error}", error.status))
    }
}

/// Whether an operation goes on with an upload, or begins one.
fn is_in_a_session(operation: &str) -> bool {
    let begins_or_finishes = ["upload_slice_init", "upload_slice_finish", "v1_control"];
    begins_or_finishes.contains(&operation) || is_slice(operation)
}

/// No slice is sent again but the one that was struck.
fn no_waste(case: &Case, sent: &[RequestRecord]) -> Result<(), String> {
    if case.fault.resend == Resend::Resized {
        return Ok(());
    }
    let planned = case.points.iter().filter(|point| point.is_slice()).count();
    let slices = sent
        .iter()
        .filter(|request| request.operation.as_deref().is_some_and(is_slice));
    let count = slices.clone().count();
    let most = match case.fault.resend {
        Resend::Struck => planned + 1,
        Resend::All | Resend::Resized => planned + 2 * case.journey.slices as usize,
    };
    if count > most {
        return Err(format!("{count} slices were sent in place of {planned}"));
    }
    let mut executed: HashMap<u64, u32> = HashMap::new();
    for request in slices.filter(|request| request.executed) {
        *executed.entry(request.offset.unwrap_or(u64::MAX)).or_default() += 1;
    }
    executed.retain(|offset, times| *times > 1 && Some(*offset) != case.point.offset);
    if executed.is_empty() || case.fault.resend == Resend::All {
        return Ok(());
    }
    Err(format!("slices were sent twice: {executed:?}"))
}
