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
