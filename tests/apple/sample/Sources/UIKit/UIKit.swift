/// What the sample uses of UIKit, with the names, types and actors that Apple documents, and a hand that moves it.
import Foundation

public struct UIBackgroundTaskIdentifier: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    public static let invalid = UIBackgroundTaskIdentifier(rawValue: 0)
}

@MainActor
public final class UIApplication {
    public static let shared = UIApplication()
    public nonisolated static let didEnterBackgroundNotification = Notification.Name("didEnterBackground")
    public nonisolated static let willEnterForegroundNotification = Notification.Name("willEnterForeground")

    private let lock = NSLock()
    private nonisolated(unsafe) var handlers: [Int: @MainActor @Sendable () -> Void] = [:]
    private nonisolated(unsafe) var last = 0
    private nonisolated(unsafe) var waiting: [CheckedContinuation<Void, Never>] = []

    public nonisolated func beginBackgroundTask(
        withName taskName: String?, expirationHandler handler: (@MainActor @Sendable () -> Void)? = nil
    ) -> UIBackgroundTaskIdentifier {
        lock.withLock {
            last += 1
            handlers[last] = handler
            return UIBackgroundTaskIdentifier(rawValue: last)
        }
    }

    public nonisolated func endBackgroundTask(_ identifier: UIBackgroundTaskIdentifier) {
        lock.withLock {
            handlers.removeValue(forKey: identifier.rawValue)
            guard handlers.isEmpty else { return }
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
    }

    /// Not UIKit's: how many of the tasks that were begun were not ended.
    public nonisolated var backgroundTasks: Int { lock.withLock { handlers.count } }

    /// Not UIKit's: the time in the background is over; returns when all tasks were ended, without which iOS ends the app.
    public func expire() async {
        let now = lock.withLock { Array(handlers.values) }
        for handler in now { handler() }
        await withCheckedContinuation { continuation in
            lock.withLock {
                if handlers.isEmpty { continuation.resume() } else { waiting.append(continuation) }
            }
        }
    }
}
