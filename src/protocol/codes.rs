//! What the service's codes and HTTP's statuses mean, and what to do about each: the only table of them.
//!
//! A row names the code, its class (what the state machine does), its fault (whose business it is when the
//! class's remedy is spent), and a hint for the user. Where the generations of the API disagree about a code
//! (−4019, −4020, −199, −61), [`ROWS`] has the meaning that `files/v2` gives it and [`V1_ROWS`] that of `files/v1`.

use super::Api;

/// What the state machine does about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Sends the same request again after a back-off.
    Retry,
    /// Backs off longer and sends fewer requests at once.
    Overload,
    /// Signs anew and repeats once; a second time it is final.
    Resign,
    /// Lists: the session or the offsets are not what the client believes, or an unfinished upload of the same
    /// content waits at the path.
    Relist,
    /// Lists, and from then on sends slices one after another.
    BadOffset,
    /// Decides about an unfinished upload of other content at the path: discards it where that is allowed.
    OtherUpload,
    /// Ends: an object is at the path and may not be replaced.
    Exists,
    /// Takes the object as absent.
    Absent,
    /// Begins again with the slice size that the service accepts, once.
    SliceSize,
    /// Takes the slice as stored, and verifies it by list.
    Delivered,
    /// Sends the slice again: what the store has of it is not what was sent.
    Damaged,
    /// Begins the upload again from nothing, once.
    Restart,
    /// Ends the upload.
    Final,
}

/// Whose business a refusal is when nothing more can be done about it automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The signature or the account behind it.
    Credentials,
    /// The bucket: its name, its app id, its region or its settings.
    Bucket,
    /// The arguments of the upload, or the way the client put them.
    Argument,
    /// Something that should be there is not.
    Missing,
    /// The object or the request is larger than the service takes.
    TooLarge,
    /// The service itself.
    Server,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The page of error codes of the API's second version.
    Current,
    /// The table of error codes of the API's first version.
    Older,
    /// The documentation page of `upload_slice_finish`.
    Finish,
}

/// What is known of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The service's code.
    pub code: i64,
    /// The name of its constant here.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What the state machine does about it.
    pub class: Class,
    /// Whose business it is when it can't be remedied.
    pub fault: Fault,
    /// What the user can do.
    pub hint: &'static str,
    /// Where it is documented.
    pub source: Source,
}

/// The row of a code as a protocol means it; `None` where the code is in no table.
pub fn lookup(api: Api, code: i64) -> Option<&'static Row> {
    let particular = match api {
        Api::FilesV2 => &[],
        Api::FilesV1 => V1_ROWS,
    };
    particular.iter().chain(ROWS).find(|row| row.code == code)
}

/// What is made of an HTTP status where no known code decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpRow {
    /// The first status of the row.
    pub first: u16,
    /// The last status of the row.
    pub last: u16,
    /// What the state machine does about it.
    pub class: Class,
    /// Whose business it is when it can't be remedied.
    pub fault: Fault,
    /// Whether the operation may have had its effect all the same.
    pub ambiguous: bool,
    /// What the user can do.
    pub hint: &'static str,
}

/// The row of an HTTP status. An unknown status counts as final, and as ambiguous.
pub fn lookup_http(status: u16) -> &'static HttpRow {
    let found = HTTP_ROWS
        .iter()
        .find(|row| (row.first..=row.last).contains(&status));
    found.unwrap_or(&UNKNOWN_HTTP)
}

/// What the user can do about a refusal with this code and HTTP status.
pub fn hint(api: Api, code: Option<i64>, http_status: u16) -> &'static str {
    match code.map(|code| lookup(api, code)) {
        Some(Some(row)) => row.hint,
        // The status of a success says nothing about a code that nobody knows.
        Some(None) if (200..=299).contains(&http_status) => UNKNOWN_CODE,
        Some(None) | None => lookup_http(http_status).hint,
    }
}

/// Whose business a refusal with this code and HTTP status is.
pub fn fault(api: Api, code: Option<i64>, http_status: u16) -> Fault {
    code.and_then(|code| lookup(api, code))
        .map_or_else(|| lookup_http(http_status).fault, |row| row.fault)
}

const LATER: &str = "Try again later; if it stays, ask the service's operator with the request id.";
const SLOWER: &str = "Use fewer connections, or spread the uploads over more time.";
const KEY: &str = "Check the app id, the secret id and the secret key.";
const FRESH: &str = "Check this machine's clock and the secret key, or have the signer make a new signature.";
const BOUND: &str = "Sign for the app id, the bucket and the path that the upload goes to.";
const KIND: &str = "Delete needs a one-time signature bound to the path; everything else a multi-effect one.";
const ACCOUNT: &str = "Ask the owner of the account or of the bucket for the permission.";
const BUCKET: &str = "Check the bucket's name, the app id and the endpoint's region.";
const SETTINGS: &str = "Check the bucket's settings with its owner.";
const PATH: &str = "Check the object's path.";
const ARGUMENTS: &str = "Check the upload's arguments against the server's message.";
const REPORT: &str = "The client sent what the service does not accept: report it with the request id.";
const RESUME: &str = "Run the same upload again; it goes on with what the server has.";
const DISCARD: &str = "Finish or delete the unfinished upload at this path, or allow discarding it.";
const REPLACE: &str = "Choose another path, or allow overwriting.";
const ABSENT: &str = "Check the path: nothing is stored there.";
const SLICE_SIZE: &str = "Set the slice size to one that the store takes; the service takes 1048576 bytes.";
const CHANGED: &str = "Make sure that nothing changes the file during the upload, then run it again.";
const DONE: &str = "Look at the object: the server says that it has the content already.";
const SMALLER: &str = "The service does not take anything as large as this.";
const SINGLE: &str = "Upload an empty file in one request, and at most 64 GiB in slices.";
const UNKNOWN_CODE: &str = "Look the code up in the service's list of error codes.";
const PROXY: &str = "Check the endpoint, and any proxy on the way to it.";

const UNKNOWN_HTTP: HttpRow = HttpRow {
    first: 0,
    last: 0,
    class: Class::Final,
    fault: Fault::Server,
    ambiguous: true,
    hint: PROXY,
};

macro_rules! http_rows {
    ($($first:literal $last:literal $class:ident $fault:ident $ambiguous:literal $hint:ident;)*) => {
        /// The table of HTTP statuses, for replies that no known code decides.
        pub static HTTP_ROWS: &[HttpRow] = &[$(HttpRow {
            first: $first,
            last: $last,
            class: Class::$class,
            fault: Fault::$fault,
            ambiguous: $ambiguous,
            hint: $hint,
        }),*];
    };
}

// The first row that holds the status counts. A plain 4xx is a request that was turned down, so that it can't have
// had an effect; a 2xx that can't be understood may well be the answer to one that had.
http_rows! {
    200 299 Retry    Server      true  PROXY;
    300 399 Final    Server      false PROXY;
    401 401 Resign   Credentials false FRESH;
    403 403 Resign   Credentials false FRESH;
    404 404 Final    Missing     false BUCKET;
    408 408 Retry    Server      true  LATER;
    413 413 Final    TooLarge    false SMALLER;
    429 429 Overload Server      false SLOWER;
    400 499 Final    Argument    false ARGUMENTS;
    503 503 Overload Server      true  SLOWER;
    500 599 Retry    Server      true  LATER;
}

macro_rules! codes {
    ($($code:literal $name:ident $class:ident $fault:ident $source:ident $hint:ident $meaning:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($code), "`: ", $meaning, ".")]
            pub const $name: i64 = $code;
        )*

        /// The table of codes.
        pub static ROWS: &[Row] = &[$(row!($code $name $class $fault $source $hint $meaning)),*];
    };
}

macro_rules! row {
    ($code:literal $name:ident $class:ident $fault:ident $source:ident $hint:ident $meaning:literal) => {
        Row {
            code: $code,
            name: stringify!($name),
            meaning: $meaning,
            class: Class::$class,
            fault: Fault::$fault,
            hint: $hint,
            source: Source::$source,
        }
    };
}

/// The codes that `files/v1` means differently.
pub static V1_ROWS: &[Row] = &[
    row!(-61 COMMAND_ILLEGAL Final Credentials Older BOUND "the signature is for another bucket, or the command is not allowed"),
    row!(-199 MOVE_FAILED Final Server Older LATER "moving failed"),
    row!(-4019 OFFSET_RESET Relist Server Older RESUME "the store set the offset back; the upload begins again"),
    row!(-4020 CHECK_NOT_SHA Final Argument Older REPORT "the content must be checked by its SHA-1"),
];

// A failure inside the service is retried; a complaint about the request is final.
codes! {
    // The front: signatures and routing.
    -47 SECRET_ID_UNKNOWN Final Credentials Current KEY "the secret id is unknown";
    -48 SIGNATURE_NOT_COMPUTED Final Credentials Current KEY "the service could not compute the signature";
    -59 SIGNATURE_EXPIRED Resign Credentials Current FRESH "the signature has expired";
    -60 TOKEN_INVALID Final Credentials Older KEY "the token is not valid";
    -61 SIGNATURE_BUCKET_DIFFERS Final Credentials Current BOUND "the signature is for another bucket";
    -62 SECRET_ID_APP_ID_DIFFER Final Credentials Older KEY "the secret id belongs to another app id";
    -63 SIGNATURE_PATH_DIFFERS Final Credentials Current BOUND "the signature is for another path";
    -64 APP_ID_BLOCKED Final Credentials Older ACCOUNT "the app id is blocked";
    -65 RESUME_WITH_DATA Final Argument Older REPORT "the request that resumes must not carry data";
    -66 FRONT_NETWORK Retry Server Older LATER "a network failure inside the service";
    -67 FRONT_DECODE Retry Server Older LATER "the front could not decode a message";
    -68 FRONT_ENCODE Retry Server Older LATER "the front could not encode a message";
    -69 DOWNLOAD_URL_EMPTY Final Argument Older REPORT "the download address is empty";
    -70 SIGNATURE_APP_ID_DIFFERS Final Credentials Current BOUND "the signature is for another app id";
    -71 TOO_MANY_REQUESTS Overload Server Current SLOWER "requests come too often";
    -72 SIGNING_FAILED Resign Credentials Older FRESH "signing failed";
    -73 ONE_TIME_WITH_EXPIRY Final Credentials Older KIND "a one-time signature has an expiry";
    -74 MULTI_EFFECT_WITHOUT_EXPIRY Final Credentials Older KIND "a multi-effect signature has no expiry";
    -75 SIGNATURE_UNSUPPORTED Final Credentials Older KIND "the signature does not serve this operation";
    -76 ONE_TIME_WITHOUT_PATH Final Credentials Older KIND "a one-time signature is bound to no path";
    -77 ONE_TIME_USED Resign Credentials Older FRESH "the one-time signature was used before";
    -78 PROTOCOL_MISMATCH Final Argument Older REPORT "the protocol's version does not match";
    -79 SECRET_ID_ABSENT Final Credentials Older KEY "there is no such secret id";
    -80 APP_ID_INVALID Final Credentials Older KEY "the app id is not valid";
    -81 SIGNATURE_EMPTY Final Credentials Older KEY "the signature is empty";
    -82 APP_ID_ABSENT Final Credentials Older KEY "there is no such app id";
    -83 SIGNATURE_UNPACK Final Credentials Older KEY "the signature could not be taken apart";
    -84 FRONT_PROCESS_LOOKUP Retry Server Older LATER "the front found no machine for the request";
    -85 FRONT_PROCESS_DECODE Retry Server Older LATER "the front could not decode a back end's answer";
    -86 FRONT_PROCESS_ROUTE Retry Server Older LATER "the front could not reach a back end";
    -87 FRONT_COMMAND_DECODE Retry Server Older LATER "the front could not decode the command service's answer";
    -88 FRONT_COMMAND_ENCODE Retry Server Older LATER "the front could not encode a message to the command service";
    -89 FRONT_COMMAND_ROUTE Retry Server Older LATER "the front could not reach the command service";
    -94 FRONT_SESSION_WRONG Relist Server Older RESUME "the session is wrong";
    -95 FRONT_SESSION_ABSENT Relist Server Older RESUME "the request has no session";
    -96 OLD_SIGNATURE_EXPIRED Resign Credentials Older FRESH "the signature has expired";
    -97 SIGNATURE_INVALID Resign Credentials Current FRESH "the signature is not the one that belongs to the request";
    -98 SIGNATURE_SERVICE Retry Server Older LATER "the front could not reach the signature service";
    -99 FRONT_CONFIGURATION Retry Server Older LATER "the front could not read its configuration";
    -121 CROSS_ORIGIN_DENIED Final Bucket Current SETTINGS "the bucket's cross-origin rules deny the request";
    -133 BUCKET_ABSENT Final Bucket Current BUCKET "there is no such bucket";

    // Commands on objects and directories.
    -143 INDEX_ERROR Final Server Older LATER "the index is damaged";
    -144 INDEX_ENTRY_ABSENT Final Missing Older ABSENT "the index has no such entry";
    -145 COVER_FLAG_INVALID Final Argument Older ARGUMENTS "the cover flag is not valid";
    -146 ORIGIN_INVALID Final Bucket Older SETTINGS "the bucket's origin address is not valid";
    -147 NOT_UTF8 Final Argument Older ARGUMENTS "an argument is not UTF-8";
    -148 CNAME_CHARACTERS Final Bucket Older SETTINGS "a domain name has characters that are not allowed";
    -149 REFERER_CHARACTERS Final Bucket Older SETTINGS "a referer has characters that are not allowed";
    -150 ORIGIN_EMPTY Final Bucket Older SETTINGS "the bucket's origin path is empty";
    -151 REFERER_COUNT Final Bucket Older SETTINGS "the bucket has too many referers";
    -152 STORE_TIMEOUT Retry Server Older LATER "the store did not answer in time";
    -153 VIDEO_APP_INVALID Final Bucket Older SETTINGS "the app id has no video service";
    -154 VIDEO_IN_FILE_BUCKET Final Bucket Older SETTINGS "video settings in a bucket of files";
    -155 VIDEO_FORMAT_INVALID Final Argument Older ARGUMENTS "the video's format is not valid";
    -156 VIDEO_NAME_INVALID Final Argument Older ARGUMENTS "the video's name is not valid";
    -157 LIST_COUNT_TOO_SMALL Final Argument Older ARGUMENTS "a directory listing asks for no entries";
    -158 AUTHORITY_INVALID Final Argument Older ARGUMENTS "the access type is not valid";
    -159 CNAME_COUNT Final Bucket Older SETTINGS "the bucket has too many domain names";
    -160 FILE_PATH_WITH_SLASH Final Argument Older PATH "an object's path ends with a slash";
    -161 DIRECTORY_PATH_WITHOUT_SLASH Final Argument Older PATH "a directory's path does not end with a slash";
    -162 PATH_ELEMENT_DIFFERS Final Argument Older PATH "an element of the path does not match";
    -163 PATH_ELEMENT_ABSENT Final Argument Older PATH "an element of the path is missing";
    -164 PATH_EMPTY Final Argument Older PATH "the path is empty";
    -165 LIST_COUNT_TOO_LARGE Final Argument Older ARGUMENTS "a directory listing asks for more than 199 entries";
    -166 INDEX_ABSENT Final Missing Older ABSENT "there is no index";
    -167 CNAME_INVALID Final Bucket Older SETTINGS "a domain name is not valid";
    -168 SHA_INVALID Final Argument Older REPORT "the SHA-1 is not valid";
    -169 QUERY_FLAG_INVALID Final Argument Older REPORT "the query's flag is not valid";
    -170 LIST_COUNT_INVALID Final Argument Older ARGUMENTS "the number of entries to list is not valid";
    -171 APP_TYPE_INVALID Final Bucket Older SETTINGS "the app id is of another type";
    -172 BUCKET_COUNT Final Bucket Older SETTINGS "the account has too many buckets";
    -173 DIRECTORY_NOT_EMPTY Final Argument Older PATH "the directory is not empty";
    -174 SHA_DIFFERS Restart Argument Older CHANGED "the content's SHA-1 is another";
    -175 SIZE_DIFFERS Final Argument Current CHANGED "the length at finish is not the length at init";
    -176 BUCKET_EXISTS Final Bucket Older BUCKET "the bucket exists";
    -177 OBJECT_EXISTS Exists Argument Current REPLACE "an object of this name exists";
    -178 PATH_CONFLICT Final Argument Current PATH "a directory of this name exists, or an object where a directory should be";
    -179 UPDATE_FLAG_INVALID Final Argument Older REPORT "the update's flag is not valid";
    -180 PATH_INVALID Final Argument Older PATH "the path is not valid";
    -181 STORE_FAILED Retry Server Older LATER "the store failed";
    -182 PARAMETER_INVALID Final Argument Older ARGUMENTS "an argument is not valid";
    -183 ROUTE_ABSENT Retry Server Older LATER "the command service found no route";
    -184 POST_PROCESSING Final Server Older LATER "processing after the operation failed";
    -185 PRE_PROCESSING Final Server Older LATER "processing before the operation failed";
    -186 VIDEO_COPY Final Argument Older ARGUMENTS "videos can't be copied";
    -187 URL_UNREADABLE Final Argument Older PATH "the address can't be taken apart";
    -189 COMMAND_DOWNLOAD_URL_EMPTY Final Argument Older REPORT "the download address is empty";
    -190 DELETE_FAILED Retry Server Older LATER "deleting failed";
    -191 URL_PARAMETERS_DIFFER Final Argument Older PATH "the address does not match the arguments";
    -192 COMMAND_REQUEST_DECODE Retry Server Older LATER "the command service could not decode the request";
    -193 COMMAND_ANSWER_ENCODE Retry Server Older LATER "the command service could not encode its answer";
    -194 BACK_END_ENCODE Retry Server Older LATER "a message to the back end could not be encoded";
    -195 BACK_END_FAILED Retry Server Current LATER "the storage back end failed";
    -196 BACK_END_UNREACHABLE Retry Server Current LATER "the storage back end can't be reached";
    -197 OBJECT_ABSENT Absent Missing Current ABSENT "there is no such object";
    -198 REDIRECT_FAILED Final Server Older PROXY "a redirection failed";
    -199 BUCKET_NAME_INVALID Final Bucket Current BUCKET "the bucket's name is not valid";

    // The receiver of slices.
    -282 PICTURE_UNREADABLE Final Argument Older ARGUMENTS "the picture can't be analysed";
    -283 SLICE_TOO_SMALL Final Argument Older SLICE_SIZE "a slice is too small";
    -284 SLICE_SIZE_DIFFERS SliceSize Argument Current SLICE_SIZE "the slice size is not the one expected";
    -285 OBJECT_TOO_LARGE Final TooLarge Older SMALLER "the object is too large";
    -286 SESSION_UNREADABLE Relist Server Older RESUME "the session can't be decoded";
    -287 RECEIVER_DECODE Retry Server Older LATER "the receiver could not decode a message";
    -288 RECEIVER_ENCODE Retry Server Older LATER "the receiver could not encode a message";
    -289 RECEIVER_DENIED Final Bucket Older ACCOUNT "the receiver refuses the upload";
    -290 SESSION_INVALID Relist Server Older RESUME "the session is not valid";
    -291 SESSION_NOT_MADE Retry Server Older LATER "the receiver could not make a session";
    -292 RECEIVER_CACHE Retry Server Older LATER "the receiver's cache failed";
    -293 RECEIVER_NOTIFY Retry Server Older LATER "the receiver could not notify the next stage";
    -294 RECEIVER_READ Retry Server Older LATER "the receiver could not read the data back";
    -295 RECEIVER_WRITE Retry Server Older LATER "the receiver could not write the data";
    -296 RECEIVER_ANSWER Retry Server Older LATER "the receiver could not encode its answer";
    -297 RECEIVER_FRAME Retry Server Older LATER "the receiver failed";
    -298 RECEIVER_REQUEST Retry Server Older LATER "the receiver could not decode the request";
    -299 RECEIVER_COMMAND Retry Server Older LATER "the receiver did not know the command";
    -300 RECEIVER_OVERLOAD Overload Server Older SLOWER "the receiver is overloaded";

    // The stage that puts slices into the store.
    -4000 STAGE_DECODE Retry Server Older LATER "the store's stage could not decode the request";
    -4001 STAGE_ENCODE Retry Server Older LATER "the store's stage could not encode its answer";
    -4002 STAGE_PARAMETER Final Argument Older ARGUMENTS "the store's stage found an argument wrong";
    -4003 STAGE_FAILED Retry Server Older LATER "the store's stage failed";
    -4004 STAGE_STORE Retry Server Older LATER "storing failed";
    -4005 OFFSET_INVALID BadOffset Argument Older RESUME "the offset is not the one that the store expects";
    -4006 STAGE_FLAG Retry Server Older LATER "the store answered an unknown flag";
    -4007 STAGE_CONFIGURATION Retry Server Older LATER "the store's stage could not get its configuration";
    -4008 STAGE_CONFIGURATION_UNREADABLE Retry Server Older LATER "the store's stage could not read its configuration";
    -4010 CONTROL_FILE_NOT_MADE Retry Server Older LATER "the upload's control file could not be made";
    -4011 CONTROL_FILE_UNREADABLE Retry Server Older LATER "the upload's control file could not be read";
    -4012 STAGE_DATA Retry Server Older LATER "the store's stage could not get the data";
    -4013 STAGE_SESSION_UNREADABLE Relist Server Older RESUME "the session can't be decoded";
    -4014 OFFSET_QUERY Retry Server Older LATER "asking for the stored slices failed";
    -4015 SLICE_REPEATED Delivered Argument Older RESUME "a slice of this offset was stored before";
    -4016 CONTENT_SHA_DIFFERS Restart Argument Current CHANGED "the content's SHA-1 is not the one announced";
    -4017 STORE_HTTP Retry Server Older LATER "putting the data into the store failed";
    -4018 CONTENT_STORED Delivered Argument Older DONE "the same content was stored before";
    -4019 UNFINISHED_SAME Relist Argument Current RESUME "an unfinished upload of this content is at the path";
    -4020 UNFINISHED_OTHER OtherUpload Argument Current DISCARD "an unfinished upload of other content is at the path";
    -4021 SESSION_ARGUMENT_UNREADABLE Relist Server Older RESUME "the session can't be decoded";
    -4022 BUCKET_PATH_INVALID Final Bucket Older BUCKET "the bucket's place is not valid";
    -4023 CHECKSUM_LENGTH Final Argument Older REPORT "a digest has the wrong length";
    -4024 OFFSET_WENT_BACK Retry Server Older LATER "the store's offset went back";
    -4025 STORE_SLOW Retry Server Older LATER "the store did not take the data in time";
    -4026 INDEX_DELETED Restart Server Older RESUME "the upload's index was deleted, or its SHA-1 is another";
    -4027 INDEX_DAMAGED Restart Server Older RESUME "the upload's index is damaged";

    // The front's reading of requests.
    -5965 UPLOAD_PARTS_INVALID Final Argument Current REPORT "the list of slice digests is not valid";
    -5971 FILE_SIZE_MISSING Final Argument Older REPORT "the request has no filesize";
    -5972 METHOD_UNSUPPORTED Final Argument Older REPORT "this version does not support the method";
    -5973 COPY_ACROSS_BUCKETS Final Argument Older ARGUMENTS "copies from bucket to bucket are not allowed";
    -5974 VIDEO_RATE Final Argument Older ARGUMENTS "the video's bit rate is wrong";
    -5975 JSON_UNREADABLE Final Argument Older REPORT "the request's JSON can't be read";
    -5976 FLAG_DIFFERS Final Argument Older REPORT "the flag does not match the arguments";
    -5977 PACKET_DECODE Final Server Older LATER "a packet could not be decoded";
    -5978 PACKET_ENCODE Final Server Older LATER "a packet could not be encoded";
    -5979 SHA_MISSING Final Argument Older REPORT "the request has no sha";
    -5980 OP_MISSING Final Argument Older REPORT "the request has no op";
    -5981 SOCKET_CONNECT Retry Server Older LATER "the front could not connect to the back end";
    -5982 SOCKET_CREATE Retry Server Older LATER "the front could not open a connection";
    -5983 SESSION_WRONG Relist Server Older RESUME "the session is wrong";
    -5984 SHA_MISMATCH Restart Argument Older CHANGED "the content's SHA-1 is another";
    -5985 ROUTE_LOOKUP Retry Server Older LATER "the front found no route";
    -5986 MESSAGE_DECODE Retry Server Older LATER "the front could not decode a message";
    -5987 MESSAGE_ENCODE Retry Server Older LATER "the front could not encode a message";
    -5988 FRONT_INITIALISATION Retry Server Older LATER "the front could not start its work";
    -5989 UPLOAD_FAILED Retry Server Older LATER "the upload failed inside the service";
    -5990 CONTENT_MISSING Final Argument Older REPORT "the request has no filecontent";
    -5991 SLICE_TOO_LARGE Final TooLarge Older SLICE_SIZE "a slice is too large";
    -5992 REQUEST_PARAMETER Final Argument Older ARGUMENTS "an argument of the request is wrong";
    -5993 FORM_UNREADABLE Final Argument Older REPORT "the request's form can't be read";
    -5994 URL_DIFFERS Final Argument Older PATH "the address does not match the arguments";
    -5995 FILE_SIZE_WRONG Final Argument Older SINGLE "the object's size is not acceptable";
    -5996 METHOD_WRONG Final Argument Older REPORT "the HTTP method is wrong";
    -5997 FRONT_BACK_END_NETWORK Retry Server Current LATER "a network failure between the front and the back end";
    -5998 AUTHORIZATION_MALFORMED Final Credentials Older KEY "the signature's form is wrong";
    -5999 PARAMETER_WRONG Final Argument Current ARGUMENTS "an argument is wrong";

    // The storage layer.
    -6101 STORED_OBJECT_ABSENT Absent Missing Older ABSENT "there is no such object";
    -6991 STORAGE_READ Retry Server Older LATER "the storage layer could not read";
    -6992 STORAGE_FILE_ABSENT Retry Server Older LATER "the storage layer misses a file";
    -6993 STORAGE_WRITE Retry Server Older LATER "the storage layer could not write";
    -6994 STORAGE_COMPRESSION Retry Server Older LATER "the storage layer could not compress";
    -6995 STORAGE_DIRECTORY Retry Server Older LATER "the storage layer could not make a directory";
    -6996 STORAGE_SIZE Retry Server Older SMALLER "the storage layer finds the file too large";
    -6997 STORAGE_PARAMETER Retry Server Older LATER "the storage layer found an argument wrong";
    -6998 STORAGE_PROTOCOL Retry Server Older LATER "the storage layer's protocol failed";
    -6999 STORAGE_UNKNOWN Retry Server Older LATER "the storage layer failed";

    // The rest.
    -9999 UNKNOWN Retry Server Older LATER "the service does not know what failed";
    -29094 SHA_OMITTED Final Argument Finish REPORT "init had a sha, this request has none";
    -45062 OBJECT_INCOMPLETE Final Missing Older RESUME "the object's upload is not finished";
    612 OLD_OBJECT_ABSENT Absent Missing Older ABSENT "there is no such object";
    631 OLD_APP_ID_INVALID Final Credentials Older KEY "the app id is not valid";
}
