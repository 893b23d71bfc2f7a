import COSSlice
import Foundation
import Testing

@Suite("Operations", .timeLimit(.minutes(2)))
struct OperationTests {
    @Test("make an object slice by slice, from several handles at once")
    func flow() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let bytes = content(3 * mebibyte + 7)
        var options = Client.Operation.Options()
        options.source = .data(bytes)
        let first = client.operation(at: movie, options: options)
        let hashed = try await first.hash()
        #expect(hashed.kind == .hashed)
        #expect(hashed.size == Int64(bytes.count))
        let began = try await first.initUpload()
        #expect(began.kind == .session)
        let session = try #require(began.session)
        let sliceSize = try #require(began.sliceSize)

        options.sha1 = try #require(hashed.sha1)
        try await withThrowingTaskGroup(of: Client.Operation.Answer.self) { [options] group in
            for offset in stride(from: 0, to: Int64(bytes.count), by: Int64.Stride(sliceSize)) {
                group.addTask {
                    let length = min(sliceSize, Int64(bytes.count) - offset)
                    return try await client.operation(at: movie, options: options)
                        .slice(session: session, offset: offset, length: length)
                }
            }
            for try await answer in group { #expect(answer.kind == .stored) }
        }
        let list = try await first.list()
        #expect(list.kind == .unfinished)
        #expect(list.parts.map(\.length).reduce(0, +) == Int64(bytes.count))
        let finished = try await first.finish(session: list.session ?? session)
        #expect(finished.kind == .complete)
        #expect(finished.addresses.accessURL?.hasPrefix(emulator.endpoint) == true)
        #expect(try emulator.object(movie) == bytes)

        let status = try await first.stat()
        #expect(status.kind == .status)
        #expect(status.sha1 == hashed.sha1)
        #expect(try await first.delete().kind == .deleted)
        #expect(try await first.stat().kind == .absent)
    }

    @Test("send a file in one request, make directories, and take files by any name")
    func oneRequest() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let bytes = content(1000)
        let file = try emulator.file(bytes)
        #expect(
            try await client.operation(at: Object.Location(bucket: "videos", path: "/2026")).createDirectory().kind
                == .created)
        for source: Client.Operation.Source in [.file(file), .file(path: file.path), .file(pathBytes: file.path.utf8)] {
            var options = Client.Operation.Options()
            options.source = source
            options.overwrite = true
            options.attempts = 1
            options.bizAttr = "attribute"
            options.size = 1000
            options.sliceSize = 524288
            #expect(try await client.operation(at: movie, options: options).upload().kind == .complete)
            #expect(try emulator.object(movie) == bytes)
        }
    }

    @Test("tell what is not acceptable before anything is sent")
    func refused() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        await #expect(throws: COSSliceError.self) { try await client.operation(at: movie).upload() }
        let cut = client.operation(at: Object.Location(bucket: "a\0b", path: "/c"))
        do {
            _ = try await cut.stat()
            Issue.record("a name was cut")
        } catch let error as COSSliceError {
            #expect(error.status == .invalidArgument)
        }
    }

    @Test("are cancelled with their task, and that ends no later request")
    func cancel() async throws {
        let emulator = try Emulator()
        let operation = try emulator.client().operation(at: movie)
        for _ in 0..<20 {
            try await emulator.fault(#"{"operation":"stat","action":{"hang":"before"}}"#)
            let before = try await emulator.count(of: "stat")
            let task = Task { try await operation.stat() }
            try await emulator.wait(for: "upload_slice_list", count: 0)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try await emulator.clearFaults()
            #expect(try await operation.stat().kind == .absent)
            #expect(try await emulator.count(of: "stat") > before)
        }
    }

    @Test("cancelled at any moment leave the next request alone")
    func cancelAtAnyMoment() async throws {
        let emulator = try Emulator()
        let operation = try emulator.client().operation(at: movie)
        for number in 0..<300 {
            let task = Task { try await operation.stat() }
            for _ in 0..<number { await Task.yield() }
            task.cancel()
            _ = try? await task.value
            #expect(try await operation.stat().kind == .absent)
        }
    }

    /// A client of which each request hangs, and a gate that opens when so many of them are on their way.
    private func hanging(_ emulator: Emulator, count: Int) async throws -> (Client, Gate) {
        try await emulator.fault(#"{"operation":"stat","times":0,"action":{"hang":"before"}}"#)
        let areUnderWay = Gate()
        let asked = Counter()
        let client = try emulator.client(
            signer: .callback(appID: "1251668577") { request in
                asked.add()
                if asked.value >= count { await areUnderWay.open() }
                return try Emulator.key.sign(request)
            })
        return (client, areUnderWay)
    }

    @Test("that wait for a thread are cancelled at once")
    func cancelWithoutThread() async throws {
        let emulator = try Emulator()
        let threads = 8
        let (client, areUnderWay) = try await hanging(emulator, count: threads)
        let over = Counter()
        let stuck = (0..<threads).map { number in
            Task {
                defer { over.add() }
                _ = try await client.operation(at: Object.Location(bucket: "many", path: "/\(number)")).stat()
            }
        }
        await areUnderWay.wait()
        for yields in 0..<20 {
            let ninth = Task { try await client.operation(at: movie).stat() }
            for _ in 0..<yields { await Task.yield() }
            ninth.cancel()
            await #expect(throws: CancellationError.self) { try await ninth.value }
        }
        #expect(over.value == 0)
        for task in stuck { task.cancel() }
        for task in stuck { await #expect(throws: CancellationError.self) { try await task.value } }
    }

    @Test("that wait for one of the same operation are cancelled at once, and keep no thread from others")
    func cancelBehindAnother() async throws {
        let emulator = try Emulator()
        let (client, isUnderWay) = try await hanging(emulator, count: 1)
        let operation = client.operation(at: movie)
        let over = Counter()
        let first = Task {
            defer { over.add() }
            _ = try await operation.stat()
        }
        await isUnderWay.wait()
        let others = (0..<20).map { _ in Task { try await operation.stat() } }
        for _ in 0..<20 {
            let directory = Object.Location(bucket: "videos", path: "/2026")
            #expect(try await client.operation(at: directory).createDirectory().kind == .created)
        }
        for task in others { task.cancel() }
        for task in others { await #expect(throws: CancellationError.self) { try await task.value } }
        #expect(over.value == 0)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
    }

    @Test("of one operation are made one after another, all of them")
    func oneAfterAnother() async throws {
        let emulator = try Emulator()
        let operation = try emulator.client().operation(at: movie)
        try await withThrowingTaskGroup(of: Client.Operation.Answer.self) { group in
            for _ in 0..<100 { group.addTask { try await operation.stat() } }
            for try await answer in group { #expect(answer.kind == .absent) }
        }
        #expect(try await emulator.count(of: "stat") == 100)
    }

    @Test("fail with what their signer threw")
    func signer() async throws {
        struct Refused: Error {}
        let emulator = try Emulator()
        let client = try emulator.client(signer: .callback(appID: "1251668577") { _ in throw Refused() })
        do {
            _ = try await client.operation(at: movie).createDirectory()
            Issue.record("it succeeded")
        } catch let error as COSSliceError {
            #expect(error.status == .signer)
            #expect(error.cause is Refused)
        }
    }
}
