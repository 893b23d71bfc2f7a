import COSSlice
import Foundation
import Testing

/// What the library is given it gives back: each closure is let go of exactly once, when nobody can call it any more.
@Suite("Nothing is held longer than it is needed:", .timeLimit(.minutes(2)))
struct LeakTests {
    /// Counts the witnesses that are gone, and suspends until they are.
    private final class Ledger: Sendable {
        private let made = Counter()
        private let gone: AsyncStream<Void>
        private let continuation: AsyncStream<Void>.Continuation

        init() {
            (gone, continuation) = AsyncStream.makeStream()
        }

        func witness() -> Witness {
            made.add()
            return Witness { [continuation] in continuation.yield() }
        }

        /// Returns when every witness that was made since the last time is gone; the time limit of the test is for one
        /// that never is.
        func allGone() async {
            for await _ in gone {
                made.add(-1)
                if made.value == 0 { return }
            }
        }
    }

    @Test("the closures of an upload, when it is over")
    func upload() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let ledger = Ledger()
        let bytes = content(mebibyte)
        func options(_ witness: Witness) -> Upload.Options {
            var options = Upload.Options()
            options.onProgress = { _ in withExtendedLifetime(witness) {} }
            return options
        }
        func source(_ witness: Witness) -> Upload.Source {
            .reader(size: Int64(bytes.count)) { offset, buffer in
                withExtendedLifetime(witness) { copy(bytes, from: offset, to: buffer) }
            }
        }
        weak var gone: Upload?
        do {
            let upload = client.upload(source(ledger.witness()), to: movie, options: options(ledger.witness()))
            _ = try await upload.value
            gone = upload
        }
        await ledger.allGone()
        #expect(gone == nil)
        // And where it could not even be started.
        do {
            let nowhere = Object.Location(bucket: "", path: "")
            let refused = client.upload(source(ledger.witness()), to: nowhere, options: options(ledger.witness()))
            await #expect(throws: COSSliceError.self) { try await refused.value }
        }
        await ledger.allGone()
    }

    @Test("the closures of a client, when it and its uploads are gone")
    func client() async throws {
        let emulator = try Emulator()
        let ledger = Ledger()
        weak var gone: Client?
        do {
            let (signs, logs) = (ledger.witness(), ledger.witness())
            let client = try emulator.client(
                signer: .callback(appID: "1251668577") { request in
                    try withExtendedLifetime(signs) { try Emulator.key.sign(request) }
                }
            ) { $0.log = Client.Log(level: .debug) { _ in withExtendedLifetime(logs) {} } }
            _ = try await client.upload(.data(content(100)), to: movie).value
            gone = client
        }
        await ledger.allGone()
        #expect(gone == nil)
    }

    @Test("the closures of a client that could not be made")
    func refusedClient() async throws {
        let emulator = try Emulator()
        let ledger = Ledger()
        do {
            let (signs, logs) = (ledger.witness(), ledger.witness())
            #expect(throws: COSSliceError.self) {
                try emulator.client(
                    signer: .callback(appID: "not a number") { _ in withExtendedLifetime(signs) { "" } }
                ) { $0.log = Client.Log(level: Client.Log.Level(rawValue: 99)) { _ in withExtendedLifetime(logs) {} } }
            }
        }
        await ledger.allGone()
    }

    @Test("a client that its uploads outlive")
    func clientFirst() async throws {
        let emulator = try Emulator()
        weak var gone: Client?
        let upload: Upload
        do {
            let client = try emulator.client()
            upload = client.upload(.data(content(3 * mebibyte)), to: movie)
            gone = client
        }
        #expect(gone == nil)
        #expect(try await upload.value.size == Int64(3 * mebibyte))
    }

    @Test("a sequence and its task, when the upload is cancelled")
    func sequence() async throws {
        let emulator = try Emulator()
        let ledger = Ledger()
        do {
            let witness = ledger.witness()
            let silent = AsyncStream<Data> { [witness] in
                try? await Task.sleep(for: .seconds(600))
                withExtendedLifetime(witness) {}
                return nil
            }
            let upload = try emulator.client().upload(.chunks(silent, size: 1000), to: movie)
            try await emulator.wait(for: "upload_slice_init")
            upload.cancel()
            await #expect(throws: CancellationError.self) { try await upload.value }
        }
        await ledger.allGone()
    }

    @Test("an operation, when it is let go of")
    func operation() async throws {
        let emulator = try Emulator()
        let client = try emulator.client { $0.connections = 1 }
        weak var gone: Client.Operation?
        do {
            let operation = client.operation(at: movie)
            #expect(try await operation.stat().kind == .absent)
            gone = operation
        }
        // There is one thread for requests, so it has let go of the first one when it is at the next.
        #expect(try await client.operation(at: movie).stat().kind == .absent)
        #expect(gone == nil)
    }

    @Test("descriptors, after 200 uploads")
    func descriptors() async throws {
        // Other tests open some meanwhile, so the files are counted that only these uploads have.
        let emulator = try Emulator()
        let file = try emulator.file(content(1000), name: "only here")
        for number in 0..<200 {
            let client = try emulator.client()
            let location = Object.Location(bucket: "many", path: "/\(number)")
            _ = try await client.upload(file: file, to: location).value
        }
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == file.path
        }
        // An upload's file is closed when its end was told, so the newest ones may still be open.
        #expect(open.count < 10)
    }
}
