internal import COSSliceFFI

/// An object in the store, as an upload left it there.
public struct Object: Sendable, Hashable {
    /// Where an object is, or is to be.
    public struct Location: Sendable, Hashable, Codable {
        /// The bucket's name.
        public var bucket: String
        /// The path within the bucket; the leading slash makes no difference. At most 850 bytes of UTF-8, no empty, "."
        /// or ".." segment, no control character and no slash at its end.
        public var path: String

        /// The object of that path in that bucket. What is not acceptable is reported by the upload or request.
        public init(bucket: String, path: String) {
            self.bucket = bucket
            self.path = path
        }
    }

    /// How the object came to be there. The set is open: later versions may have more.
    public struct Outcome: RawRepresentable, Sendable, Hashable {
        /// The number in the C interface.
        public let rawValue: Int32

        /// The outcome of that number, known or not.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// All of it was sent by this upload.
        public static let uploaded = Outcome(rawValue: COS_SLICE_OUTCOME_UPLOADED)
        /// Part of it was there from an unfinished upload.
        public static let resumed = Outcome(rawValue: COS_SLICE_OUTCOME_RESUMED)
        /// The server had the same content; no slice was sent.
        public static let instant = Outcome(rawValue: COS_SLICE_OUTCOME_INSTANT)
    }

    /// Where it is.
    public let location: Location
    /// How it came to be there.
    public let outcome: Outcome
    /// Its size in bytes.
    public let size: Int64
    /// Its SHA-1 in 40 lower-case hexadecimal digits; nil where hashing was off, save of a stream, which is hashed
    /// while it is read.
    public let sha1: String?
    /// Whether the server's record of it was compared with the source at the end, and agrees. False where there was
    /// none to be had, or verification was off.
    public let isVerified: Bool
    /// The addresses that the service told. They are text, as it was told, and need not be what `URL` takes.
    public let addresses: Addresses
    /// The bytes of slices that the server acknowledged in this upload.
    public let bytesSent: Int64
    /// The bytes that the server had before this upload.
    public let bytesResumed: Int64
    /// The slices that the server acknowledged in this upload.
    public let slicesSent: Int
    /// The requests that were repeated in this upload.
    public let retries: Int
    /// What was noticed and did not stop the upload, in one line for people: a checkpoint that could not be written,
    /// say.
    public let warning: String?

    /// The object's address for the public; it may name another host than the endpoint. Nil where the service did not
    /// tell.
    public var accessURL: String? { addresses.accessURL }
}

/// The addresses of an object, each as far as the service tells it.
public struct Addresses: Sendable, Hashable {
    /// The address for the public; it may name another host than the endpoint.
    public let accessURL: String?
    /// The address at the store itself, past the content delivery network.
    public let sourceURL: String?
    /// The address for operations of the API on the object.
    public let url: String?
    /// The place within the service, "/appid/bucket/path".
    public let resourcePath: String?
    /// The address of a preview, where the service makes one.
    public let previewURL: String?
    /// What names the work that completing the object set off at the service, to ask about it elsewhere.
    public let vid: String?
}

extension Object {
    /// Reads the result off an upload that succeeded.
    init(location: Location, upload: OpaquePointer?) {
        self.init(
            location: location,
            outcome: Outcome(rawValue: cos_slice_upload_outcome(upload)),
            size: Int64(clamping: cos_slice_upload_size(upload)),
            sha1: text(cos_slice_upload_sha1(upload)),
            isVerified: cos_slice_upload_verified(upload) != 0,
            addresses: Addresses(
                accessURL: text(cos_slice_upload_access_url(upload)),
                sourceURL: text(cos_slice_upload_source_url(upload)),
                url: text(cos_slice_upload_url(upload)),
                resourcePath: text(cos_slice_upload_resource_path(upload)),
                previewURL: text(cos_slice_upload_preview_url(upload)),
                vid: text(cos_slice_upload_vid(upload))
            ),
            bytesSent: Int64(clamping: cos_slice_upload_bytes_sent(upload)),
            bytesResumed: Int64(clamping: cos_slice_upload_bytes_resumed(upload)),
            slicesSent: Int(clamping: cos_slice_upload_slices_sent(upload)),
            retries: Int(clamping: cos_slice_upload_retries(upload)),
            warning: text(cos_slice_upload_warning(upload))
        )
    }
}
