//! The status numbers that callers of every language see: one table, which also makes the C header.

macro_rules! statuses {
    ($($variant:ident = $number:literal, $name:literal, $run_again:literal, $meaning:literal;)*) => {
        /// How an upload, or a call, ended. The numbers are part of the C interface: they never change and
        /// are never used again for something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Status {
            $(#[doc = $meaning] $variant = $number,)*
        }

        impl Status {
            /// Every status, in the order of the table.
            pub const ALL: &'static [Status] = &[$(Status::$variant,)*];

            /// The name in the C header, without the `COS_SLICE_` before it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// Whether the same upload, run again unchanged, may well succeed.
            pub fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $run_again,)* }
            }

            /// The number in the C interface: 0 is success, everything else is negative.
            pub fn number(self) -> i32 {
                self as i32
            }
        }
    };
}

// −1 to −99 the call, −100 this machine, −200 the network, −300 the server, −400 the upload's own state.
statuses! {
    Ok = 0, "OK", false, "The upload is complete.";
    InvalidArgument = -1, "ERR_INVALID_ARGUMENT", false,
        "An argument or a setting is not acceptable; the message names it. Nothing was sent.";
    Busy = -2, "ERR_BUSY", false,
        "The handle is running, or the call is not allowed inside a callback.";
    Panic = -10, "ERR_PANIC", false,
        "A defect of this library was caught at its boundary; the handle can only be freed.";
    FileOpen = -100, "ERR_FILE_OPEN", false,
        "The file can't be opened, or is not a regular file.";
    FileRead = -101, "ERR_FILE_READ", true,
        "Reading the source failed.";
    SourceChanged = -102, "ERR_SOURCE_CHANGED", true,
        "The source changed while it was being uploaded; no mixed object was made.";
    Resources = -103, "ERR_RESOURCES", true,
        "The system refused memory, threads, descriptors or room for a temporary file.";
    CheckpointBusy = -104, "ERR_CHECKPOINT_BUSY", true,
        "Another process, or another upload of this one, is at work with the same checkpoint. Nothing was sent.";
    Signer = -105, "ERR_SIGNER", true,
        "The signer gave no usable signature; the message says why.";
    NotRestartable = -106, "ERR_NOT_RESTARTABLE", false,
        "The upload has to go back to a part of the stream that can't be read once more.";
    Resolve = -200, "ERR_RESOLVE", true,
        "The host name could not be looked up.";
    Connect = -201, "ERR_CONNECT", true,
        "No connection to the server could be made.";
    Tls = -202, "ERR_TLS", false,
        "The server's certificate was not accepted, or it does not speak TLS.";
    ConnectionLost = -203, "ERR_CONNECTION_LOST", true,
        "Connections kept breaking.";
    TimedOut = -204, "ERR_TIMED_OUT", true,
        "The server did not answer, or no byte moved, within the time limits.";
    BadReply = -205, "ERR_BAD_REPLY", true,
        "The replies can't be understood; is this the right endpoint?";
    Refused = -300, "ERR_REFUSED", false,
        "The server refused the request; the server code says why.";
    Credentials = -301, "ERR_CREDENTIALS", false,
        "The server did not accept the app id, the secret or the signature.";
    NoBucket = -302, "ERR_NO_BUCKET", false,
        "The bucket does not exist there.";
    ObjectExists = -303, "ERR_OBJECT_EXISTS", false,
        "An object of this name with other content exists, and overwriting is off.";
    OtherUpload = -304, "ERR_OTHER_UPLOAD", false,
        "Somebody else's unfinished upload, or one of other content, is in the way.";
    NotFound = -305, "ERR_NOT_FOUND", false,
        "The path's directory does not exist there.";
    TooLarge = -306, "ERR_TOO_LARGE", false,
        "The content is larger than the service accepts, than was said, or than may be spooled.";
    ServerBusy = -307, "ERR_SERVER_BUSY", true,
        "The server kept asking to slow down.";
    ServerFailed = -308, "ERR_SERVER_FAILED", true,
        "The server kept failing.";
    ContentRejected = -309, "ERR_CONTENT_REJECTED", true,
        "What the server received is, by its digests, not what was sent, twice over.";
    VerifyFailed = -310, "ERR_VERIFY_FAILED", false,
        "The server reported success, but its own record of the object contradicts that.";
    OutcomeUnknown = -311, "ERR_OUTCOME_UNKNOWN", true,
        "The object may be complete or not, and the server would not say which; the message tells how to check.";
    Cancelled = -400, "ERR_CANCELLED", true,
        "The upload was cancelled; running it again resumes.";
    AbortedByCallback = -401, "ERR_ABORTED_BY_CALLBACK", true,
        "The progress callback asked to stop; running it again resumes.";
    Deadline = -402, "ERR_DEADLINE", true,
        "The deadline for the whole upload passed; running it again resumes.";
    StillRunning = -403, "ERR_STILL_RUNNING", true,
        "The upload was not over when the waiting time was.";
    NotStarted = -404, "ERR_NOT_STARTED", false,
        "There is nothing to wait for: the upload was not started.";
}
