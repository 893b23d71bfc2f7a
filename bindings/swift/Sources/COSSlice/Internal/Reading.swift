internal import COSSliceFFI
import Foundation

/// A closure that reads anywhere as the library's callback.
final class ReadAtCallback: Sendable {
    private let thrown: Locked<(any Error)?>
    private let read: @Sendable (UInt64, UnsafeMutableRawBufferPointer) throws -> Int

    init(
        thrown: Locked<(any Error)?>, read: @escaping @Sendable (UInt64, UnsafeMutableRawBufferPointer) throws -> Int
    ) {
        self.thrown = thrown
        self.read = read
    }

    static let function: cos_slice_read_at_fn = { offset, buffer, size, userData in
        guard let callback = object(ReadAtCallback.self, behind: userData) else { return -1 }
        return bytesRead(failure: callback.thrown) {
            try callback.read(offset, UnsafeMutableRawBufferPointer(start: buffer, count: size))
        }
    }
}

/// A stream's reader as the library's callback.
final class StreamCallback: Sendable {
    private let thrown: Locked<(any Error)?>
    private let reader: any StreamReader

    init(thrown: Locked<(any Error)?>, reader: any StreamReader) {
        self.thrown = thrown
        self.reader = reader
    }

    /// The library has let go of the stream: who gives its bytes may stop.
    deinit {
        reader.cancel()
    }

    static let function: cos_slice_read_fn = { buffer, size, userData in
        guard let callback = object(StreamCallback.self, behind: userData) else { return -1 }
        return bytesRead(failure: callback.thrown) {
            try callback.reader.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
        }
    }
}

/// The C form of a closure's answer: a failure is a negative number, and what was thrown is kept for the upload's
/// error.
private func bytesRead(failure thrown: Locked<(any Error)?>, _ read: () throws -> Int) -> Int64 {
    do {
        return Int64(try read())
    } catch {
        thrown.withLock { $0 = $0 ?? error }
        return Int64((error as? POSIXError).map { -$0.code.rawValue } ?? -1)
    }
}

/// Gives the bytes of a stream, on threads of the library, one call at a time.
protocol StreamReader: Sendable {
    /// Waits for the next bytes, and returns how many there are; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
    /// A call that waits ends with an error, and each later one. At any time, from any thread.
    func cancel()
}

/// A stream that a closure reads. Nothing can interrupt that.
struct ClosureReader: StreamReader {
    private let closure: @Sendable (UnsafeMutableRawBufferPointer) throws -> Int

    init(_ closure: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws -> Int) {
        self.closure = closure
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { try closure(buffer) }

    func cancel() {}
}

/// A stream that a task gives chunk by chunk: the task is suspended until a chunk is used up, the reader waits until
/// there is one.
final class AsyncReader: StreamReader {
    private enum Producer {
        case notBegun(@Sendable (AsyncReader) async throws -> Void)
        case running(Task<Void, Never>)
        case over
    }

    private struct State {
        var producer: Producer
        /// What is not yet read, from `used` on.
        var chunk: [UInt8] = []
        var used = 0
        /// The producer, while it waits until its chunk is used up.
        var waiting: CheckedContinuation<Void, Never>?
        /// Nothing follows the chunk: the end, or why there is no more.
        var end: Result<Void, any Error>?
    }

    private let state: Locked<State>
    /// One signal for each chunk, and for the end. There is one reader at a time.
    private let given = DispatchSemaphore(value: 0)

    /// `produce` gives all there is, and returns at its end. It begins with the first read.
    init(_ produce: @escaping @Sendable (AsyncReader) async throws -> Void) {
        state = Locked(State(producer: .notBegun(produce)))
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        begin()
        while true {
            if let count = try take(into: buffer) { return count }
            given.wait()
        }
    }

    func cancel() {
        end(.failure(CancellationError()))
        let task = state.withLock { state -> Task<Void, Never>? in
            defer { state.producer = .over }
            if case .running(let task) = state.producer { return task }
            return nil
        }
        task?.cancel()
    }

    /// Nil where one has to wait.
    private func take(into buffer: UnsafeMutableRawBufferPointer) throws -> Int? {
        let (count, producer) = try state.withLock { state -> (Int?, CheckedContinuation<Void, Never>?) in
            let count = min(state.chunk.count - state.used, buffer.count)
            guard count > 0 else {
                guard let end = state.end else { return (nil, nil) }
                try end.get()
                return (0, nil)
            }
            state.chunk[state.used..<state.used + count].withUnsafeBytes { buffer.copyMemory(from: $0) }
            state.used += count
            guard state.used == state.chunk.count else { return (count, nil) }
            defer { state.waiting = nil }
            return (count, state.waiting)
        }
        producer?.resume()
        return count
    }

    private func begin() {
        state.withLock { state in
            guard case .notBegun(let produce) = state.producer else { return }
            state.producer = .running(
                Task {
                    do {
                        try await produce(self)
                        self.end(.success(()))
                    } catch {
                        self.end(.failure(error))
                    }
                })
        }
    }

    /// The first end counts. After a cancellation nothing more is read.
    private func end(_ end: Result<Void, any Error>) {
        let producer = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.end == nil { state.end = end }
            if case .failure = end {
                state.used = state.chunk.count
            }
            defer { state.waiting = nil }
            return state.waiting
        }
        producer?.resume()
        given.signal()
    }

    /// Suspends until the chunk is used up. Throws where the stream was cancelled meanwhile.
    private func give(_ chunk: [UInt8]) async throws {
        guard !chunk.isEmpty else { return }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state -> Bool in
                guard state.end == nil else { return true }
                state.chunk = chunk
                state.used = 0
                state.waiting = continuation
                return false
            }
            if isOver { continuation.resume() }
            given.signal()
        }
        // A sequence that is cancelled may just end; that end must not be taken for the stream's.
        try Task.checkCancellation()
    }

    func give<Chunks: AsyncSequence>(chunksOf chunks: Chunks) async throws where Chunks.Element: Sequence<UInt8> {
        for try await chunk in chunks {
            try await give(Array(chunk))
        }
        try Task.checkCancellation()
    }

    func give<Bytes: AsyncSequence>(bytesOf bytes: Bytes) async throws where Bytes.Element == UInt8 {
        let most = 65536
        var chunk: [UInt8] = []
        chunk.reserveCapacity(most)
        for try await byte in bytes {
            chunk.append(byte)
            guard chunk.count == most else { continue }
            try await give(chunk)
            chunk.removeAll(keepingCapacity: true)
        }
        try Task.checkCancellation()
        try await give(chunk)
    }
}
