internal import COSSliceFFI

/// How a call of the library ended, as a number that is the same in every language.
///
/// The set is open: later versions may have more. So a `switch` over it needs a `default`, and a number that this
/// version does not know is kept as it is.
///
/// ```swift
/// do {
///     let object = try await upload.value
///     print(object.size)
/// } catch let error as COSSliceError where error.status == .objectExists {
///     print("there is another object already")
/// }
/// ```
public struct Status: RawRepresentable, Hashable, Sendable {
    /// The number in the C interface: 0, or negative.
    public let rawValue: Int32

    /// The status of that number, known or not.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// It is done.
    public static let ok = Status(rawValue: COS_SLICE_OK)
    /// An argument or a setting is not acceptable; the message names it. Nothing was sent.
    public static let invalidArgument = Status(rawValue: COS_SLICE_ERR_INVALID_ARGUMENT)
    /// The call is not allowed inside a closure that the library calls.
    public static let busy = Status(rawValue: COS_SLICE_ERR_BUSY)
    /// A defect of the library was caught at its boundary.
    public static let panic = Status(rawValue: COS_SLICE_ERR_PANIC)
    /// The file can't be opened, or is not a regular file.
    public static let fileOpen = Status(rawValue: COS_SLICE_ERR_FILE_OPEN)
    /// Reading the source failed.
    public static let fileRead = Status(rawValue: COS_SLICE_ERR_FILE_READ)
    /// The source changed while it was being uploaded; no mixed object was made.
    public static let sourceChanged = Status(rawValue: COS_SLICE_ERR_SOURCE_CHANGED)
    /// The system refused memory, threads, descriptors or room for a temporary file.
    public static let resources = Status(rawValue: COS_SLICE_ERR_RESOURCES)
    /// Another process, or another upload of this one, is at work with the same checkpoint. Nothing was sent.
    public static let checkpointBusy = Status(rawValue: COS_SLICE_ERR_CHECKPOINT_BUSY)
    /// The signer gave no usable signature; the message says why, and `cause` is what a closure threw.
    public static let signer = Status(rawValue: COS_SLICE_ERR_SIGNER)
    /// The upload has to go back to a part of the stream that can't be read once more.
    public static let notRestartable = Status(rawValue: COS_SLICE_ERR_NOT_RESTARTABLE)
    /// The host name could not be looked up.
    public static let resolve = Status(rawValue: COS_SLICE_ERR_RESOLVE)
    /// No connection to the server could be made.
    public static let connect = Status(rawValue: COS_SLICE_ERR_CONNECT)
    /// The server's certificate was not accepted, or it does not speak TLS.
    public static let tls = Status(rawValue: COS_SLICE_ERR_TLS)
    /// Connections kept breaking.
    public static let connectionLost = Status(rawValue: COS_SLICE_ERR_CONNECTION_LOST)
    /// The server did not answer, or no byte moved, within the time limits.
    public static let timedOut = Status(rawValue: COS_SLICE_ERR_TIMED_OUT)
    /// The replies can't be understood; is this the right endpoint?
    public static let badReply = Status(rawValue: COS_SLICE_ERR_BAD_REPLY)
    /// The server refused the request; the server code says why.
    public static let refused = Status(rawValue: COS_SLICE_ERR_REFUSED)
    /// The server did not accept the app id, the secret or the signature.
    public static let credentials = Status(rawValue: COS_SLICE_ERR_CREDENTIALS)
    /// The bucket does not exist there.
    public static let noBucket = Status(rawValue: COS_SLICE_ERR_NO_BUCKET)
    /// An object of this name with other content exists, and overwriting is off.
    public static let objectExists = Status(rawValue: COS_SLICE_ERR_OBJECT_EXISTS)
    /// Somebody else's unfinished upload, or one of other content, is in the way.
    public static let otherUpload = Status(rawValue: COS_SLICE_ERR_OTHER_UPLOAD)
    /// The path's directory does not exist there.
    public static let notFound = Status(rawValue: COS_SLICE_ERR_NOT_FOUND)
    /// The content is larger than the service accepts, than was said, or than may be spooled.
    public static let tooLarge = Status(rawValue: COS_SLICE_ERR_TOO_LARGE)
    /// The server kept asking to slow down.
    public static let serverBusy = Status(rawValue: COS_SLICE_ERR_SERVER_BUSY)
    /// The server kept failing.
    public static let serverFailed = Status(rawValue: COS_SLICE_ERR_SERVER_FAILED)
    /// What the server received is, by its digests, not what was sent, twice over.
    public static let contentRejected = Status(rawValue: COS_SLICE_ERR_CONTENT_REJECTED)
    /// The server reported success, but its own record of the object contradicts that.
    public static let verifyFailed = Status(rawValue: COS_SLICE_ERR_VERIFY_FAILED)
    /// The object may be complete or not, and the server would not say which; the message tells how to check.
    public static let outcomeUnknown = Status(rawValue: COS_SLICE_ERR_OUTCOME_UNKNOWN)
    /// It was cancelled. Thrown as Swift's `CancellationError`, never in a ``COSSliceError``.
    public static let cancelled = Status(rawValue: COS_SLICE_ERR_CANCELLED)
    /// The progress closure threw, which stopped the upload; `cause` is what it threw. Uploading again resumes.
    public static let abortedByCallback = Status(rawValue: COS_SLICE_ERR_ABORTED_BY_CALLBACK)
    /// The deadline for the whole upload passed; uploading again resumes.
    public static let deadline = Status(rawValue: COS_SLICE_ERR_DEADLINE)
    /// The C interface's answer to waiting with a time limit; nothing in Swift gives it.
    public static let stillRunning = Status(rawValue: COS_SLICE_ERR_STILL_RUNNING)
    /// The C interface's answer to waiting for what was not started; nothing in Swift gives it.
    public static let notStarted = Status(rawValue: COS_SLICE_ERR_NOT_STARTED)

    /// The statuses that this version of the package has a name for, in the order of their numbers from 0 down.
    public static let known: [Status] = [
        .ok, .invalidArgument, .busy, .panic, .fileOpen, .fileRead, .sourceChanged, .resources, .checkpointBusy,
        .signer,
        .notRestartable, .resolve, .connect, .tls, .connectionLost, .timedOut, .badReply, .refused, .credentials,
        .noBucket, .objectExists, .otherUpload, .notFound, .tooLarge, .serverBusy, .serverFailed, .contentRejected,
        .verifyFailed, .outcomeUnknown, .cancelled, .abortedByCallback, .deadline, .stillRunning, .notStarted,
    ]

    /// The name in the C interface, such as "COS_SLICE_ERR_BUSY"; "COS_SLICE_ERR_UNKNOWN" of a number that the
    /// library does not know.
    public var name: String { text(cos_slice_status_name(rawValue)) ?? "" }

    /// What it means, in one English sentence.
    public var meaning: String { text(cos_slice_status_meaning(rawValue)) ?? "" }
}

extension Status: CustomStringConvertible {
    /// The name and the number, such as "COS_SLICE_ERR_BUSY (-2)".
    public var description: String { "\(name) (\(rawValue))" }
}
