internal import COSSliceFFI

/// The one run of an upload. The library holds it until the run is over, and it holds the library's handle until then.
final class UploadRun: Sendable {
    private struct State {
        /// Nil when the run is over. Letting go of it then frees it, and what it holds.
        var handle: Handle?
        var reader: (any StreamReader)?
        var result: Result<Object, any Error>?
        var failure: COSSliceError?
        var waiting: [CheckedContinuation<Object, any Error>] = []
        var newest = Upload.Progress()
        var subscribers: [UInt64: AsyncStream<Upload.Progress>.Continuation] = [:]
        var nextSubscriber: UInt64 = 0
    }

    private let state: Locked<State>
    private let location: Object.Location
    private let failures: SignerFailures
    private let onProgress: (@Sendable (Upload.Progress) throws -> Void)?
    /// What the source or the progress closure threw first.
    private let thrown = Locked<(any Error)?>(nil)

    /// Starts it.
    init(client: Client, source: Upload.Source, location: Object.Location, options: Upload.Options) {
        self.location = location
        failures = client.failures
        onProgress = options.onProgress
        let handle = Handle(
            cos_slice_upload_new(client.handle.pointer, cText(location.bucket), cText(location.path)),
            free: { cos_slice_upload_free($0) })
        state = Locked(State(handle: handle))
        options.apply(to: handle.pointer)
        let reader = source.apply(to: handle.pointer, thrown: thrown)
        state.withLock { $0.reader = reader }
        // The task that begins it may be cancelled already; nothing is sent then.
        if Task.isCancelled { cos_slice_upload_cancel(handle.pointer) }
        start(handle)
    }

    private func start(_ handle: Handle) {
        failures.begin(location)
        _ = cos_slice_upload_set_progress(handle.pointer, UploadRun.progressFunction, userData(self), dropUserData)
        _ = cos_slice_upload_set_completion(handle.pointer, UploadRun.completionFunction, userData(self), dropUserData)
        var error: OpaquePointer?
        let status = cos_slice_upload_start(handle.pointer, &error)
        defer { cos_slice_error_free(error) }
        // Otherwise the library tells the end, which may have been already.
        if status != COS_SLICE_OK { end(status: status, error: error, handle: handle.pointer) }
    }

    func value() async throws -> Object {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<Object, any Error>? in
                if state.result == nil { state.waiting.append(continuation) }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }

    var failure: COSSliceError? { state.withLock { $0.failure } }

    func cancel() {
        let (handle, reader) = state.withLock { ($0.handle, $0.reader) }
        guard let handle else { return }
        // In this order: what the reader then answers must not be taken for a failure of the source.
        cos_slice_upload_cancel(handle.pointer)
        reader?.cancel()
    }

    /// A limit that was checked.
    func setRateLimit(_ bytesPerSecond: Int64) {
        guard let handle = state.withLock({ $0.handle }) else { return }
        _ = cos_slice_upload_set_rate_limit(handle.pointer, bytesPerSecond)
    }

    func subscribe(_ continuation: AsyncStream<Upload.Progress>.Continuation) -> UInt64 {
        let (subscriber, isOver) = state.withLock { state -> (UInt64, Bool) in
            // Nobody waits on it yet, so that this calls nobody.
            continuation.yield(state.newest)
            let subscriber = state.nextSubscriber
            state.nextSubscriber += 1
            if state.result == nil { state.subscribers[subscriber] = continuation }
            return (subscriber, state.result != nil)
        }
        if isOver { continuation.finish() }
        return subscriber
    }

    func unsubscribe(_ subscriber: UInt64) {
        // What it held is let go of without the lock.
        let continuation = state.withLock { $0.subscribers.removeValue(forKey: subscriber) }
        _ = continuation
    }

    private static let progressFunction: cos_slice_progress_fn = { progress, userData in
        let progress: UnsafePointer<cos_slice_progress>? = progress
        guard let run = object(UploadRun.self, behind: userData), let progress else { return 0 }
        return run.progressed(Upload.Progress(progress.pointee))
    }

    /// Anything but 0 stops the upload.
    private func progressed(_ progress: Upload.Progress) -> Int32 {
        let subscribers = state.withLock { state in
            state.newest = progress
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers { subscriber.yield(progress) }
        do {
            try onProgress?(progress)
            return 0
        } catch {
            thrown.withLock { $0 = $0 ?? error }
            return errnoOf(error)
        }
    }

    private static let completionFunction: cos_slice_completion_fn = { status, error, userData in
        guard let run = object(UploadRun.self, behind: userData) else { return }
        run.end(status: status, error: error, handle: run.state.withLock { $0.handle }?.pointer)
    }

    /// Makes the result, while the handle is there to be asked; lets go of the handle; and tells those who wait: first
    /// that there is no more progress, then the result.
    private func end(status: Int32, error: OpaquePointer?, handle: OpaquePointer?) {
        let signerThrew = failures.end(location)
        let result: Result<Object, any Error>
        var failure: COSSliceError?
        if status == COS_SLICE_OK {
            result = .success(Object(location: location, upload: handle))
        } else {
            let cause: (any Error)? =
                switch status {
                case COS_SLICE_ERR_SIGNER: signerThrew
                case COS_SLICE_ERR_ABORTED_BY_CALLBACK, COS_SLICE_ERR_FILE_READ: thrown.withLock { $0 }
                // What a closure threw too late, or after something else, is not why it failed.
                default: nil
                }
            let told = COSSliceError(status: status, error: error, cause: cause)
            result = .failure(told.thrown)
            failure = told
        }
        // What is let go of here ends only with this function: never with the lock held.
        let before = state.withLock { state -> State in
            let before = state
            state.handle = nil
            state.reader = nil
            state.result = result
            state.failure = failure
            state.waiting = []
            state.subscribers = [:]
            return before
        }
        for subscriber in before.subscribers.values { subscriber.finish() }
        for continuation in before.waiting { continuation.resume(with: result) }
    }
}

extension Upload.Progress {
    /// Nothing has happened yet.
    init() {
        self.init(cos_slice_progress())
    }
}
