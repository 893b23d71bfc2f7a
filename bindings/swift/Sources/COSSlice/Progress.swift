internal import COSSliceFFI

extension Upload {
    /// What an upload is busy with. The set is open: later versions may have more.
    public struct Phase: RawRepresentable, Sendable, Hashable {
        /// The number in the C interface.
        public let rawValue: Int32

        /// The phase of that number, known or not.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// Not begun.
        public static let waiting = Phase(rawValue: COS_SLICE_PHASE_WAITING)
        /// Reading a stream to its end, into a temporary file.
        public static let spooling = Phase(rawValue: COS_SLICE_PHASE_SPOOLING)
        /// Taking the SHA-1 of the source.
        public static let hashing = Phase(rawValue: COS_SLICE_PHASE_HASHING)
        /// Asking the server what there is, and sending slices.
        public static let sending = Phase(rawValue: COS_SLICE_PHASE_SENDING)
        /// All bytes are there; the server is making the object.
        public static let finishing = Phase(rawValue: COS_SLICE_PHASE_FINISHING)
        /// Comparing the server's record with the source.
        public static let verifying = Phase(rawValue: COS_SLICE_PHASE_VERIFYING)
        /// Over, one way or the other.
        public static let done = Phase(rawValue: COS_SLICE_PHASE_DONE)
    }

    /// How far an upload is. All counts are of the object's bytes, not of what HTTP adds.
    public struct Progress: Sendable, Hashable {
        /// What it is busy with.
        public var phase: Phase
        /// The object's size in bytes; 0 until the source was opened.
        public var total: Int64
        /// Bytes that the server has acknowledged, each counted once, those that it had before included. It never
        /// falls, and never exceeds `total`.
        public var acknowledged: Int64
        /// How many of these the server had before this upload.
        public var resumed: Int64
        /// Bytes hashed so far; 0 with hashing off.
        public var hashed: Int64
        /// Slices that the server has.
        public var slicesDone: Int
        /// Slices that there are in all; 0 until the server has chosen the slice size.
        public var slicesTotal: Int
        /// Requests that were repeated.
        public var retries: Int

        /// The part of the object that the server has acknowledged, 0 to 1; 0 while the size is not known.
        public var fraction: Double {
            total > 0 ? Double(acknowledged) / Double(total) : 0
        }
    }
}

extension Upload.Progress {
    init(_ progress: cos_slice_progress) {
        self.init(
            phase: Upload.Phase(rawValue: progress.phase), total: Int64(clamping: progress.total),
            acknowledged: Int64(clamping: progress.acknowledged), resumed: Int64(clamping: progress.resumed),
            hashed: Int64(clamping: progress.hashed), slicesDone: Int(clamping: progress.slices_done),
            slicesTotal: Int(clamping: progress.slices_total), retries: Int(clamping: progress.retries))
    }
}
