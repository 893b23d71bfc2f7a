internal import COSSliceFFI

extension Client {
    /// Who is told what a client does, and how much of it.
    public struct Log: Sendable {
        /// How important something is: a level takes in those before it. The set is open.
        public struct Level: RawRepresentable, Sendable, Hashable, Comparable {
            /// The number in the C interface, greater for what is less important.
            public let rawValue: Int32

            /// The level of that number, known or not.
            public init(rawValue: Int32) {
                self.rawValue = rawValue
            }

            /// An upload failed, or a request of an operation.
            public static let error = Level(rawValue: COS_SLICE_LOG_ERROR)
            /// Something went wrong and was not the end: requests that are repeated, checkpoints that can't be kept.
            public static let warning = Level(rawValue: COS_SLICE_LOG_WARNING)
            /// An upload's beginning, what it found, and its end.
            public static let info = Level(rawValue: COS_SLICE_LOG_INFO)
            /// Each request.
            public static let debug = Level(rawValue: COS_SLICE_LOG_DEBUG)

            /// Whether the one is more important than the other.
            public static func < (one: Level, other: Level) -> Bool { one.rawValue < other.rawValue }
        }

        /// One thing that happened. It has no secret.
        public struct Entry: Sendable, Hashable {
            /// How important it is.
            public let level: Level
            /// One line that stands alone.
            public let message: String
            /// The bucket that it was about.
            public let bucket: String?
            /// The path that it was about.
            public let path: String?
            /// The operation, as the service's documentation calls it.
            public let operation: String?
            /// The offset in bytes of the slice that it was about.
            public let offset: Int64?
            /// Which attempt at the request it was, from 1 on; 0 where it was not about a request.
            public let attempt: Int
            /// The service's own code; 0 where there was none.
            public let serverCode: Int64
            /// The HTTP status; 0 where there was no answer.
            public let httpStatus: Int
            /// The service's identifier of the request.
            public let requestID: String?
        }

        let level: Level
        let write: @Sendable (Entry) -> Void

        /// Has a closure told what is of that level or more important. It is called on threads of the library, several
        /// at once, and holds up what it is told of: it should be quick, and must not start an upload.
        public init(level: Level, _ write: @escaping @Sendable (Entry) -> Void) {
            self.level = level
            self.write = write
        }
    }
}

/// A log's closure as the library's callback.
final class LogCallback: Sendable {
    private let write: @Sendable (Client.Log.Entry) -> Void

    init(_ write: @escaping @Sendable (Client.Log.Entry) -> Void) {
        self.write = write
    }

    static let function: cos_slice_log_fn = { entry, userData in
        let entry: UnsafePointer<cos_slice_log_entry>? = entry
        guard let callback = object(LogCallback.self, behind: userData), let entry else { return }
        callback.write(Client.Log.Entry(entry.pointee))
    }
}

extension Client.Log.Entry {
    init(_ entry: cos_slice_log_entry) {
        self.init(
            level: Client.Log.Level(rawValue: entry.level), message: text(entry.message) ?? "",
            bucket: text(entry.bucket),
            path: text(entry.path), operation: text(entry.operation), offset: entry.offset < 0 ? nil : entry.offset,
            attempt: Int(entry.attempt), serverCode: Int64(entry.server_code), httpStatus: Int(entry.http_status),
            requestID: text(entry.request_id))
    }
}
