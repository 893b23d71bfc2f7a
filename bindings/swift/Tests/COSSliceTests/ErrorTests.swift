import Foundation
import Testing

@testable import COSSlice

@Suite("A failure", .timeLimit(.minutes(2)))
struct ErrorTests {
    struct OutOfPaper: Error, Equatable, CustomStringConvertible {
        let page: Int
        var description: String { "out of paper at page \(page)" }
    }

    /// The error that an upload ends with.
    private func failure(
        _ upload: Upload, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> COSSliceError {
        do {
            _ = try await upload.value
        } catch let error as COSSliceError {
            return error
        }
        throw Failure("it succeeded")
    }

    @Test("of the server's is told in all its details")
    func server() async throws {
        let emulator = try Emulator()
        try await emulator.fault(
            #"{"operation":"upload_slice_init","times":0,"action":{"status":403,"code":-97,"message":"no"}}"#)
        let error = try await failure(emulator.client().upload(.data(content(mebibyte)), to: movie))
        #expect(error.status == .credentials)
        #expect(error.serverCode == -97)
        #expect(error.httpStatus == 403)
        #expect(error.operation == "upload_slice_init")
        #expect(error.attempts >= 1)
        #expect(error.requestID?.isEmpty == false)
        #expect(error.sliceOffset == nil)
        #expect(error.osErrno == nil)
        #expect(!error.isRetryable)
        #expect(error.message.contains("-97"))
        #expect(error.description.hasPrefix("COS_SLICE_ERR_CREDENTIALS: "))
        #expect(error.localizedDescription == error.message)
    }

    @Test("of the system's has its number")
    func system() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let error = try await failure(client.upload(file: URL(fileURLWithPath: "/no/such/file"), to: movie))
        #expect(error.status == .fileOpen)
        #expect(error.osErrno == ENOENT)
        #expect(error.message.contains("/no/such/file"))
    }

    @Test("can be caught by its status")
    func byStatus() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        _ = try await client.upload(.data(content(10)), to: movie).value
        do {
            _ = try await client.upload(.data(content(11)), to: movie).value
            Issue.record("an object was replaced")
        } catch let error as COSSliceError where error.status == .objectExists {
            #expect(error.serverCode == -177)
        }
    }

    @Test("of a closure that reads is the cause, with its errno where it has one")
    func reader() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let out = try await failure(
            client.upload(.reader(size: 1000) { _, _ in throw OutOfPaper(page: 3) }, to: movie))
        #expect(out.status == .fileRead)
        #expect(out.cause as? OutOfPaper == OutOfPaper(page: 3))
        #expect(out.callbackValue == -1)

        let io = try await failure(client.upload(.stream(size: 1000) { _ in throw POSIXError(.EIO) }, to: movie))
        #expect(io.status == .fileRead)
        #expect((io.cause as? POSIXError)?.code == .EIO)
        #expect(io.callbackValue == -EIO)
    }

    @Test("of a sequence is the cause")
    func sequence() async throws {
        let emulator = try Emulator()
        let broken = AsyncThrowingStream<Data, any Error> { continuation in
            continuation.yield(content(1000))
            continuation.finish(throwing: OutOfPaper(page: 4))
        }
        let error = try await failure(emulator.client().upload(.chunks(broken, size: 5000), to: movie))
        #expect(error.status == .fileRead)
        #expect(error.cause as? OutOfPaper == OutOfPaper(page: 4))
    }

    @Test("of a sequence that ends too early is that the source changed")
    func shortSequence() async throws {
        let emulator = try Emulator()
        let short = AsyncStream<Data> { continuation in
            continuation.yield(content(1000))
            continuation.finish()
        }
        let error = try await failure(emulator.client().upload(.chunks(short, size: 5000), to: movie))
        #expect(error.status == .sourceChanged)
        #expect(error.cause == nil)
    }

    @Test("of the progress closure stops the upload, and is the cause")
    func progress() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        var options = Upload.Options()
        // So that it can't be complete before the closure is told of a part.
        try await emulator.fault(
            #"{"operation":"upload_slice_data","nth":3,"times":0,"action":{"hang":"before"}}"#)
        options.onProgress = { if $0.acknowledged > 0 { throw OutOfPaper(page: 5) } }
        let source = Upload.Source.data(content(8 * mebibyte))
        let error = try await failure(client.upload(source, to: movie, options: options))
        #expect(error.status == .abortedByCallback)
        #expect(error.cause as? OutOfPaper == OutOfPaper(page: 5))
        #expect(error.callbackValue == 1)
    }

    @Test("of the signer is the cause, of the upload that asked and of no other")
    func signer() async throws {
        let emulator = try Emulator()
        let client = try emulator.client(
            signer: .callback(appID: "1251668577") { request in
                guard let page = Int(request.path) else { return try Emulator.key.sign(request) }
                throw OutOfPaper(page: page)
            })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for page in 0..<20 {
                group.addTask {
                    let location = Object.Location(bucket: "videos", path: "/\(page)")
                    let error = try await failure(client.upload(.data(content(100)), to: location))
                    #expect(error.status == .signer)
                    #expect(error.cause as? OutOfPaper == OutOfPaper(page: page))
                    #expect(error.message.contains("out of paper at page \(page)"))
                }
            }
            group.addTask { _ = try await client.upload(.data(content(100)), to: movie).value }
            try await group.waitForAll()
        }
    }

    @Test("of a signer for the directories above has its cause too")
    func signerOfParents() async throws {
        let emulator = try Emulator("--set", "require_parent_dir=on")
        let client = try emulator.client(
            signer: .callback(appID: "1251668577") { request in
                guard request.path.hasSuffix("/") else { return try Emulator.key.sign(request) }
                throw OutOfPaper(page: 6)
            })
        var options = Upload.Options()
        options.createParents = true
        let error = try await failure(
            client.upload(.data(content(100)), to: Object.Location(bucket: "videos", path: "/a/b"), options: options))
        #expect(error.status == .signer)
        #expect(error.cause as? OutOfPaper == OutOfPaper(page: 6))
    }

    @Test("of a signer that does not answer comes when its time is over, and its task is cancelled")
    func silentSigner() async throws {
        let emulator = try Emulator()
        let cancelled = Gate()
        let client = try emulator.client(
            signer: .callback(appID: "1251668577", timeout: .milliseconds(50)) { _ in
                do {
                    try await Task.sleep(for: .seconds(600))
                } catch {
                    await cancelled.open()
                }
                return ""
            })
        let error = try await failure(client.upload(.data(content(100)), to: movie))
        #expect(error.status == .signer)
        #expect(error.message.contains("no answer within 0.05 seconds"))
        await cancelled.wait()
    }

    @Test("of a setting is told when the client is made, by its name")
    func setting() throws {
        func message(
            _ endpoint: Client.Endpoint = .region("gz"), signer: Client.Signer = .secretKey(Emulator.key),
            _ change: (inout Client.Configuration) -> Void = { _ in }
        ) throws -> String {
            var configuration = Client.Configuration()
            change(&configuration)
            let error = try thrown(COSSliceError.self) {
                _ = try Client(endpoint, signer: signer, configuration: configuration)
            }
            #expect(error.status == .invalidArgument)
            return error.message
        }
        #expect(try message { $0.connections = 0 }.contains("connections"))
        #expect(try message { $0.timeouts.stall = .seconds(-1) }.contains("stall"))
        #expect(try message { $0.timeouts.stall = .seconds(Int64.max) }.contains("stall"))
        #expect(try message { $0.sliceSizes = [1] }.contains("slice_size"))
        #expect(try message { $0.headers = [Client.Field(name: "Host", value: "a")] }.contains("Host"))
        #expect(try message(.url("ftp://host")).contains("endpoint"))
        #expect(try message(signer: .secretKey(appID: "a", secretID: "b", secretKey: "c")).contains("app"))
        // What C can't take as a text is refused, not cut.
        #expect(try message(.url("http://host\0.example")).contains("endpoint"))
    }

    @Test("of an upload's setting is told by the upload")
    func uploadSetting() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let source = Upload.Source.data(content(10))
        var options = Upload.Options()
        options.sliceSize = 3
        #expect(try await failure(client.upload(source, to: movie, options: options)).message.contains("slice_size"))
        let nothing = Object.Location(bucket: "videos", path: "")
        #expect(try await failure(client.upload(source, to: nothing)).status == .invalidArgument)
        let cut = Object.Location(bucket: "videos", path: "/a\0b")
        #expect(try await failure(client.upload(source, to: cut)).status == .invalidArgument)
        #expect(try await failure(client.upload(.file(path: "/etc/hostname\0"), to: movie)).status == .invalidArgument)
        let remote = try #require(URL(string: "https://example.com/a"))
        #expect(try await failure(client.upload(file: remote, to: movie)).status == .invalidArgument)
    }

    @Test("of an unknown number keeps it")
    func unknown() {
        let status = Status(rawValue: -9999)
        #expect(status.rawValue == -9999)
        #expect(status.name == "COS_SLICE_ERR_UNKNOWN")
        #expect(Status.busy.description == "COS_SLICE_ERR_BUSY (-2)")
        #expect(!Status.busy.meaning.isEmpty)
    }

    @Test("of a library that is another than was built with says both versions")
    func version() throws {
        try checkVersion()
        try checkVersion(running: 0xFF0000)
        let old = try thrown(LibraryVersionError.self) {
            try checkVersion(running: 0, interface: 0, name: "0.0.1")
        }
        #expect(old.description.contains("0.1.0") && old.description.contains("0.0.1"))
        #expect(throws: LibraryVersionError.self) { try checkVersion(interface: 99, name: "9.0.0") }
        #expect(libraryVersion.hasPrefix("0."))
        #expect(libraryFeatures.contains("files-v2"))
    }

    @Test("in units of time is none: parts count as whole, and what is too long stays so")
    func units() {
        #expect(Duration.seconds(2).milliseconds == 2000)
        #expect(Duration.microseconds(1).milliseconds == 1)
        #expect(Duration.milliseconds(1500).wholeSeconds == 2)
        #expect(Duration.seconds(-3).milliseconds == -3000)
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
        #expect(Duration.seconds(Int64.min).milliseconds == .min)
    }
}
