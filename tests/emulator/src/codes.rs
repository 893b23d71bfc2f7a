//! The one table of result codes: number, HTTP status, token, what it means.
//!
//! The numbers and statuses of the first group stand in the service's error page for the v2 API. The
//! service's older page gives the numbers of the second group without a status; those statuses are chosen
//! here, as 4xx by the nearest code of the first group.

/// One result code of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) number: i64,
    /// The HTTP status that goes with it.
    pub(crate) status: u16,
    /// The upper-case word in front of the message.
    pub(crate) token: &'static str,
}

macro_rules! codes {
    ($($name:ident = $number:literal, $status:literal;)+) => {
        $(pub(crate) const $name: Code = Code { number: $number, status: $status, token: concat!("ERROR_", stringify!($name)) };)+
        #[cfg(test)]
        pub(crate) const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    // The v2 error page.
    SECRET_ID_UNKNOWN = -47, 403;
    SIGNATURE_EXPIRED = -59, 403;
    BUCKET_NOT_MATCH = -61, 403;
    FILEID_NOT_MATCH = -63, 403;
    APPID_NOT_MATCH = -70, 403;
    TOO_FREQUENT = -71, 503;
    SIGNATURE_INVALID = -97, 403;
    BUCKET_NOT_EXIST = -133, 404;
    FILE_SIZE_DIFFERS = -175, 400;
    FILE_EXISTS = -177, 409;
    PATH_CONFLICT = -178, 409;
    STORAGE = -195, 500;
    FILE_NOT_EXIST = -197, 404;
    BAD_NAME = -199, 400;
    SLICE_SIZE = -284, 400;
    SHA_MISMATCH = -4016, 409;
    UPLOAD_UNFINISHED = -4019, 409;
    UPLOAD_OTHER_SHA = -4020, 409;
    UPLOADPARTS = -5965, 400;
    BAD_PARAMETER = -5999, 400;
    // From the finish page; its status is not stated.
    SHA_MISSING = -29094, 400;
    // The older error page: numbers documented, statuses chosen.
    SIGNATURE_ONCE_USED = -77, 403;
    SIGNATURE_ONCE_NO_FILEID = -76, 403;
    OPERATION_UNSUPPORTED = -75, 400;
    SIGNATURE_MULTI_NO_EXPIRY = -74, 403;
    SIGNATURE_ONCE_HAS_EXPIRY = -73, 403;
    SIGNATURE_EMPTY = -81, 403;
    SIGNATURE_EXPIRED_OLD = -96, 403;
    NAME_NOT_UTF8 = -147, 400;
    FILE_HAS_SLASH = -160, 400;
    DIRECTORY_NEEDS_SLASH = -161, 400;
    PATH_EMPTY = -164, 400;
    SHA_MALFORMED = -168, 400;
    DIRECTORY_NOT_EMPTY = -173, 409;
    FILE_TOO_LARGE = -285, 413;
    SESSION_INVALID = -290, 400;
    OFFSET = -4005, 400;
    OFFSET_REPEATED = -4015, 409;
    CHECKSUM_MISMATCH = -4023, 409;
    OFFSET_WENT_BACK = -4024, 409;
    OP_MISSING = -5980, 400;
    SHA_ABSENT = -5979, 400;
    SLICE_SHA_MISMATCH = -5984, 409;
    METHOD_UNSUPPORTED = -5972, 405;
    NO_FILECONTENT = -5990, 400;
    SLICE_TOO_LONG = -5991, 400;
    FORM_BROKEN = -5993, 400;
    URL = -5994, 400;
    FILE_SIZE_ZERO = -5995, 400;
    OBJECT_NOT_EXIST = -6101, 404;
    OBJECT_INCOMPLETE = -45062, 404;
}

/// −4019 on `files/v1`, where it means something else than on `files/v2`.
pub(crate) const V1_OFFSET_RESET: Code = Code {
    number: -4019,
    status: 409,
    token: "ERROR_OFFSET_RESET",
};
/// −4020 on `files/v1`, where it means something else than on `files/v2`.
pub(crate) const V1_CHECK_TYPE: Code = Code {
    number: -4020,
    status: 400,
    token: "ERROR_CHECK_TYPE_MUST_BE_SHA",
};

impl Code {
    /// A refusal with this code; `detail` says what was wrong with this request.
    pub(crate) fn because(self, detail: impl Into<String>) -> Refusal {
        Refusal {
            code: self,
            detail: detail.into(),
        }
    }
}

/// Why an operation was refused: a code and the words for this case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

impl Refusal {
    /// The `message` of the answer.
    pub(crate) fn message(&self) -> String {
        format!("{}: {}", self.code.token, self.detail)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        STORAGE.because(format!("the emulator's folder: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_number_stands_in_the_table_once() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(code.number < 0, "{}", code.token);
            assert!((400..600).contains(&code.status), "{}", code.token);
            assert!(
                ALL[..index].iter().all(|other| other.number != code.number),
                "{} twice",
                code.number
            );
        }
    }
}
