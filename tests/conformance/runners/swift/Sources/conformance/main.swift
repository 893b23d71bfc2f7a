// Does the jobs of tests/conformance with the Swift package: see the README there.
import COSSlice
import Foundation

/// A job, or a part of it, can't be understood.
struct NotUnderstood: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

func say(_ answer: [String: Any]) throws {
    var line = try JSONSerialization.data(withJSONObject: answer, options: [.sortedKeys, .withoutEscapingSlashes])
    line.append(UInt8(ascii: "\n"))
    try FileHandle.standardOutput.write(contentsOf: line)
}

func hello() -> [String: Any] {
    let statuses = Status.known.map { ($0.name.replacing("COS_SLICE_", with: "", maxReplacements: 1), $0.rawValue) }
    return [
        "hello": "swift", "version": libraryVersion,
        "statuses": Dictionary(uniqueKeysWithValues: statuses),
        "client_options": ClientOptions.names,
        "upload_options": UploadOptions.names + sourceKinds,
    ]
}

func answer(to line: String) async throws -> [String: Any] {
    guard let job = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
        let id = job["id"] as? String, let options = job["client"] as? [String: Any],
        let uploads = job["uploads"] as? [[String: Any]]
    else { throw NotUnderstood("not a job: \(line)") }
    let log = LogEntries()
    var answer: [String: Any] = ["id": id]
    do {
        let client = try ClientOptions(options, log: log).client()
        var outcomes: [[String: Any]] = []
        for upload in uploads {
            outcomes.append(try await outcome(of: upload, on: client))
        }
        answer["outcomes"] = outcomes
    } catch let error as COSSliceError {
        // The client could not be made.
        answer["outcomes"] = uploads.map { _ in document(of: error) }
    }
    if options["log"] != nil { answer["log"] = log.documents }
    return answer
}

func serve() async throws {
    try say(hello())
    while let line = readLine() {
        try say(await answer(to: line))
    }
}

do {
    try await serve()
} catch {
    FileHandle.standardError.write(Data("conformance: \(error)\n".utf8))
    exit(2)
}
