internal import COSSliceFFI
import Foundation

extension Upload {
    /// A part of a source.
    public struct ByteRange: Sendable, Hashable {
        /// Where it begins, in bytes.
        public var offset: Int64
        /// How many bytes it has; nil is all that follow.
        public var length: Int64?

        /// So many bytes from an offset on.
        public init(offset: Int64, length: Int64? = nil) {
            self.offset = offset
            self.length = length
        }
    }

    /// Where a stream is written to before it is sent, and how much of it.
    public struct Spool: Sendable, Hashable {
        /// The folder of the temporary file, which has no name there; nil is where the system has temporary files.
        public var directory: URL?
        /// The most bytes that it may take, at most 64 GiB. A longer stream is ``Status/tooLarge``.
        public var limit: Int64

        /// Up to so many bytes in that folder.
        public init(directory: URL? = nil, limit: Int64) {
            self.directory = directory
            self.limit = limit
        }
    }

    /// How an upload is done. Nil is the library's default.
    public struct Options: Sendable {
        /// Only a part of the source is the object. Not of a stream. Default: the whole.
        public var range: ByteRange?
        /// Has a stream written to a temporary file before it is sent. Then it may be of unknown size, is hashed like a
        /// file, and any part can be sent once more. Default: off.
        public var spool: Spool?
        /// The slice size to ask for, in bytes; the server may choose another. With hashing on 524288 or 1048576, with
        /// hashing off 2097152 and 3145728 too, unless the client has sizes of its own. Default: 1 MiB.
        public var sliceSize: Int64?
        /// Whether to take the source's SHA-1 before it is sent: for the instant upload of content that the server has,
        /// for its verification, and for the proof on resumption that its slices are of this content. Default: on; off
        /// for a stream that is not spooled, of which it can't be on.
        public var hash: Bool?
        /// Whether an object of other content at the path is replaced. Off, it is ``Status/objectExists``. Default:
        /// off.
        public var overwrite: Bool?
        /// Whether directories above the object are made. Off, it is ``Status/notFound`` where the service wants them.
        /// Default: off.
        public var createParents: Bool?
        /// Whether an unfinished upload at the path that is not of this content is thrown away. Off, it is
        /// ``Status/otherUpload``. Only where nobody else uploads to the path. Default: off.
        public var discardUnfinished: Bool?
        /// Whether the server's record of the object is compared with the source at the end. Default: on.
        public var verify: Bool?
        /// An attribute that the service keeps with the object for the application, at most 4096 bytes. Default: none.
        public var bizAttr: String?
        /// Sources up to this many bytes go in one request instead of slices, 0 to 20971520; such an upload can't be
        /// resumed. Default: empty sources only.
        public var singleRequestLimit: Int64?
        /// The longest that the whole upload may take, 1 ms to a year; then it is ``Status/deadline``, as soon as
        /// closures that read the source have returned. Default: none.
        public var deadline: Duration?
        /// How many bytes a second this upload may send, beside the client's limit, 1024 to 2^53.
        /// ``Upload/setRateLimit(_:)`` changes it. Default: none.
        public var rateLimit: Int64?
        /// Is told the progress on a thread of the library, one call at a time, at most ten times a second, where
        /// ``Upload/progress`` is not at hand. What it throws stops the upload: ``Status/abortedByCallback``, with the
        /// error as its `cause`. It should be quick, and must not start an upload. Default: nobody.
        public var onProgress: (@Sendable (Progress) throws -> Void)?

        /// The library's defaults.
        public init() {}
    }
}

extension Upload.Options {
    /// Sets all that differs from the defaults. What is not acceptable the library remembers, and says when the upload
    /// is started.
    func apply(to upload: OpaquePointer?) {
        func set<Value>(_ value: Value?, _ setter: (Value) -> Int32) {
            if let value { _ = setter(value) }
        }
        set(range) { cos_slice_upload_set_range(upload, $0.offset, $0.length ?? -1) }
        set(spool) { spool in
            withCText(spool.directory?.path) { cos_slice_upload_set_spool(upload, $0, spool.limit) }
        }
        set(sliceSize) { cos_slice_upload_set_slice_size(upload, $0) }
        set(hash) { cos_slice_upload_set_hash(upload, $0 ? 1 : 0) }
        set(overwrite) { cos_slice_upload_set_overwrite(upload, $0 ? 1 : 0) }
        set(createParents) { cos_slice_upload_set_create_parents(upload, $0 ? 1 : 0) }
        set(discardUnfinished) { cos_slice_upload_set_discard_unfinished(upload, $0 ? 1 : 0) }
        set(verify) { cos_slice_upload_set_verify(upload, $0 ? 1 : 0) }
        set(bizAttr) { cos_slice_upload_set_biz_attr(upload, cText($0)) }
        set(singleRequestLimit) { cos_slice_upload_set_single_request_limit(upload, $0) }
        set(rateLimit) { cos_slice_upload_set_rate_limit(upload, $0) }
        set(deadline) { cos_slice_upload_set_deadline_ms(upload, $0.milliseconds) }
    }
}
