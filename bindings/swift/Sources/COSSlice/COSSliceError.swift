internal import COSSliceFFI
import Foundation

/// Why an upload, a request or the making of a client failed.
///
/// It is plain data. What was cancelled throws Swift's `CancellationError` instead.
public struct COSSliceError: Error, Sendable {
    /// What kind of failure it is, to decide by.
    public var status: Status
    /// What happened, where, what the server said and what to do next: one line for people, without secrets.
    public var message: String
    /// The service's own code of the failure, such as -97; nil where it gave none.
    public var serverCode: Int64?
    /// The HTTP status of the answer, such as 403; nil where there was no answer.
    public var httpStatus: Int?
    /// The service's identifier of the request, which its support asks for.
    public var requestID: String?
    /// The operating system's error number, such as `ENOENT`; nil where there is none.
    public var osErrno: Int32?
    /// Whether the same upload, unchanged, may well succeed: later, or once the network or the file is well again. An
    /// upload that is repeated goes on with what the server has.
    public var isRetryable: Bool
    /// How often the request that failed was attempted; 0 where the failure was not a request's.
    public var attempts: Int
    /// The offset in bytes of the slice whose request failed; nil where it was not about a slice.
    public var sliceOffset: Int64?
    /// The operation that failed, as the service's documentation calls it, such as "upload_slice_data"; nil where the
    /// failure was not a request's.
    public var operation: String?
    /// The number that the closure's error became in the C interface: the negative `errno` of a `POSIXError` thrown
    /// while reading, and the `errno` of one thrown by a progress closure; -1 and 1 for any other error. Nil where no
    /// closure failed.
    public var callbackValue: Int32?
    /// What a closure threw that made it fail: the signer, the source, or the one that is told the progress.
    public var cause: (any Error)?
}

extension COSSliceError: CustomStringConvertible, LocalizedError {
    /// The status' name and the message.
    public var description: String { "\(status.name): \(message)" }

    /// The message.
    public var errorDescription: String? { message }
}

extension COSSliceError {
    /// Copies all of an error of the library, which stays its owner's. `status` counts where there is no error to ask.
    init(status: Int32, error: OpaquePointer?, cause: (any Error)?) {
        func some<Number: BinaryInteger>(_ number: Number, unless nothing: Number = 0) -> Number? {
            number == nothing ? nil : number
        }
        self.init(
            status: Status(rawValue: status),
            message: text(cos_slice_error_message(error)) ?? "",
            serverCode: some(cos_slice_error_server_code(error)),
            httpStatus: some(cos_slice_error_http_status(error)).map(Int.init),
            requestID: text(cos_slice_error_request_id(error)),
            osErrno: some(cos_slice_error_os_errno(error)),
            isRetryable: cos_slice_error_is_retryable(error) != 0,
            attempts: Int(cos_slice_error_attempts(error)),
            sliceOffset: some(cos_slice_error_slice_offset(error), unless: -1),
            operation: text(cos_slice_error_operation(error)),
            callbackValue: some(cos_slice_error_callback_value(error)),
            cause: cause
        )
        if message.isEmpty { message = self.status.meaning }
    }
}

extension COSSliceError {
    /// An argument is not acceptable, of which the library was not asked.
    init(invalid message: String) {
        self.init(status: COS_SLICE_ERR_INVALID_ARGUMENT, error: nil, cause: nil)
        self.message = message
    }

    /// What the caller gets: Swift's own error where it was cancelled, so that it is what structured concurrency
    /// expects, and all that the library tells otherwise.
    var thrown: any Error {
        status == .cancelled ? CancellationError() : self
    }
}

/// The number that stands for what a closure threw, where the C interface takes one.
func errnoOf(_ error: any Error) -> Int32 {
    (error as? POSIXError)?.code.rawValue ?? 1
}

/// The package was built with one version of the library and runs with one that can't replace it.
public struct LibraryVersionError: Error, Sendable, CustomStringConvertible {
    /// What the package was built with.
    public let built: String
    /// What it found when it ran.
    public let running: String

    /// Both versions, and what to do.
    public var description: String {
        "built with cos_slice \(built), but running with \(running): install the one or the newer one, or build again"
    }
}

/// The versions as the library counts them: a newer one will do for an older header, but only with the same binary
/// interface.
func checkVersion(
    running: UInt32 = cos_slice_version_number(), interface: UInt32 = cos_slice_abi_version(),
    name: @autoclosure () -> String = text(cos_slice_version()) ?? ""
) throws {
    guard interface == UInt32(COS_SLICE_ABI_VERSION), running >= UInt32(COS_SLICE_VERSION_NUMBER) else {
        let built = "\(COS_SLICE_VERSION_MAJOR).\(COS_SLICE_VERSION_MINOR).\(COS_SLICE_VERSION_PATCH)"
        throw LibraryVersionError(
            built: "\(built) (binary interface \(COS_SLICE_ABI_VERSION))",
            running: "\(name()) (binary interface \(interface))"
        )
    }
}

/// The version of the library that is running, such as "0.1.0".
public var libraryVersion: String { text(cos_slice_version()) ?? "" }

/// What the library that is running can do, as words such as "files-v1" and "https".
public var libraryFeatures: Set<String> {
    Set((text(cos_slice_features()) ?? "").split(separator: " ").map(String.init))
}
