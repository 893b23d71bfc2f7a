import Foundation

/// A value that is only ever touched with its lock held.
///
/// `@unchecked Sendable`: the compiler can't see that `state` is reached through `withLock` alone.
final class Locked<State>: @unchecked Sendable {
    private let lock = NSLock()
    private var state: State

    init(_ state: State) {
        self.state = state
    }

    /// Nothing that calls back, waits or frees may happen in `body`.
    func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&state)
    }
}
