import Foundation

/// Threads for calls that block, so that none of Swift's cooperative pool does: made when there is something to do, so
/// many at once and no more, gone when there is nothing left.
final class RequestThreads: Sendable {
    /// How many where nobody said how many connections there are.
    static let usual = 8

    private struct Job: Sendable {
        let number: UInt64
        /// Jobs of one owner are done one after another; such a one waits here, not on a thread.
        let owner: ObjectIdentifier
        let run: @Sendable () -> Void
        /// In place of `run`, where it is taken out before its turn.
        let giveUp: @Sendable () -> Void
    }

    private struct State {
        var waiting: [Job] = []
        /// Whose job is being done.
        var atWork: Set<ObjectIdentifier> = []
        var running = 0
        var nextNumber: UInt64 = 0

        /// The first that may be done now. While there is one, all threads are at work.
        var next: Int? {
            waiting.firstIndex { !atWork.contains($0.owner) }
        }
    }

    private let atMost: Int
    private let state = Locked(State())

    init(atMost: Int) {
        self.atMost = max(1, atMost)
    }

    /// Runs `body` on one of the threads, after those of the same owner that came before, and suspends until it has
    /// returned. Where the task is cancelled before its turn, it ends with `CancellationError` at once; `onCancel` is
    /// called however far it is.
    func run<Value: Sendable>(
        of owner: AnyObject & Sendable, onCancel: @escaping @Sendable () -> Void,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let number = takeNumber()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                submit(
                    Job(
                        number: number, owner: ObjectIdentifier(owner),
                        run: { continuation.resume(with: Result(catching: body)) },
                        giveUp: { continuation.resume(throwing: CancellationError()) }))
            }
        } onCancel: {
            onCancel()
            takeOut(number)
        }
    }

    private func takeNumber() -> UInt64 {
        state.withLock { state in
            defer { state.nextNumber += 1 }
            return state.nextNumber
        }
    }

    /// To be called in the task that waits for the job.
    private func submit(_ job: Job) {
        add(job)
        // A cancellation before it was there had nothing to take out.
        if Task.isCancelled { takeOut(job.number) }
    }

    private func add(_ job: Job) {
        let needsThread = state.withLock { state -> Bool in
            state.waiting.append(job)
            guard state.running < atMost, state.next != nil else { return false }
            state.running += 1
            return true
        }
        guard needsThread else { return }
        Thread.detachNewThread { [self] in
            while let job = next() {
                job.run()
                isDone(job)
            }
        }
    }

    private func takeOut(_ number: UInt64) {
        let job = state.withLock { state in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        job?.giveUp()
    }

    private func next() -> Job? {
        state.withLock { state in
            guard let index = state.next else {
                state.running -= 1
                return nil
            }
            let job = state.waiting.remove(at: index)
            state.atWork.insert(job.owner)
            return job
        }
    }

    /// The thread then looks for the next one, which may be the owner's.
    private func isDone(_ job: Job) {
        _ = state.withLock { $0.atWork.remove(job.owner) }
    }
}
