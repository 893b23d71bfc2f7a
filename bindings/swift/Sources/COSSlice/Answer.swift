internal import COSSliceFFI

extension Client.Operation {
    /// What a request brought.
    public struct Answer: Sendable, Hashable {
        /// What it is an answer to, and which. The set is open: later versions may have more.
        public struct Kind: RawRepresentable, Sendable, Hashable {
            /// The number in the C interface.
            public let rawValue: Int32

            /// The kind of that number, known or not.
            public init(rawValue: Int32) {
                self.rawValue = rawValue
            }

            /// To init: an upload was begun; send slices with this session.
            public static let session = Kind(rawValue: COS_SLICE_ANSWER_SESSION)
            /// The object is complete, and these are its addresses.
            public static let complete = Kind(rawValue: COS_SLICE_ANSWER_COMPLETE)
            /// To list: there is an unfinished upload, of which the service has these parts.
            public static let unfinished = Kind(rawValue: COS_SLICE_ANSWER_UNFINISHED)
            /// To slice: the service has it.
            public static let stored = Kind(rawValue: COS_SLICE_ANSWER_STORED)
            /// To stat: what the service says of the object.
            public static let status = Kind(rawValue: COS_SLICE_ANSWER_STATUS)
            /// To list and stat: there is nothing at this path.
            public static let absent = Kind(rawValue: COS_SLICE_ANSWER_ABSENT)
            /// To delete: there is nothing at this path any more.
            public static let deleted = Kind(rawValue: COS_SLICE_ANSWER_DELETED)
            /// To createDirectory: the directory is there, now or since before.
            public static let created = Kind(rawValue: COS_SLICE_ANSWER_CREATED)
            /// To hash: the SHA-1 of the source.
            public static let hashed = Kind(rawValue: COS_SLICE_ANSWER_HASHED)
        }

        /// A run of bytes that the server has, of one slice or of several that touch.
        public struct Part: Sendable, Hashable {
            /// Where it begins, in bytes.
            public let offset: Int64
            /// How many bytes it has.
            public let length: Int64
        }

        /// What it is an answer to, and which.
        public let kind: Kind
        /// The session to send slices with, of `session` and `unfinished`; the newest counts. An opaque text that any
        /// process and machine may use.
        public let session: String?
        /// The length in bytes of every slice but the last one, of `session` and `unfinished`: the server's choice, to
        /// be obeyed.
        public let sliceSize: Int64?
        /// Of `session` with files/v1, the offset in bytes of the slice to send next; with files/v2 it is 0, and any
        /// slice may be. Of `stored` the offset that the server names.
        public let offset: Int64?
        /// Of `session` and `unfinished`, whether slices have to be sent one after another; nil where the server did
        /// not say, and then they need not.
        public let isSerial: Bool?
        /// The object's size in bytes, also of one that is not complete: of `unfinished`, `status` and `hashed`.
        public let size: Int64?
        /// How many of the object's bytes the server has: of `unfinished` and `status`.
        public let received: Int64?
        /// The object's SHA-1 in 40 lower-case hexadecimal digits, as far as it is known: of `hashed`, `unfinished` and
        /// `status`.
        public let sha1: String?
        /// What the server has, of `unfinished`: in order, with a gap between any two.
        public let parts: [Part]
        /// The object's addresses, of `complete` and `status`.
        public let addresses: Addresses
    }
}

extension Client.Operation.Answer {
    /// Copies all of an answer of the library.
    init(_ answer: OpaquePointer?) {
        func told(_ number: Int64) -> Int64? { number < 0 ? nil : number }
        let serial = cos_slice_answer_serial(answer)
        self.init(
            kind: Kind(rawValue: cos_slice_answer_kind(answer)),
            session: text(cos_slice_answer_session(answer)),
            sliceSize: told(cos_slice_answer_slice_size(answer)),
            offset: told(cos_slice_answer_offset(answer)),
            isSerial: serial < 0 ? nil : serial != 0,
            size: told(cos_slice_answer_size(answer)),
            received: told(cos_slice_answer_received(answer)),
            sha1: text(cos_slice_answer_sha1(answer)),
            parts: (0..<cos_slice_answer_part_count(answer)).compactMap { index in
                var (offset, length): (Int64, Int64) = (0, 0)
                let status = cos_slice_answer_part(answer, index, &offset, &length)
                return status == COS_SLICE_OK ? Part(offset: offset, length: length) : nil
            },
            addresses: Addresses(
                accessURL: text(cos_slice_answer_access_url(answer)),
                sourceURL: text(cos_slice_answer_source_url(answer)),
                url: text(cos_slice_answer_url(answer)),
                resourcePath: text(cos_slice_answer_resource_path(answer)),
                previewURL: text(cos_slice_answer_preview_url(answer)),
                vid: text(cos_slice_answer_vid(answer))
            )
        )
    }
}
