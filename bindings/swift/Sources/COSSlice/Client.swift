internal import COSSliceFFI
import Foundation

/// What uploads share: where the service is, who signs, the connections and the threads.
///
/// ```swift
/// let client = try Client(
///     .region("gz"), signer: .callback(appID: "1251668577") { request in try await appServer.sign(request) })
/// let upload = client.upload(file: url, to: Object.Location(bucket: "videos", path: "/2026/big.mp4"))
/// for await progress in upload.progress { print(progress.fraction) }
/// let object = try await upload.value
/// ```
///
/// One client serves any number of uploads at once, from any task; make one, and keep it. It has no thread before its
/// first upload, and at most one for each connection and two more after; they end with the client and the last of its
/// uploads, which may outlive it. None of its functions waits on a thread of Swift's cooperative pool; to begin an upload
/// opens the file there, and its checkpoint.
public final class Client: Sendable {
    let handle: Handle
    let failures = SignerFailures()
    let requests: RequestThreads

    /// Makes a client. Nothing is sent.
    ///
    /// - Throws: a ``COSSliceError`` with ``Status/invalidArgument`` that names the first setting that is not
    ///   acceptable, or another status where a setting could not be carried out; a ``LibraryVersionError`` where the
    ///   library that is installed is not the one that this package was built for.
    public init(_ endpoint: Endpoint, signer: Signer, configuration: Configuration = Configuration()) throws {
        try checkVersion()
        if configuration.connections != nil && configuration.adaptiveConnections != nil {
            throw COSSliceError(
                invalid: "connections: both a fixed number and adaptiveConnections are set, and only one can hold")
        }
        handle = Handle(cos_slice_client_new(), free: { cos_slice_client_free($0) })
        let connections = configuration.connections ?? configuration.adaptiveConnections
        requests = RequestThreads(atMost: connections ?? RequestThreads.usual)
        var statuses = configuration.apply(to: handle.pointer)
        statuses.append(endpoint.apply(to: handle.pointer))
        statuses.append(signer.apply(to: handle.pointer, failures: failures))
        if let failed = statuses.first(where: { $0 != COS_SLICE_OK }) {
            throw Client.settingAtFault(handle, status: failed)
        }
    }

    /// Begins to upload a file, and returns. The file is opened at once, and must not change until it is over: a change
    /// is noticed and is ``Status/sourceChanged``.
    ///
    /// - Parameters:
    ///   - file: a regular file; symbolic links are followed.
    ///   - location: where the object is to be.
    ///   - options: all else.
    public func upload(
        file: URL, to location: Object.Location, options: Upload.Options = Upload.Options()
    ) -> Upload {
        upload(.file(file), to: location, options: options)
    }

    /// Begins to upload what a source has, and returns. What is not acceptable is told by the upload's value. In a task
    /// that is cancelled already the upload is too, and nothing is sent.
    public func upload(
        _ source: Upload.Source, to location: Object.Location, options: Upload.Options = Upload.Options()
    ) -> Upload {
        Upload(UploadRun(client: self, source: source, location: location, options: options))
    }

    /// Changes ``Configuration/rateLimit``: how many bytes a second all uploads of the client may send together from now
    /// on, those under way too. From any thread, at any time, in closures too.
    ///
    /// - Parameter bytesPerSecond: 1024 to 2^53; nil or 0 is no limit.
    /// - Throws: a ``COSSliceError`` with ``Status/invalidArgument`` where that is not acceptable; the limit stays as it
    ///   was.
    public func setRateLimit(_ bytesPerSecond: Int64?) throws {
        try checkRateLimit(bytesPerSecond)
        _ = cos_slice_client_set_rate_limit(handle.pointer, bytesPerSecond ?? 0)
    }

    /// The library tells in full what is wrong with a setting when an upload is run, before anything is sent. This one
    /// has no bucket, and so can't send anything either way.
    static func settingAtFault(_ client: Handle, status: Int32) -> any Error {
        let upload = cos_slice_upload_new(client.pointer, "", "")
        var error: OpaquePointer?
        let told = cos_slice_upload_run(upload, &error)
        defer {
            cos_slice_error_free(error)
            cos_slice_upload_free(upload)
        }
        return COSSliceError(status: told == COS_SLICE_OK ? status : told, error: error, cause: nil)
    }
}

/// Has the library judge a limit, by a client that is for nothing else: one that is in use would remember what it refused,
/// and its next upload would tell.
func checkRateLimit(_ bytesPerSecond: Int64?) throws {
    let client = Handle(cos_slice_client_new(), free: { cos_slice_client_free($0) })
    let status = cos_slice_client_set_rate_limit(client.pointer, bytesPerSecond ?? 0)
    if status != COS_SLICE_OK { throw Client.settingAtFault(client, status: status) }
}
