/// One file, or other content, on its way to one object. It is under way from when ``Client/upload(_:to:options:)``
/// gives it.
///
/// - Cancelling a task that waits for ``value`` cancels the upload, as ``cancel()`` does. So does letting go of it: an
///   upload that nobody holds any more is cancelled.
/// - Leaving the loop over ``progress`` does not.
/// - What was cancelled, failed or died with the process is resumed by uploading the same source to the same place
///   again.
public final class Upload: Sendable {
    private let run: UploadRun

    init(_ run: UploadRun) {
        self.run = run
    }

    deinit {
        run.cancel()
    }

    /// Waits until the upload is over. Any number of tasks may, at any time.
    ///
    /// Cancelling a waiting task cancels the upload; it still waits for the end, which then comes at once, or when a
    /// closure that reads the source has returned. An upload that was complete by then has its object as its value all
    /// the same.
    ///
    /// - Returns: the object, which is there, complete, and is the source.
    /// - Throws: `CancellationError` where it was cancelled, whoever did it; a ``COSSliceError`` for all else.
    public var value: Object {
        get async throws {
            try await withTaskCancellationHandler {
                try await run.value()
            } onCancel: {
                run.cancel()
            }
        }
    }

    /// What the library tells of an upload that did not succeed: what ``value`` throws, and also of one that was
    /// cancelled, of which that has only a `CancellationError`. Nil while it is under way, and where it succeeded.
    public var failure: COSSliceError? { run.failure }

    /// How far the upload is: the newest state at once, then each that follows, at most ten a second. A state that was
    /// not looked at before the next one came is left out; the last one of an upload that began, of the phase
    /// ``Phase/done``, never is. One that could not be started has none. It ends before ``value`` is there.
    ///
    /// Each use is a sequence of its own, for one loop. The upload is held as long as the sequence is.
    public var progress: AsyncStream<Progress> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let subscription = run.subscribe(continuation)
            // It also holds the upload.
            continuation.onTermination = { [self] _ in
                run.unsubscribe(subscription)
            }
        }
    }

    /// Stops the upload, and returns at once; ``value`` then throws `CancellationError`, unless the object was complete
    /// already. What the server has stays there. From any thread, at any time, any number of times, in closures too.
    public func cancel() {
        run.cancel()
    }

    /// Changes ``Options/rateLimit``: how many bytes a second this upload may send from now on, beside the client's
    /// limit. From any thread, at any time, in closures too; once the upload is over it does nothing.
    ///
    /// - Parameter bytesPerSecond: 1024 to 2^53; nil or 0 is no limit.
    /// - Throws: a ``COSSliceError`` with ``Status/invalidArgument`` where that is not acceptable; the limit stays as it
    ///   was.
    public func setRateLimit(_ bytesPerSecond: Int64?) throws {
        try checkRateLimit(bytesPerSecond)
        run.setRateLimit(bytesPerSecond ?? 0)
    }
}
