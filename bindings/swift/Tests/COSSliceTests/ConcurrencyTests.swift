import COSSlice
import Foundation
import Testing

/// How many threads this process has.
private func threads() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
}

@Suite("Many at once", .timeLimit(.minutes(3)), .serialized)
struct ConcurrencyTests {
    /// Where the process that counts its threads is to write how many there were.
    private static let countFile = "COS_SLICE_TEST_THREADS"

    @Test("500 uploads of one client take no thread each")
    func fiveHundred() async throws {
        if let file = ProcessInfo.processInfo.environment[Self.countFile] {
            let count = try await threadsOfFiveHundred()
            return try "\(count)".write(toFile: file, atomically: true, encoding: .utf8)
        }
        // In a process of its own, where no other test has threads: this program, told to do this test alone.
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("count")
        let status = try await runAlone("fiveHundred", environment: [Self.countFile: file.path])
        #expect(status == 0)
        let count = try #require(Int(String(contentsOf: file, encoding: .utf8)))
        // 16 connections, the callback thread, and what Foundation has for itself.
        #expect(count > 0 && count < 40)
    }

    /// How many more threads there are at most while 500 uploads are under way.
    private func threadsOfFiveHundred() async throws -> Int {
        let emulator = try Emulator()
        let client = try emulator.client()
        let bytes = content(50_000)
        let before = try threads()
        let most = Maximum()
        try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 0..<500 {
                let location = Object.Location(bucket: "many", path: "/\(number)")
                group.addTask {
                    let object = try await client.upload(.data(bytes), to: location).value
                    most.take(try threads())
                    return object.size
                }
            }
            for try await size in group { #expect(size == Int64(bytes.count)) }
        }
        return most.value - before
    }

    @Test("uploads that all wait for asynchronous signers leave Swift's threads free")
    func signersMeet() async throws {
        let count = 4 * ProcessInfo.processInfo.activeProcessorCount + 4
        let emulator = try Emulator()
        let gate = Gate()
        // At most half of the connections are used for signers.
        let client = try emulator.client(
            signer: .callback(appID: "1251668577") { request in
                // None goes on before all are here: with fewer threads than signers that is only possible if none of
                // them, and no upload, keeps a thread of the pool.
                await gate.meet(count)
                return try Emulator.key.sign(request)
            }
        ) { $0.connections = 2 * count }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                let location = Object.Location(bucket: "many", path: "/\(number)")
                group.addTask { _ = try await client.upload(.data(content(1000)), to: location).value }
            }
            try await group.waitForAll()
        }
    }

    @Test("sequences that all wait for one another leave Swift's threads free")
    func sequencesMeet() async throws {
        struct Meeting: AsyncSequence, AsyncIteratorProtocol, Sendable {
            let gate: Gate
            let count: Int
            var isOver = false
            func makeAsyncIterator() -> Meeting { self }
            mutating func next() async -> Data? {
                guard !isOver else { return nil }
                isOver = true
                await gate.meet(count)
                return content(1000)
            }
        }
        let count = 4 * ProcessInfo.processInfo.activeProcessorCount + 4
        let emulator = try Emulator()
        let gate = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                let location = Object.Location(bucket: "many", path: "/\(number)")
                group.addTask {
                    let client = try emulator.client()
                    let source = Upload.Source.chunks(Meeting(gate: gate, count: count), size: 1000)
                    _ = try await client.upload(source, to: location).value
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("requests of operations that all wait leave Swift's threads free")
    func operationsWait() async throws {
        let emulator = try Emulator()
        try await emulator.fault(#"{"operation":"stat","times":0,"action":{"hang":"before"}}"#)
        let client = try emulator.client { $0.connections = 8 }
        let tasks = (0..<20).map { number in
            Task { try await client.operation(at: Object.Location(bucket: "many", path: "/\(number)")).stat() }
        }
        // This would never be reached if those tasks had the threads that tasks run on.
        try await emulator.wait(for: "upload_slice_list", count: 0)
        for task in tasks { task.cancel() }
        for task in tasks {
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}

/// The greatest of some numbers.
final class Maximum: Sendable {
    private let numbers = Counter()
    private let lock = NSLock()

    var value: Int { numbers.value }

    func take(_ number: Int) {
        lock.withLock {
            if number > numbers.value { numbers.add(number - numbers.value) }
        }
    }
}
