import COSSlice
import Foundation

#if canImport(UIKit)
    import UIKit
#endif

/// The upload of one file that goes on where it was, however often the app is suspended meanwhile.
///
/// Suspending cancels the upload, and resuming uploads the same file to the same place again: the service knows which
/// slices it has, and the client's checkpoint spares the second look at the file.
@MainActor
final class SuspendableUpload {
    private let client: Client
    private let file: URL
    private let location: Object.Location
    private var upload: Upload?
    private var suspensions = 0
    private var isSuspended = false
    private var resumption = AsyncStream<Void>.makeStream()

    /// - Parameter client: one with a checkpoint directory; without it the file is hashed again each time.
    init(_ file: URL, to location: Object.Location, with client: Client) {
        self.client = client
        self.file = file
        self.location = location
    }

    /// Uploads the file, once. Cancelling the task cancels it for good.
    func run(onProgress: (Upload.Progress) -> Void = { _ in }) async throws -> Object {
        while true {
            while isSuspended {
                for await _ in resumption.stream {}
                try Task.checkCancellation()
            }
            let before = suspensions
            let upload = client.upload(file: file, to: location)
            self.upload = upload
            defer { self.upload = nil }
            for await progress in upload.progress { onProgress(progress) }
            do {
                return try await upload.value
            } catch is CancellationError where suspensions > before && !Task.isCancelled {
                // Once more, when it is resumed.
            }
        }
    }

    /// Stops sending, and waits until nothing is under way any more, which is a matter of milliseconds.
    func suspend() async {
        guard !isSuspended else { return }
        suspensions += 1
        isSuspended = true
        resumption = AsyncStream<Void>.makeStream()
        upload?.cancel()
        _ = try? await upload?.value
    }

    /// Goes on, unless it is going on.
    func resume() {
        isSuspended = false
        resumption.continuation.finish()
    }

    #if canImport(UIKit)
        private var backgroundTask = UIBackgroundTaskIdentifier.invalid

        /// As ``run(onProgress:)``, suspended when the app's time in the background is over, and resumed when the app
        /// is back.
        func runWithApp(onProgress: (Upload.Progress) -> Void = { _ in }) async throws -> Object {
            let center = NotificationCenter.default
            // UIKit posts both on the main thread.
            let leaving = center.addObserver(
                forName: UIApplication.didEnterBackgroundNotification, object: nil, queue: nil
            ) { _ in MainActor.assumeIsolated { self.enterBackground() } }
            let returning = center.addObserver(
                forName: UIApplication.willEnterForegroundNotification, object: nil, queue: nil
            ) { _ in MainActor.assumeIsolated { self.enterForeground() } }
            defer {
                center.removeObserver(leaving)
                center.removeObserver(returning)
                endBackgroundTask()
            }
            return try await run(onProgress: onProgress)
        }

        /// Asks for the time that the system gives, some 30 seconds; the upload goes on until they are over.
        private func enterBackground() {
            backgroundTask = UIApplication.shared.beginBackgroundTask(withName: "Upload") {
                // Without an end soon after this the system ends the app.
                Task {
                    await self.suspend()
                    self.endBackgroundTask()
                }
            }
            // The system gives none.
            if backgroundTask == .invalid { Task { await suspend() } }
        }

        private func enterForeground() {
            endBackgroundTask()
            resume()
        }

        private func endBackgroundTask() {
            guard backgroundTask != .invalid else { return }
            UIApplication.shared.endBackgroundTask(backgroundTask)
            backgroundTask = .invalid
        }
    #endif
}
