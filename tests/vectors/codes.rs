//! The table of codes: that it is whole, and what it makes of the codes that matter most.

use std::collections::HashSet;

use cos_slice::protocol::Api;
use cos_slice::protocol::codes::{self, Class, Fault, ROWS, Source};

#[test]
fn no_code_and_no_name_is_listed_twice() {
    let codes: HashSet<i64> = ROWS.iter().map(|row| row.code).collect();
    let names: HashSet<&str> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(codes.len(), ROWS.len());
    assert_eq!(names.len(), ROWS.len());
    assert!(!codes.contains(&0), "0 is success");
}

#[test]
fn every_row_says_what_it_means_and_what_to_do() {
    for row in ROWS {
        assert!(row.meaning.len() > 10 && !row.meaning.ends_with('.'), "{row:?}");
        assert!(row.hint.len() > 20 && row.hint.ends_with('.'), "{row:?}");
        assert_eq!(codes::lookup(Api::FilesV2, row.code), Some(row));
    }
    assert_eq!(codes::lookup(Api::FilesV2, 1), None);
    assert_eq!(codes::lookup(Api::FilesV2, i64::MIN), None);
}

/// The page of error codes, second version, and what this client makes of each.
#[test]
fn the_current_error_code_page_is_classified_row_by_row() {
    use Class::*;
    let page = [
        (-47, Final),
        (-48, Final),
        (-59, Resign),
        (-61, Final),
        (-63, Final),
        (-70, Final),
        (-71, Overload),
        (-97, Resign),
        (-121, Final),
        (-133, Final),
        (-175, Final),
        (-177, Exists),
        (-178, Final),
        (-195, Retry),
        (-196, Retry),
        (-197, Absent),
        (-199, Final),
        (-284, SliceSize),
        (-4016, Restart),
        (-4019, Relist),
        (-4020, OtherUpload),
        (-5965, Final),
        (-5997, Retry),
        (-5999, Final),
    ];
    for (code, class) in page {
        assert_eq!(
            codes::lookup(Api::FilesV2, code).map(|row| (row.class, row.source)),
            Some((class, Source::Current)),
            "{code}"
        );
    }
    assert_eq!(
        ROWS.iter().filter(|row| row.source == Source::Current).count(),
        page.len()
    );
}

#[test]
fn every_class_other_than_retry_and_final_has_exactly_its_codes() {
    let codes_of = |class| {
        let mut codes: Vec<i64> = ROWS
            .iter()
            .filter(|row| row.class == class)
            .map(|row| row.code)
            .collect();
        codes.sort_unstable_by_key(|code| std::cmp::Reverse(*code));
        codes
    };
    assert_eq!(codes_of(Class::Overload), [-71, -300]);
    assert_eq!(codes_of(Class::Resign), [-59, -72, -77, -96, -97]);
    assert_eq!(
        codes_of(Class::Relist),
        [-94, -95, -286, -290, -4013, -4019, -4021, -5983]
    );
    assert_eq!(codes_of(Class::BadOffset), [-4005]);
    assert_eq!(codes_of(Class::OtherUpload), [-4020]);
    assert_eq!(codes_of(Class::Exists), [-177]);
    assert_eq!(codes_of(Class::Absent), [612, -197, -6101]);
    assert_eq!(codes_of(Class::SliceSize), [-284]);
    assert_eq!(codes_of(Class::Delivered), [-4015, -4018]);
    assert_eq!(codes_of(Class::Restart), [-174, -4016, -4026, -4027, -5984]);
}

#[test]
fn the_older_table_is_there_to_the_last_code() {
    let ranges = [
        -89..=-60,
        -99..=-94,
        -159..=-143,
        -187..=-160,
        -199..=-189,
        -300..=-282,
        -4008..=-4000,
        -4027..=-4010,
        -5999..=-5971,
        -6999..=-6991,
    ];
    for code in ranges
        .into_iter()
        .flatten()
        .chain([-9999, -29094, -45062, -6101, 612, 631])
    {
        assert!(codes::lookup(Api::FilesV2, code).is_some(), "{code}");
    }
}

#[test]
fn faults_name_whose_business_a_refusal_is() {
    let faults = [
        (-97, Fault::Credentials),
        (-133, Fault::Bucket),
        (-177, Fault::Argument),
        (-197, Fault::Missing),
        (-285, Fault::TooLarge),
        (-195, Fault::Server),
    ];
    for (code, fault) in faults {
        // A known code decides, whatever the status says.
        assert_eq!(codes::fault(Api::FilesV2, Some(code), 200), fault, "{code}");
        assert_eq!(
            codes::hint(Api::FilesV2, Some(code), 200),
            codes::lookup(Api::FilesV2, code).unwrap().hint
        );
    }
    assert_eq!(codes::fault(Api::FilesV2, Some(-1_000_000), 413), Fault::TooLarge);
    assert_eq!(
        codes::hint(Api::FilesV2, Some(-1_000_000), 413),
        codes::lookup_http(413).hint
    );
    assert!(codes::hint(Api::FilesV2, Some(-1_000_000), 200).starts_with("Look the code up"));
    assert_eq!(codes::fault(Api::FilesV2, None, 403), Fault::Credentials);
    assert_eq!(codes::fault(Api::FilesV2, None, 404), Fault::Missing);
}

#[test]
fn http_statuses_are_classified_where_no_code_decides() {
    use Class::*;
    let expected = [
        (200, Retry, true),
        (204, Retry, true),
        (301, Final, false),
        (302, Final, false),
        (400, Final, false),
        (401, Resign, false),
        (403, Resign, false),
        (404, Final, false),
        (408, Retry, true),
        (409, Final, false),
        (413, Final, false),
        (429, Overload, false),
        (500, Retry, true),
        (502, Retry, true),
        (503, Overload, true),
        (504, Retry, true),
        (599, Retry, true),
        (0, Final, true),
        (199, Final, true),
        (600, Final, true),
        (u16::MAX, Final, true),
    ];
    for (status, class, ambiguous) in expected {
        let row = codes::lookup_http(status);
        assert_eq!((row.class, row.ambiguous), (class, ambiguous), "{status}");
        assert!(row.hint.ends_with('.'));
    }
}
