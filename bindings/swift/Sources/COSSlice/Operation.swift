internal import COSSliceFFI
import Foundation

extension Client {
    /// Requests to one object or directory, one at a time, for a program that has a flow of its own: several processes
    /// or machines can send slices of one file into one session, and one of them finishes.
    ///
    /// Nothing of what an upload does by itself is done here: what a lost answer left behind, and whether an unfinished
    /// upload is of this content, is for the program to find out.
    ///
    /// It remembers its options and the SHA-1 that it took, but no answer. Requests of one operation are made one after
    /// another, those of different ones at once, on threads of their own; none blocks a thread of Swift's cooperative
    /// pool. Cancelling a task that waits for a request ends it with `CancellationError`: at once where it was not yet
    /// its turn, so that nothing was sent; else it may have had its effect.
    /// What else goes wrong is a ``COSSliceError``: ``Status/invalidArgument`` for what is missing or not acceptable,
    /// before anything was sent, else what the network or the server said to the last attempt.
    public final class Operation: Sendable {
        /// What an operation is about. Nil is the library's default.
        public struct Options: Sendable {
            /// What ``hash()``, ``slice(session:offset:length:)`` and ``upload()`` read: a file or bytes in memory.
            public var source: Source?
            /// The most attempts at one request: 1 for no repetition at all. Default: as many as an upload has.
            public var attempts: Int?
            /// The whole object's size in bytes, for an operation without a source; with one it must be the source's.
            public var size: Int64?
            /// The slice size that ``initUpload(session:)`` asks for, in bytes; the server may choose another. As
            /// ``Upload/Options/sliceSize``.
            public var sliceSize: Int64?
            /// The whole object's SHA-1 in 40 hexadecimal digits, as ``hash()`` told it, here or elsewhere. Where the
            /// upload was begun with it, every slice and the finish must have it too. Default: only what this operation
            /// took itself.
            public var sha1: String?
            /// An attribute that the service keeps with the object for the application, at most 4096 bytes.
            public var bizAttr: String?
            /// Whether an object of other content may be replaced. Default: off.
            public var overwrite: Bool?

            /// The library's defaults.
            public init() {}
        }

        /// What the bytes of slices are read from.
        public struct Source: Sendable {
            enum Content: Sendable {
                case path(String)
                case pathBytes([UInt8])
                case memory(Data)
            }

            let content: Content

            /// A regular file. It is opened by the first request that reads, and kept open: a change from then on is
            /// ``Status/sourceChanged``.
            public static func file(_ url: URL) -> Source { Source(content: .pathBytes(fileSystemBytes(of: url))) }

            /// A regular file by its path.
            public static func file(path: String) -> Source { Source(content: .path(path)) }

            /// A regular file by the bytes of its path, which need not be UTF-8.
            public static func file(pathBytes: some Sequence<UInt8>) -> Source {
                Source(content: .pathBytes(Array(pathBytes)))
            }

            /// Bytes in memory. They are copied.
            public static func data(_ data: Data) -> Source { Source(content: .memory(data)) }
        }

        private let location: Object.Location
        private let failures: SignerFailures
        private let threads: RequestThreads
        private let handle: Handle

        init(client: Client, location: Object.Location, options: Options) {
            self.location = location
            failures = client.failures
            threads = client.requests
            handle = Handle(
                cos_slice_operation_new(client.handle.pointer, cText(location.bucket), cText(location.path)),
                free: { cos_slice_operation_free($0) })
            options.apply(to: handle.pointer)
        }

        /// Takes the SHA-1 of the source, which later requests of this operation have along. Without a request.
        public func hash() async throws -> Answer {
            try await request { cos_slice_operation_hash($0, $1, $2) }
        }

        /// Begins a slice upload of the size that is set or the source has ("upload_slice_init"; the control request of
        /// "upload_slice" with files/v1): a `session`, or `complete` where the service has this very content there.
        ///
        /// - Parameter session: with files/v1, the session to go on with.
        public func initUpload(session: String? = nil) async throws -> Answer {
            try await request(session: session) { cos_slice_operation_init($0, $1, $2) }
        }

        /// Sends a part of the source as one slice of a session: `stored`; with files/v1 the slice that completes the
        /// object is answered with `complete`.
        ///
        /// - Parameters:
        ///   - session: the newest one that an answer told.
        ///   - offset: where the slice begins, in bytes: a multiple of the slice size that was answered.
        ///   - length: that size, or less for the last slice.
        public func slice(session: String, offset: Int64, length: Int64) async throws -> Answer {
            try await request(session: session) { cos_slice_operation_slice($0, offset, length, $1, $2) }
        }

        /// Asks what the service has of an unfinished upload: `unfinished`, `complete` or `absent`. Not with files/v1,
        /// which has init for it.
        public func list() async throws -> Answer {
            try await request { cos_slice_operation_list($0, $1, $2) }
        }

        /// Makes the object out of the slices of a session: `complete`. Not with files/v1, where the last slice does
        /// it.
        public func finish(session: String) async throws -> Answer {
            try await request(session: session) { cos_slice_operation_finish($0, $1, $2) }
        }

        /// Sends the whole source in one request, at most 20971520 bytes: `complete`.
        public func upload() async throws -> Answer {
            try await request { cos_slice_operation_upload($0, $1, $2) }
        }

        /// Asks for the object's size and SHA-1: `status`, whose `received` is less than its `size` while the upload is
        /// unfinished, or `absent`.
        public func stat() async throws -> Answer {
            try await request { cos_slice_operation_stat($0, $1, $2) }
        }

        /// Removes the object, or what there is of it: `deleted`, also where there was nothing.
        ///
        /// - Parameter session: that of the unfinished upload, if one is to go.
        public func delete(session: String? = nil) async throws -> Answer {
            try await request(session: session) { cos_slice_operation_delete($0, $1, $2) }
        }

        /// Makes the directory that the path names, without a slash at its end: `created`, also where it was there.
        public func createDirectory() async throws -> Answer {
            try await request { cos_slice_operation_create_directory($0, $1, $2) }
        }

        private typealias Function =
            @Sendable (
                OpaquePointer?, UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<OpaquePointer?>
            ) -> Int32

        private func request(session: String? = nil, _ function: @escaping Function) async throws -> Answer {
            let cancellation = Cancellation(handle)
            return try await threads.run(of: self, onCancel: { cancellation.cancel() }) { [self] in
                try perform(session: session, cancellation: cancellation, function)
            }
        }

        private func perform(
            session: String?, cancellation: Cancellation, _ function: Function
        ) throws -> Answer {
            var answer: OpaquePointer?
            var error: OpaquePointer?
            var status: Int32
            failures.begin(location)
            // A cancel that came when the request before this one was just over is still waiting for one to end, and
            // ends this one, which nobody cancelled: that was all of it.
            repeat {
                cos_slice_error_free(error)
                error = nil
                _ = withCText(session) { cos_slice_operation_set_session(handle.pointer, $0) }
                status = cancellation.during { function(handle.pointer, &answer, &error) }
            } while status == COS_SLICE_ERR_CANCELLED && !cancellation.isCancelled
            let thrown = failures.end(location)
            defer {
                cos_slice_answer_free(answer)
                cos_slice_error_free(error)
            }
            guard status == COS_SLICE_OK else {
                let cause = status == COS_SLICE_ERR_SIGNER ? thrown : nil
                throw COSSliceError(status: status, error: error, cause: cause).thrown
            }
            return Answer(answer)
        }
    }

    /// An operation on an object or a directory. Nothing is sent.
    public func operation(
        at location: Object.Location, options: Operation.Options = Operation.Options()
    ) -> Operation {
        Operation(client: self, location: location, options: options)
    }
}

/// The cancelling of one request, among those that use the handle one after another.
private final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var isUnderWay = false
    }

    private let handle: Handle
    private let state = Locked(State())

    init(_ handle: Handle) {
        self.handle = handle
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            // With the lock, so that it is never one that came after; it neither waits nor calls back. The library
            // holds it for the next request where this one has just returned.
            if state.isUnderWay { cos_slice_operation_cancel(handle.pointer) }
        }
    }

    /// The request that `body` makes; none where it was cancelled before.
    func during(_ body: () -> Int32) -> Int32 {
        let mayBegin = state.withLock { state in
            state.isUnderWay = !state.isCancelled
            return state.isUnderWay
        }
        guard mayBegin else { return COS_SLICE_ERR_CANCELLED }
        defer { state.withLock { $0.isUnderWay = false } }
        return body()
    }
}

extension Client.Operation.Options {
    fileprivate func apply(to operation: OpaquePointer?) {
        func set<Value>(_ value: Value?, _ setter: (Value) -> Int32) {
            if let value { _ = setter(value) }
        }
        set(attempts) { cos_slice_operation_set_attempts(operation, Int32(clamping: $0)) }
        set(size) { cos_slice_operation_set_size(operation, $0) }
        set(sliceSize) { cos_slice_operation_set_slice_size(operation, $0) }
        set(sha1) { cos_slice_operation_set_sha1(operation, cText($0)) }
        set(bizAttr) { cos_slice_operation_set_biz_attr(operation, cText($0)) }
        set(overwrite) { cos_slice_operation_set_overwrite(operation, $0 ? 1 : 0) }
        set(source) { source in
            switch source.content {
            case .path(let path): cos_slice_operation_set_file(operation, cText(path))
            case .pathBytes(let bytes): cos_slice_operation_set_file_bytes(operation, bytes, bytes.count)
            case .memory(let data):
                data.withUnsafeBytes { cos_slice_operation_set_memory(operation, $0.baseAddress, $0.count) }
            }
        }
    }
}
