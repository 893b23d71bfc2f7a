import COSSlice
import Foundation
import Testing

@Suite("A source", .timeLimit(.minutes(2)))
struct SourceTests {
    let bytes = content(2 * mebibyte + 5)

    private func check(
        _ source: (Emulator) throws -> Upload.Source, _ change: (inout Upload.Options) -> Void = { _ in },
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let emulator = try Emulator()
        var options = Upload.Options()
        change(&options)
        let object = try await emulator.client().upload(source(emulator), to: movie, options: options).value
        #expect(try emulator.object(movie) == bytes, sourceLocation: sourceLocation)
        #expect(object.size == Int64(bytes.count), sourceLocation: sourceLocation)
    }

    @Test("may be a file by its path")
    func path() async throws {
        try await check { try .file(path: $0.file(bytes).path) }
    }

    @Test("may be a file whose name is not UTF-8")
    func pathBytes() async throws {
        try await check { emulator in
            let name = Array(emulator.folder.path.utf8) + Array("/".utf8) + [0x66, 0xFF, 0xFE]
            let descriptor = name.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { name in
                open(Array(name) + [0], O_CREAT | O_WRONLY, 0o600)
            }
            let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try file.write(contentsOf: bytes)
            return .file(pathBytes: name)
        }
    }

    @Test("may be a file whose name has spaces and characters of every kind")
    func oddName() async throws {
        try await check { try .file($0.file(bytes, name: "ein Film, 电影 %41?#.mp4")) }
    }

    @Test("may be bytes in memory")
    func data() async throws {
        try await check { _ in .data(bytes) }
    }

    @Test("may be a file handle, which may be closed at once")
    func fileHandle() async throws {
        let emulator = try Emulator()
        let file = try FileHandle(forReadingFrom: emulator.file(bytes))
        let upload = try emulator.client().upload(.fileHandle(file), to: movie)
        try file.close()
        _ = try await upload.value
        #expect(try emulator.object(movie) == bytes)
    }

    @Test("may be a descriptor")
    func descriptor() async throws {
        let emulator = try Emulator()
        let file = try FileHandle(forReadingFrom: emulator.file(bytes))
        _ = try await emulator.client().upload(.descriptor(file.fileDescriptor), to: movie).value
        #expect(try emulator.object(movie) == bytes)
    }

    @Test("may be a closure that reads anywhere")
    func reader() async throws {
        try await check { _ in .reader(size: Int64(bytes.count)) { copy(bytes, from: $0, to: $1) } }
    }

    @Test("may be a closure that reads a stream of known size")
    func stream() async throws {
        try await check { _ in .stream(size: Int64(bytes.count), readInOrder(bytes)) }
    }

    @Test("may be a stream of unknown size where it is spooled")
    func spooled() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try await check({ _ in .stream(size: nil, readInOrder(bytes)) }) {
            $0.spool = Upload.Spool(directory: folder, limit: 10_000_000)
        }
        try await check({ _ in .stream(size: nil, readInOrder(bytes)) }) { $0.spool = Upload.Spool(limit: 10_000_000) }
    }

    @Test("may be a sequence of chunks")
    func chunks() async throws {
        let (stream, continuation) = AsyncStream<Data>.makeStream()
        for (number, start) in stride(from: 0, to: bytes.count, by: 100_003).enumerated() {
            continuation.yield(bytes.dropFirst(start).prefix(100_003))
            if number % 3 == 0 { continuation.yield(Data()) }
        }
        continuation.finish()
        try await check { _ in .chunks(stream, size: Int64(bytes.count)) }
    }

    @Test("may be a sequence of bytes of unknown size")
    func byteSequence() async throws {
        struct Bytes: AsyncSequence, AsyncIteratorProtocol, Sendable {
            var rest: Data.SubSequence
            func makeAsyncIterator() -> Bytes { self }
            mutating func next() async -> UInt8? { rest.popFirst() }
        }
        let source = Bytes(rest: bytes[...])
        try await check({ _ in .bytes(source, size: nil) }) { $0.spool = Upload.Spool(limit: 10_000_000) }
    }

    @Test("of a sequence is asked for no more than is used")
    func backPressure() async throws {
        struct Counting: AsyncSequence, AsyncIteratorProtocol, Sendable {
            let given: Counter
            func makeAsyncIterator() -> Counting { self }
            mutating func next() async -> [UInt8]? {
                given.add()
                return [UInt8](repeating: 7, count: mebibyte)
            }
        }
        let emulator = try Emulator()
        try await emulator.fault(#"{"operation":"upload_slice_data","times":0,"action":{"hang":"before"}}"#)
        let given = Counter()
        let client = try emulator.client { $0.connections = 2 }
        let upload = client.upload(.chunks(Counting(given: given), size: Int64(100 * mebibyte)), to: movie)
        try await emulator.wait(for: "upload_slice_init")
        upload.cancel()
        await #expect(throws: CancellationError.self) { try await upload.value }
        // One for each connection, one more, and one that is waiting to be read.
        #expect(given.value <= 5)
    }
}

/// A closure that reads these bytes once and in their order.
func readInOrder(_ bytes: Data) -> @Sendable (UnsafeMutableRawBufferPointer) throws -> Int {
    let position = Counter()
    return { buffer in
        let count = copy(bytes, from: UInt64(position.value), to: buffer)
        position.add(count)
        return count
    }
}

/// A number that several threads count.
final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var number = 0

    var value: Int { lock.withLock { number } }

    func add(_ count: Int = 1) {
        lock.withLock { number += count }
    }
}
