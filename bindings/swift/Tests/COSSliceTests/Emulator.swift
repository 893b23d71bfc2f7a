import COSSlice
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The emulator of the service, as a process on a folder and a port of its own. Both go with the last reference.
final class Emulator: Sendable {
    let endpoint: String
    let folder: URL
    private let process: Process
    /// The emulator ends when this is closed, and so with this process too, however it ends.
    private let leash: Pipe
    /// Held from the making of a pipe until a process has it: another one, begun meanwhile, would have it too.
    fileprivate static let beginning = NSLock()

    static let key = SecretKey(appID: "1251668577", secretID: "AKIDtest", secretKey: "secret")

    init(_ arguments: String...) throws {
        guard let program = ProcessInfo.processInfo.environment["COS_SLICE_EMULATOR"] else {
            throw Failure("COS_SLICE_EMULATOR does not say where cos-emulator is")
        }
        folder = try temporaryFolder()
        Emulator.beginning.lock()
        defer { Emulator.beginning.unlock() }
        leash = Pipe()
        let output = Pipe()
        for end in [leash, output].flatMap({ [$0.fileHandleForReading, $0.fileHandleForWriting] }) {
            _ = fcntl(end.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            ["-c", #""$@" </dev/null & read -r _; kill $!; wait $!"#, "sh", program, "--dir", folder.path]
            + [
                "--listen", "127.0.0.1:0", "--app-id", "1251668577", "--secret-id", "AKIDtest", "--secret-key",
                "secret",
            ]
            + arguments
        process.standardInput = leash
        process.standardOutput = output
        try unblocked { try process.run() }
        self.process = process
        // Its only line; the end of the file, if it could not start.
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let address = line.split(separator: " ").last, line.hasSuffix("\n") else {
            throw Failure("cos-emulator did not start: \(line)")
        }
        endpoint = address.trimmingCharacters(in: .newlines)
    }

    deinit {
        try? leash.fileHandleForWriting.close()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    func client(
        signer: Client.Signer = .secretKey(Emulator.key), _ change: (inout Client.Configuration) -> Void = { _ in }
    ) throws -> Client {
        var configuration = Client.Configuration()
        change(&configuration)
        return try Client(.url(endpoint), signer: signer, configuration: configuration)
    }

    func object(_ location: Object.Location) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("objects/\(location.bucket)/\(location.path)"))
    }

    /// Adds a rule: what happens to which requests.
    func fault(_ rule: String) async throws {
        _ = try await control("POST", "faults", body: rule)
    }

    func clearFaults() async throws {
        _ = try await control("DELETE", "faults")
    }

    /// Suspends until so many requests of an operation are in the journal.
    func wait(for operation: String, count: Int = 1) async throws {
        _ = try await control("GET", "wait?operation=\(operation)&count=\(count)&timeout_ms=30000")
    }

    func count(of operation: String) async throws -> Int {
        let journal = try await control("GET", "requests")
        let records = try JSONSerialization.jsonObject(with: journal) as? [[String: Any]] ?? []
        return records.count(where: { $0["operation"] as? String == operation })
    }

    private func control(_ method: String, _ what: String, body: String? = nil) async throws -> Data {
        guard let url = URL(string: "\(endpoint)/_emulator/\(what)") else { throw Failure("no address: \(what)") }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body.map { Data($0.utf8) }
        let (data, response) = try await URLSession.shared.data(for: request)
        guard (response as? HTTPURLResponse)?.statusCode == 200 else {
            throw Failure("\(method) \(what): \(String(decoding: data, as: UTF8.self))")
        }
        return data
    }
}

/// Runs one test of this program in another process, and gives its exit status.
func runAlone(_ test: String, environment: [String: String]) async throws -> Int32 {
    let process = Process()
    process.executableURL = URL(
        fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    process.arguments = ["--testing-library", "swift-testing", "--filter", test]
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    return try await withCheckedThrowingContinuation { continuation in
        process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
        do {
            try Emulator.beginning.withLock { try unblocked { try process.run() } }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Threads of the concurrency runtime block all signals, and processes inherit that; such a one could not be ended.
private func unblocked(_ body: () throws -> Void) rethrows {
    var none = sigset_t()
    var before = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
}

struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

func temporaryFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cos-slice-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    return folder
}

/// Bytes that look like no others: each run of them is different.
func content(_ size: Int, seed: UInt64 = 1) -> Data {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    var data = Data(capacity: size + 8)
    while data.count < size {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        withUnsafeBytes(of: state) { data.append(contentsOf: $0) }
    }
    return data.prefix(size)
}

/// A file of that content, in the emulator's folder, with which it goes.
extension Emulator {
    func file(_ content: Data, name: String = "source") throws -> URL {
        let url = folder.appendingPathComponent(name)
        try content.write(to: url)
        return url
    }
}

let movie = Object.Location(bucket: "videos", path: "/2026/big.mp4")
let mebibyte = 1 << 20

/// What a closure holds, to see whether and when it is let go of.
final class Witness: Sendable {
    private let gone: @Sendable () -> Void

    init(_ gone: @escaping @Sendable () -> Void = {}) {
        self.gone = gone
    }

    deinit {
        gone()
    }
}

/// Suspends whoever waits until it was opened, by whoever opens it.
actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var arrived = 0

    func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    func wait() async {
        guard !isOpen else { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    /// Opens when so many have come, and suspends each until then.
    func meet(_ count: Int) async {
        arrived += 1
        if arrived == count { open() }
        await wait()
    }
}

/// What `body` throws; a failure where it throws nothing or something else.
func thrown<Thrown: Error, Value>(_ type: Thrown.Type, _ body: () throws -> Value) throws -> Thrown {
    do {
        _ = try body()
    } catch let error as Thrown {
        return error
    }
    throw Failure("it succeeded")
}
