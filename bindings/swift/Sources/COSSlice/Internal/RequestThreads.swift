import Foundation

/// Threads for requests that block, so that none of Swift's cooperative pool does: made when there is something to do,
/// so many at once and no more, gone when there is nothing left.
final class RequestThreads: Sendable {
    /// How many where nobody said how many connections there are.
    static let usual = 8

    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var running = 0
    }

    private let atMost: Int
    private let state = Locked(State())

    init(atMost: Int) {
        self.atMost = max(1, atMost)
    }

    /// Runs `body` on one of the threads, and suspends until it has returned.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Result(catching: body)) }
        }
    }

    private func submit(_ job: @escaping @Sendable () -> Void) {
        let mayBegin = state.withLock { state -> Bool in
            state.waiting.append(job)
            guard state.running < atMost else { return false }
            state.running += 1
            return true
        }
        guard mayBegin else { return }
        Thread.detachNewThread { [self] in
            while let job = next() { job() }
        }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
