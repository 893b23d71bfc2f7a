import Dispatch
import Foundation

/// The time within which an asynchronous closure has to answer was over.
struct AnswerTimedOut: Error, CustomStringConvertible {
    let limit: Duration

    var description: String { "no answer within \(limit)" }
}

/// Runs an asynchronous closure and waits for its end, on a thread of the library, which is made for waiting.
///
/// Never to be called on a thread of Swift's cooperative pool, of which there are as few as the machine has cores. When
/// the time is over the closure's task is cancelled, and not waited for.
func waitFor<Value: Sendable>(
    atMost limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) throws -> Value {
    let over = DispatchSemaphore(value: 0)
    let result = Locked<Result<Value, any Error>?>(nil)
    let task = Task {
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        result.withLock { $0 = outcome }
        over.signal()
    }
    let milliseconds = Int(clamping: limit.milliseconds)
    guard over.wait(timeout: .now() + .milliseconds(milliseconds)) == .success,
        let outcome = result.withLock({ $0 })
    else {
        task.cancel()
        throw AnswerTimedOut(limit: limit)
    }
    return try outcome.get()
}
