import COSSlice
import Foundation
import Testing

@Suite("The log", .timeLimit(.minutes(2)))
struct LogTests {
    @Test("tells what went wrong with which request, and no secret")
    func entries() async throws {
        let emulator = try Emulator()
        try await emulator.fault(
            #"{"operation":"upload_slice_data","offset":1048576,"action":{"status":500,"code":-195}}"#)
        let (entries, continuation) = AsyncStream<Client.Log.Entry>.makeStream()
        let client = try emulator.client { $0.log = Client.Log(level: .debug) { continuation.yield($0) } }
        _ = try await client.upload(.data(content(2 * mebibyte)), to: movie).value
        continuation.finish()

        var all: [Client.Log.Entry] = []
        for await entry in entries { all.append(entry) }
        let failed = try #require(all.first { $0.serverCode == -195 })
        #expect(failed.level == .debug)
        #expect(failed.operation == "upload_slice_data")
        #expect(failed.offset == Int64(mebibyte))
        #expect(failed.attempt == 1)
        #expect(failed.httpStatus == 500)
        #expect(failed.bucket == "videos")
        #expect(failed.path == "2026/big.mp4")
        #expect(all.allSatisfy { !$0.message.isEmpty && !$0.message.contains("secret") })
        #expect(all.contains { $0.level == .debug })
    }

    @Test("has only what is as important as was asked for")
    func level() async throws {
        let emulator = try Emulator()
        let (entries, continuation) = AsyncStream<Client.Log.Entry>.makeStream()
        let client = try emulator.client { $0.log = Client.Log(level: .error) { continuation.yield($0) } }
        _ = try await client.upload(.data(content(100)), to: movie).value
        await #expect(throws: COSSliceError.self) { try await client.upload(.data(content(99)), to: movie).value }
        continuation.finish()
        var levels: Set<Client.Log.Level> = []
        for await entry in entries { levels.insert(entry.level) }
        #expect(levels == [.error])
        #expect(Client.Log.Level.error < .debug)
    }

    @Test("of a client may not start an upload, which says so instead of waiting for itself")
    func startingInside() async throws {
        let emulator = try Emulator()
        let other = try emulator.client()
        let (uploads, continuation) = AsyncStream<Upload>.makeStream()
        let client = try emulator.client {
            $0.log = Client.Log(level: .debug) { _ in continuation.yield(other.upload(.data(content(10)), to: movie)) }
        }
        _ = try await client.upload(.data(content(100)), to: Object.Location(bucket: "videos", path: "/other")).value
        continuation.finish()
        for await upload in uploads {
            do {
                _ = try await upload.value
                Issue.record("it was started")
            } catch let error as COSSliceError {
                #expect(error.status == .busy)
            }
        }
    }
}
