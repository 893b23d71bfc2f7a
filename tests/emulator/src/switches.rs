//! The one table of behaviour switches.
//!
//! Where the service's documentation is silent, ambiguous or contradicts itself, the emulator does one thing
//! by default and the other when a switch says so. The table below is the only list: parsing, printing,
//! `--help`, `docs/emulator.md` and the lists of what tests walk are made from it.

mod page;
mod values;

pub(crate) use values::{Demand, DemandedField, Sizes, Word};

use std::fmt;

/// What a switch's default rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A page of the service says so.
    Documented,
    /// No page says so, but official clients depend on it.
    Inferred,
    /// Chosen here.
    Chosen,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Basis::Documented => "documented",
            Basis::Inferred => "inferred",
            Basis::Chosen => "chosen",
        })
    }
}

/// One row of the table of switches.
#[derive(Debug, Clone)]
pub struct SwitchInfo {
    /// The name, as in `--set NAME=VALUE`.
    pub name: &'static str,
    /// The accepted values, in words.
    pub values: String,
    /// Every accepted value where they can be counted; empty where the switch is a number or a text.
    pub choices: Vec<&'static str>,
    /// The default value.
    pub default: String,
    /// What the default rests on.
    pub basis: Basis,
    /// What the switch decides.
    pub text: &'static str,
}

/// Why a switch could not be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchError {
    /// There is no switch of this name.
    UnknownName(String),
    /// The value is not one of the accepted ones.
    BadValue {
        /// The switch.
        name: String,
        /// What was given.
        value: String,
        /// What it accepts, in words.
        accepted: String,
    },
    /// A setting was not of the form NAME=VALUE.
    NotAnAssignment(String),
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SwitchError::UnknownName(name) => {
                let names: Vec<_> = Switches::table().iter().map(|row| row.name).collect();
                write!(f, "there is no switch {name:?}; there are: {}", names.join(", "))
            }
            SwitchError::BadValue {
                name,
                value,
                accepted,
            } => {
                write!(f, "switch {name} cannot be {value:?}; accepted: {accepted}")
            }
            SwitchError::NotAnAssignment(text) => write!(f, "{text:?} is not of the form NAME=VALUE"),
        }
    }
}

impl std::error::Error for SwitchError {}

/// A type that a switch can have.
trait SwitchValue: Sized {
    fn accepted() -> String;
    fn choices() -> Vec<&'static str> {
        Vec::new()
    }
    fn parse(text: &str) -> Option<Self>;
    fn text(&self) -> String;
}

macro_rules! choices {
    ($($name:ident { $($variant:ident = $text:literal),+ })+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),+ }

        impl SwitchValue for $name {
            fn accepted() -> String {
                Self::choices().join(", ")
            }
            fn choices() -> Vec<&'static str> {
                vec![$($text),+]
            }
            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
            fn text(&self) -> String {
                match self { $($name::$variant => $text),+ }.to_owned()
            }
        }
    )+};
}

choices! {
    OnOff { Off = "off", On = "on" }
    FieldNames { AnyCase = "any_case", Documented = "documented" }
    Strictness { Lenient = "lenient", Strict = "strict" }
    SlicePolicy { S2 = "s2", Only1M = "only_1m", ClampTo1M = "clamp_to_1m", ClampTo512K = "clamp_to_512k", CsharpRange = "csharp_range" }
    HttpStatus { Documented = "documented", Always200 = "always_200" }
    ListAbsent { Code = "code", EmptyBody = "empty_body" }
    MissingSlices { Unfinished = "-4019", BadParameter = "-5999" }
    WrongFileSize { Differs = "-175", Unfinished = "-4019" }
    SerialUpload { Absent = "absent", Zero = "0", One = "1" }
    DuplicateSlice { Overwrite = "overwrite", RefuseDifferent = "refuse_different", Refuse = "refuse" }
    MisplacedSlice { Offset = "-4005", BadParameter = "-5999" }
    LongSlice { TooLong = "-5991", SliceSize = "-284" }
    ListParts { Array = "array", Text = "string", Missing = "missing", Null = "null" }
    Numbers { Number = "number", Text = "string" }
    Overwrite { AtFinish = "at_finish", AtInit = "at_init" }
    DataMd5 { Checked = "checked", Echoed = "echoed", Ignored = "ignored", Required = "required" }
    SameSha { Success = "success", Conflict = "conflict" }
    Dedupe { Path = "path", Bucket = "bucket", Off = "off" }
    DeleteUnfinished { Success = "success", NotFound = "not_found" }
    StatUnfinished { Shown = "shown", NotFound = "not_found" }
    ZeroFileSize { SizeZero = "-5995", BadParameter = "-5999", Accept = "accept" }
    OpPlace { Any = "any", Documented = "documented" }
    TokenPlace { Any = "any", HeaderOrQuery = "header_or_query", Header = "header", Query = "query" }
    FileIdScope { Prefix = "prefix", Exact = "exact" }
    ExpiredCode { New = "-59", Old = "-96" }
    OneTimeUse { Executed = "executed", Accepted = "accepted" }
    DataAfterFinish { SessionInvalid = "-290", NotFound = "-197", Success = "success" }
    Content { Keep = "keep", Discard = "discard" }
    V1Resume { ByContent = "by_content", BySession = "by_session" }
    V1StaleSession { New = "new", SessionInvalid = "-290" }
    V1OtherContent { New = "new", OffsetReset = "-4019" }
    V1RepeatedOffset { WentBack = "-4024", Accept = "accept", Repeated = "-4015" }
    V1SliceSha { Ignored = "ignored", Checked = "checked" }
    DuplicateFields { Last = "last", Refuse = "refuse" }
    PathNormalisation { Refuse = "refuse", Collapse = "collapse" }
    Oversize { Json = "json", Html = "html" }
}

/// A number, or none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u64>);

impl SwitchValue for Limit {
    fn accepted() -> String {
        "none or a whole number".to_owned()
    }
    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Limit(None)),
            number => number.parse().ok().map(|number| Limit(Some(number))),
        }
    }
    fn text(&self) -> String {
        self.0
            .map_or_else(|| "none".to_owned(), |number| number.to_string())
    }
}

/// A number of seconds, ahead or behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) i64);

impl SwitchValue for Seconds {
    fn accepted() -> String {
        "a whole number".to_owned()
    }
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Seconds)
    }
    fn text(&self) -> String {
        self.0.to_string()
    }
}

macro_rules! switches {
    ($($name:ident: $type:ident = $default:expr, $basis:ident, $text:literal;)+) => {
        /// The positions of all switches.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Switches { $(pub(crate) $name: $type),+ }

        impl Default for Switches {
            fn default() -> Self {
                Switches { $($name: $default),+ }
            }
        }

        impl Switches {
            /// Puts one switch into a position.
            ///
            /// # Errors
            /// An unknown name or value; the error names what there is.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), SwitchError> {
                match name {
                    $(stringify!($name) => {
                        self.$name = $type::parse(value).ok_or_else(|| SwitchError::BadValue {
                            name: name.to_owned(),
                            value: value.to_owned(),
                            accepted: $type::accepted(),
                        })?;
                    })+
                    _ => return Err(SwitchError::UnknownName(name.to_owned())),
                }
                Ok(())
            }

            /// Name and position of every switch.
            pub fn values(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($name), self.$name.text())),+]
            }

            /// The table of all switches.
            pub fn table() -> Vec<SwitchInfo> {
                let default = Switches::default();
                vec![$(SwitchInfo {
                    name: stringify!($name),
                    values: $type::accepted(),
                    choices: $type::choices(),
                    default: default.$name.text(),
                    basis: Basis::$basis,
                    text: $text,
                }),+]
            }
        }
    };
}

switches! {
    field_names: FieldNames = FieldNames::AnyCase, Inferred, "field names: in any case (`fileContent`, `fileSize`), or only as documented";
    finish_filesize: Strictness = Strictness::Lenient, Inferred, "finish without `filesize`, or with an empty one: not checked, or -5999";
    slice_policy: SlicePolicy = SlicePolicy::S2, Documented, "accepted `slice_size`: the four of the init page; only 1 MiB, else -284; any, answered with at most 1 MiB, or with at most 512 KiB; 64 KiB to 3 MiB, above 1 MiB only whole MiB";
    slice_sizes: Sizes = Sizes(Vec::new()), Documented, "the accepted `slice_size`, in the place of `slice_policy`; any other is -284";
    sha_slice_size: Strictness = Strictness::Lenient, Chosen, "`sha` with a `slice_size` other than 1 MiB: accepted, or -5965";
    sha_without_uploadparts: Strictness = Strictness::Lenient, Chosen, "`sha` without `uploadparts`: accepted, or -5965";
    sha_in_data: Strictness = Strictness::Lenient, Inferred, "data without `sha` after an init with it: accepted, or -29094";
    http_status: HttpStatus = HttpStatus::Documented, Documented, "HTTP status of an error: as in the error page, or always 200";
    list_absent: ListAbsent = ListAbsent::Code, Documented, "list of a path where nothing is: 404 with code -197, or 404 with an empty body";
    finish_missing_slices: MissingSlices = MissingSlices::Unfinished, Chosen, "code of a finish while slices are missing";
    finish_wrong_filesize: WrongFileSize = WrongFileSize::Differs, Documented, "code of a finish with another `filesize` than init's";
    serial_upload: SerialUpload = SerialUpload::Absent, Documented, "`serial_upload` in the answers of init and data; with 1, a slice out of order is -4005";
    duplicate_slice: DuplicateSlice = DuplicateSlice::Overwrite, Chosen, "a slice sent again: overwrites; -4015 when its bytes differ; always -4015";
    misplaced_slice: MisplacedSlice = MisplacedSlice::Offset, Chosen, "code of a slice at an offset that is no multiple of the slice size, past the end, or shorter than its place";
    long_slice: LongSlice = LongSlice::TooLong, Documented, "code of a slice longer than the slice size";
    datamd5: DataMd5 = DataMd5::Checked, Inferred, "`datamd5` of a slice: echoed, and -4023 when wrong; echoed unseen; ignored; as checked, and -5999 without it";
    listparts: ListParts = ListParts::Array, Inferred, "`listparts` in the answer of list: an array, a string that holds the array, missing, or null";
    numbers: Numbers = Numbers::Number, Documented, "numbers in `data`: JSON numbers, or strings";
    rotate_on_list: OnOff = OnOff::Off, Inferred, "list gives the upload a new session and the old one becomes invalid";
    overwrite: Overwrite = Overwrite::AtFinish, Chosen, "an init with `insertOnly` 0 keeps the old object readable until finish, or deletes it at once";
    same_sha: SameSha = SameSha::Success, Inferred, "`insertOnly` 1 and an object with the same sha: success with addresses, or -177";
    dedupe: Dedupe = Dedupe::Path, Chosen, "instant upload: when the same content is at the same path, anywhere in the bucket, or never";
    session_ttl: Limit = Limit(None), Chosen, "seconds until a session becomes invalid (-290); list gives a new one";
    delete_unfinished: DeleteUnfinished = DeleteUnfinished::Success, Inferred, "delete where only an unfinished upload is: success, or -197; the upload is forgotten either way";
    stat_unfinished: StatUnfinished = StatUnfinished::Shown, Documented, "stat of an unfinished upload: `filesize`, `filelen` and an empty `sha`, or -197";
    zero_filesize: ZeroFileSize = ZeroFileSize::SizeZero, Chosen, "init with `filesize` 0: this code, or accepted";
    op_place: OpPlace = OpPlace::Any, Inferred, "`op` of a POST: body or query, or the body only";
    token_place: TokenPlace = TokenPlace::Any, Inferred, "signature: `Authorization` header (also after a leading word) or `sign` parameter; without the leading word; the bare header only; the parameter only";
    token_word: Word = Word(None), Documented, "a word that an `Authorization` header must begin with, a space before the signature; without it -97";
    fileid_scope: FileIdScope = FileIdScope::Prefix, Inferred, "fileid of a signature for many uses: the path or a directory above it, or the exact path";
    signature_lifetime: Limit = Limit(Some(7_776_000)), Documented, "longest `e` - `t` of a signature, in seconds; longer is -97";
    clock_skew: Limit = Limit(None), Chosen, "how many seconds `t` may lie in the future; beyond is -97";
    clock_offset: Seconds = Seconds(0), Chosen, "how many seconds the emulator's clock is ahead of the machine's, below 0 behind: signatures are judged by it, and answers have its `Date`";
    expired_code: ExpiredCode = ExpiredCode::New, Documented, "code of an expired signature: of the v2 error page, or of the older one";
    one_time_use: OneTimeUse = OneTimeUse::Executed, Chosen, "a one-time signature is used up when the operation succeeds or is refused for good (not by a 5xx), or as soon as it is accepted";
    require_parent_dir: OnOff = OnOff::Off, Chosen, "init, v1 control, upload and create demand that the directory above exists (-197); without it create makes those above too";
    data_after_finish: DataAfterFinish = DataAfterFinish::SessionInvalid, Chosen, "data with the session of a finished upload: this code, or code 0 with the addresses";
    finish_grace: Limit = Limit(Some(600)), Chosen, "seconds in which a second finish with the same session gets the same success; none: always -290";
    verify: OnOff = OnOff::On, Chosen, "finish compares the content with `sha` and every running state of `uploadparts`";
    content: Content = Content::Keep, Chosen, "the content of uploads that begin: stored; or counted and digested, and not stored, so that a file may be larger than the disk";
    v1_resume: V1Resume = V1Resume::ByContent, Chosen, "v1 control without a session where the same sha and size are unfinished: goes on at its offset, or begins anew";
    v1_stale_session: V1StaleSession = V1StaleSession::New, Chosen, "v1 control with a session that is not, or no more, that of an unfinished upload of this sha and size: a new session and offset 0, or -290";
    v1_other_content: V1OtherContent = V1OtherContent::New, Chosen, "v1 control without a session where another sha or size is unfinished, which goes: a new session and offset 0, or -4019 once (\"offset reset, upload again\")";
    v1_repeated_offset: V1RepeatedOffset = V1RepeatedOffset::WentBack, Documented, "v1 data below the next offset: -4024; success without effect when all of it was received; -4015 when it is the last slice received";
    v1_slice_sha: V1SliceSha = V1SliceSha::Ignored, Documented, "`sha` of v1 data, that of the slice: \"not enabled\", or -5984 when it is wrong";
    rate_limit: Limit = Limit(None), Chosen, "operations per second, with a burst of as many; beyond is -71";
    required_field: Demand = Demand(None), Documented, "a field that every multipart form must have, with this value or any; else -5999";
    required_header: Demand = Demand(None), Documented, "a header field that every request must have, with this value or any; else -5999";
    duplicate_fields: DuplicateFields = DuplicateFields::Last, Inferred, "a form field sent twice: the last one wins, or -5993";
    path_normalisation: PathNormalisation = PathNormalisation::Refuse, Chosen, "empty segments in a path: -5994, or left out";
    keep_alive: OnOff = OnOff::On, Documented, "connections: kept for further requests, or closed after each answer";
    oversize: Oversize = Oversize::Json, Chosen, "a request or object too large: HTTP 413 with code -285, or with an HTML page of the front proxy";
}

impl Switches {
    /// Puts one switch into a position given as `NAME=VALUE`.
    ///
    /// # Errors
    /// As [`Switches::set`], and when there is no `=`.
    pub fn assign(&mut self, assignment: &str) -> Result<(), SwitchError> {
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| SwitchError::NotAnAssignment(assignment.to_owned()))?;
        self.set(name.trim(), value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_answered_with_the_accepted_ones() {
        let error = Switches::default().set("listparts", "list").unwrap_err();
        assert_eq!(
            error.to_string(),
            "switch listparts cannot be \"list\"; accepted: array, string, missing, null"
        );
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_names() {
        let error = Switches::default().assign("lisparts=array").unwrap_err();
        assert!(error.to_string().contains("listparts, numbers"), "{error}");
    }

    #[test]
    fn texts_and_lists_that_make_no_sense_are_refused() {
        for wrong in [
            "slice_sizes=",
            "slice_sizes=0",
            "slice_sizes=1,",
            "slice_sizes=1;2",
            "token_word=",
            "token_word=a b",
            "required_field=",
            "required_field==b",
            "required_header=a b",
        ] {
            Switches::default().assign(wrong).unwrap_err();
        }
    }

    #[test]
    fn every_value_of_every_switch_can_be_set_and_read_back() {
        for row in Switches::table() {
            let values = match row.values.as_str() {
                "none or a whole number" => vec!["none", "17"],
                "a whole number" => vec!["-17", "17"],
                "none or sizes in bytes, such as 4194304,8388608" => vec!["none", "17", "17,18"],
                "none or a word" => vec!["none", "COS"],
                "none, NAME or NAME=VALUE" => vec!["none", "a", "a=", "a=b=c"],
                _ => row.choices,
            };
            assert!(!values.is_empty(), "{}", row.name);
            for value in values {
                let mut switches = Switches::default();
                switches.set(row.name, value).unwrap();
                assert!(
                    switches.values().contains(&(row.name, value.to_owned())),
                    "{} = {value}",
                    row.name
                );
            }
        }
    }
}
