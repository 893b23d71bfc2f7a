/// SuspendAndResume ENDPOINT FOLDER: an app whose upload outlives its time in the background, against the emulator. The folder
/// has the file, 4 MiB, which is older than a moment: what was written just now could still change unnoticed, and is hashed again.
import COSSlice
import Foundation
import UIKit

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

struct Failure: Error {
    let what: String

    static func unless(_ holds: Bool, _ what: String) throws {
        if !holds { throw Failure(what: what) }
    }
}

@MainActor
final class Emulator {
    private let endpoint: String

    init(endpoint: String) {
        self.endpoint = endpoint
    }

    func control(_ method: String, _ what: String, body: String? = nil) async throws {
        guard let url = URL(string: "\(endpoint)/_emulator/\(what)") else { throw Failure(what: "no address: \(what)") }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body.map { Data($0.utf8) }
        let (_, response) = try await URLSession.shared.data(for: request)
        try Failure.unless((response as? HTTPURLResponse)?.statusCode == 200, "\(method) \(what) was refused")
    }
}

/// What this process has read by now, from files above all.
func bytesRead() throws -> Int {
    let counts = try String(contentsOfFile: "/proc/self/io", encoding: .utf8).split(separator: "\n")
    guard let count = counts.first(where: { $0.hasPrefix("rchar: ") }).flatMap({ Int($0.dropFirst(7)) }) else {
        throw Failure(what: "the system does not tell what was read")
    }
    return count
}

@MainActor
func suspendAndResume(endpoint: String, folder: URL) async throws {
    let emulator = Emulator(endpoint: endpoint)
    let app = UIApplication.shared
    let key = SecretKey(appID: "1251668577", secretID: "AKIDtest", secretKey: "secret")
    let client = try makeClient(.url(endpoint), signer: .secretKey(key), applicationSupport: folder)
    let file = folder.appendingPathComponent("movie")

    // Of four slices one arrives; the other requests get no answer while the app is in front.
    try await emulator.control(
        "POST", "faults", body: #"{"operation":"upload_slice_data","nth":2,"times":0,"action":{"hang":"before"}}"#)
    let upload = SuspendableUpload(file, to: Object.Location(bucket: "videos", path: "/big.mp4"), with: client)
    let (arrived, arrival) = AsyncStream<Void>.makeStream()
    let task = Task {
        defer { arrival.finish() }
        return try await upload.runWithApp { if $0.acknowledged > 0 { arrival.finish() } }
    }
    for await _ in arrived {}

    NotificationCenter.default.post(name: UIApplication.didEnterBackgroundNotification, object: nil)
    try Failure.unless(app.backgroundTasks == 1, "the system was not asked for time in the background")
    await app.expire()
    let readBefore = try bytesRead()
    try await emulator.control("DELETE", "faults")
    NotificationCenter.default.post(name: UIApplication.willEnterForegroundNotification, object: nil)
    let object = try await task.value
    try Failure.unless(object.outcome == .resumed, "it was not resumed: \(object)")
    try Failure.unless(object.bytesResumed == 1 << 20, "not the first slice was kept: \(object.bytesResumed)")
    // Three slices were read, and not all four once more before.
    let read = try bytesRead() - readBefore
    try Failure.unless((3 << 20..<6 << 20).contains(read), "the file was hashed again: \(read) bytes were read")
    try Failure.unless(app.backgroundTasks == 0, "time in the background was not given back")

    NotificationCenter.default.post(name: UIApplication.didEnterBackgroundNotification, object: nil)
    try Failure.unless(app.backgroundTasks == 0, "what is over asks for time in the background")
}

do {
    try await suspendAndResume(
        endpoint: CommandLine.arguments[1], folder: URL(fileURLWithPath: CommandLine.arguments[2], isDirectory: true))
    print("suspended, resumed, and hashed once")
} catch {
    print("FAILED: \(error)")
    exit(1)
}
