/// SuspendAndResume ENDPOINT FOLDER: an app whose upload outlives its time in the background, against the emulator.
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

@MainActor
func suspendAndResume(endpoint: String, folder: URL) async throws {
    let emulator = Emulator(endpoint: endpoint)
    let app = UIApplication.shared
    let key = SecretKey(appID: "1251668577", secretID: "AKIDtest", secretKey: "secret")
    let client = try makeClient(.url(endpoint), signer: .secretKey(key), applicationSupport: folder)
    let file = folder.appendingPathComponent("movie")
    try Data((0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 / 251) }).write(to: file)
    // A file that was written a moment ago could still change unnoticed, and is hashed again.
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: file.path)

    // Of four slices one arrives; the other requests get no answer while the app is in front.
    try await emulator.control(
        "POST", "faults", body: #"{"operation":"upload_slice_data","nth":2,"times":0,"action":{"hang":"before"}}"#)
    let upload = SuspendableUpload(file, to: Object.Location(bucket: "videos", path: "/big.mp4"), with: client)
    var phases: [Upload.Phase] = []
    let task = Task { try await upload.runWithApp { phases.append($0.phase) } }
    try await emulator.control("GET", "wait?operation=upload_slice_data&count=2&timeout_ms=60000")

    NotificationCenter.default.post(name: UIApplication.didEnterBackgroundNotification, object: nil)
    try Failure.unless(app.backgroundTasks == 1, "the system was not asked for time in the background")
    await app.expire()
    try Failure.unless(phases.contains(.hashing), "the first run did not hash: \(phases)")

    phases = []
    try await emulator.control("DELETE", "faults")
    NotificationCenter.default.post(name: UIApplication.willEnterForegroundNotification, object: nil)
    let object = try await task.value
    try Failure.unless(object.outcome == .resumed, "it was not resumed: \(object)")
    try Failure.unless(object.bytesResumed == 1 << 20, "not the first slice was kept: \(object.bytesResumed)")
    try Failure.unless(!phases.contains(.hashing), "the file was hashed again: \(phases)")
    try Failure.unless(app.backgroundTasks == 0, "time in the background was not given back")

    NotificationCenter.default.post(name: UIApplication.didEnterBackgroundNotification, object: nil)
    try Failure.unless(app.backgroundTasks == 0, "what is over asks for time in the background")
}

try await suspendAndResume(
    endpoint: CommandLine.arguments[1], folder: URL(fileURLWithPath: CommandLine.arguments[2], isDirectory: true))
print("suspended, resumed, and hashed once")
