import COSSlice
import Foundation
import Testing

@Suite("An upload", .timeLimit(.minutes(2)))
struct UploadTests {
    @Test("of a file makes an object of its content")
    func file() async throws {
        let emulator = try Emulator()
        let bytes = content(3 * mebibyte + 17)
        let file = try emulator.file(bytes)
        let object = try await emulator.client().upload(file: file, to: movie).value

        #expect(try emulator.object(movie) == bytes)
        #expect(object.location == movie)
        #expect(object.outcome == .uploaded)
        #expect(object.size == Int64(bytes.count))
        #expect(object.bytesSent == Int64(bytes.count))
        #expect(object.slicesSent == 4)
        #expect(object.isVerified)
        #expect(object.sha1?.count == 40)
        #expect(object.accessURL == "\(emulator.endpoint)/cdn/videos-1251668577/2026/big.mp4")
        #expect(object.warning == nil)
    }

    @Test("of content that the server has sends nothing")
    func instant() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let source = Upload.Source.data(content(mebibyte))
        _ = try await client.upload(source, to: movie).value
        let object = try await client.upload(source, to: movie).value

        #expect(object.outcome == .instant)
        #expect(object.slicesSent == 0)
    }

    @Test("tells its progress up to the end, and then its value")
    func progress() async throws {
        let emulator = try Emulator()
        let upload = try emulator.client().upload(.data(content(5 * mebibyte)), to: movie)
        var last = Upload.Progress?.none
        for await progress in upload.progress {
            if let last { #expect(progress.acknowledged >= last.acknowledged) }
            last = progress
        }
        let object = try await upload.value

        #expect(last?.phase == .done)
        #expect(last?.acknowledged == object.size)
        #expect(last?.slicesDone == 5)
        #expect(last?.fraction == 1)
    }

    @Test("has ended its progress when its value is there")
    func progressEndsFirst() async throws {
        let emulator = try Emulator()
        let upload = try emulator.client().upload(.data(content(mebibyte)), to: movie)
        let progress = upload.progress
        _ = try await upload.value

        // Only what is already there is taken: the newest state, and the end.
        var states: [Upload.Progress] = []
        for await state in progress { states.append(state) }
        #expect(states.map(\.phase) == [.done])
        // A sequence that is asked for afterwards has that too.
        states = []
        for await state in upload.progress { states.append(state) }
        #expect(states.map(\.phase) == [.done])
    }

    @Test("goes on when the loop over its progress is left")
    func leavingTheLoop() async throws {
        let emulator = try Emulator()
        let upload = try emulator.client().upload(.data(content(3 * mebibyte)), to: movie)
        for await _ in upload.progress { break }
        #expect(try await upload.value.size == Int64(3 * mebibyte))
    }

    @Test("goes on while its progress is held, and nothing else of it")
    func progressHoldsIt() async throws {
        let emulator = try Emulator()
        let progress = try emulator.client().upload(.data(content(3 * mebibyte)), to: movie).progress
        var last = Upload.Progress?.none
        for await state in progress { last = state }
        #expect(last?.acknowledged == Int64(3 * mebibyte))
    }

    @Test("can be waited for by many tasks")
    func manyWait() async throws {
        let emulator = try Emulator()
        let upload = try emulator.client().upload(.data(content(mebibyte)), to: movie)
        let sizes = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<20 { group.addTask { try await upload.value.size } }
            return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
        }
        #expect(sizes == [Int64(mebibyte)])
    }

    @Test("by files/v1 needs no endpoint of one's own, but takes one")
    func filesV1() async throws {
        let emulator = try Emulator()
        let bytes = content(2 * mebibyte)
        let object = try await emulator.client { $0.api = .filesV1 }.upload(.data(bytes), to: movie).value
        #expect(try emulator.object(movie) == bytes)
        #expect(object.slicesSent == 2)
        _ = try Client(.standard, signer: .secretKey(Emulator.key)) as Client?
    }

    @Test("takes its options along")
    func options() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let deep = Object.Location(bucket: "videos", path: "/a/b/c.bin")
        var options = Upload.Options()
        options.sliceSize = 524288
        options.hash = false
        options.createParents = true
        options.verify = false
        options.bizAttr = "attribute"
        options.deadline = .seconds(60)
        options.range = Upload.ByteRange(offset: 100, length: Int64(mebibyte))
        let bytes = content(2 * mebibyte)
        let object = try await client.upload(.data(bytes), to: deep, options: options).value

        #expect(try emulator.object(deep) == bytes.dropFirst(100).prefix(mebibyte))
        #expect(object.slicesSent == 2)
        #expect(object.sha1 == nil)
        #expect(!object.isVerified)

        await #expect(throws: COSSliceError.self) { try await client.upload(.data(bytes), to: deep).value }
        options = Upload.Options()
        options.overwrite = true
        options.singleRequestLimit = 20_971_520
        _ = try await client.upload(.data(bytes), to: deep, options: options).value
        #expect(try emulator.object(deep) == bytes)
        #expect(try await emulator.count(of: "upload") == 1)
    }
}
