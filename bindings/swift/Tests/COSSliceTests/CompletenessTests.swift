import COSSlice
import Foundation
import Testing

/// What there is in C is in Swift, or it is said here why not.
@Suite("Of the C interface")
struct CompletenessTests {
    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let repository = package.deletingLastPathComponent().deletingLastPathComponent()

    private let sources: String

    init() throws {
        let folder = Self.package.appendingPathComponent("Sources/COSSlice")
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        // Comments name what is not called.
        sources = try files.map { try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8) }
            .joined().split(separator: "\n").filter { !$0.drop(while: \.isWhitespace).hasPrefix("//") }
            .joined(separator: "\n")
        #expect(files.count > 10)
    }

    private func lines(_ file: String) throws -> [Substring] {
        try String(contentsOf: Self.repository.appendingPathComponent(file), encoding: .utf8)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    /// `static let theName = Type(rawValue: C_NAME)`, and nothing else, is what names a number.
    private func names(_ constant: Substring, after prefix: String) -> Bool {
        let words = constant.dropFirst(prefix.count).lowercased().split(separator: "_")
        let name = words[0] + words.dropFirst().map(\.capitalized).joined()
        let declarations = sources.matches(of: /static let ([A-Za-z0-9]+) = [A-Za-z]+\(rawValue: ([A-Z0-9_]+)\)/)
        return declarations.filter { $0.2 == constant }.map(\.1) == [name[...]]
    }

    @Test("every status has its name in Swift, with the same number")
    func statuses() throws {
        var numbers: Set<Int32> = []
        for line in try lines("abi/status.txt") {
            let words = line.split(separator: " ")
            let number = try #require(Int32(words[0]))
            guard words[1].hasPrefix("COS_SLICE_ERR_") || words[1] == "COS_SLICE_OK" else { continue }
            numbers.insert(number)
            #expect(Status(rawValue: number).name == words[1])
            let prefix = words[1] == "COS_SLICE_OK" ? "COS_SLICE_" : "COS_SLICE_ERR_"
            #expect(names(words[1], after: prefix), "\(words[1]) has not its name in Swift")
        }
        #expect(numbers.count > 30)
        #expect(Set(Status.known.map(\.rawValue)) == numbers)
    }

    @Test("every other number has its name in Swift")
    func numbers() throws {
        let header = try String(
            contentsOf: Self.repository.appendingPathComponent("include/cos_slice.h"), encoding: .utf8)
        // The name in Swift is what follows; the longer beginning goes before the shorter.
        let prefixes = ["API", "PHASE", "ANSWER", "TOKEN", "SIGNATURE_SCOPE", "SIGNATURE", "LOG", "OUTCOME"]
            .map { "COS_SLICE_\($0)_" }
        let constants = header.matches(of: /#define (COS_SLICE_[A-Z0-9_]+) [0-9(]/).map(\.1)
        let without: Set<Substring> = [
            // Answers are made of requests that succeeded, objects of uploads that did: there is always one.
            "COS_SLICE_ANSWER_NONE", "COS_SLICE_OUTCOME_NONE",
        ]
        // It has a word along with it, and so a function.
        let function = "func header(after word: String) -> TokenPlace {"
        let afterWord = "TokenPlace(rawValue: COS_SLICE_TOKEN_HEADER_AFTER_WORD, word: word)"
        #expect(sources.split(separator: function).last?.drop(while: \.isWhitespace).hasPrefix(afterWord) == true)
        var count = 0
        for constant in constants where !without.contains(constant) && constant != "COS_SLICE_TOKEN_HEADER_AFTER_WORD" {
            guard let prefix = prefixes.first(where: { constant.hasPrefix($0) }) else { continue }
            count += 1
            #expect(names(constant, after: prefix), "\(constant) has not its name in Swift")
        }
        #expect(count > 25)
    }

    @Test("every function is used")
    func functions() throws {
        let without: Set<Substring> = [
            // An upload is started, and its completion tells the end: nothing waits, and nobody asks.
            "cos_slice_upload_wait", "cos_slice_upload_progress",
            // The status is what the failed call returned.
            "cos_slice_error_status",
        ]
        let functions = try lines("abi/exports.txt").filter { $0.hasPrefix("cos_slice_") }
        #expect(functions.count > 100)
        for function in functions {
            let isUsed = sources.contains("\(function)(")
            #expect(isUsed != without.contains(function), "\(function) is used: \(isUsed)")
        }
    }

    @Test("every default that Swift's documentation tells is the one of the header")
    func defaults() throws {
        let header = try String(
            contentsOf: Self.repository.appendingPathComponent("include/cos_slice.h"), encoding: .utf8)
        let documentation = try ["Configuration.swift", "Options.swift"].map {
            try String(contentsOf: Self.package.appendingPathComponent("Sources/COSSlice/\($0)"), encoding: .utf8)
        }.joined()
        /// A line of the header's DEFAULTS, and what is before a property.
        let pairs: [(header: String, property: String, told: String)] = [
            ("connections of a client            adaptive up to 16; at most 256", "connections", "they adapt"),
            ("connections of a client            adaptive up to 16; at most 256", "adaptiveConnections", "16"),
            ("slice size                         1 MiB", "sliceSize", "1 MiB"),
            (
                "slice_sizes                        524288, 1048576, 2097152, 3145728", "sliceSizes",
                "524288, 1048576, 2097152, 3145728"
            ),
            ("hash (SHA-1 first)                 on", "hash", "on; off for a stream"),
            ("overwrite                          off", "overwrite", "off"),
            ("discard_unfinished                 off", "discardUnfinished", "off"),
            ("create_parents                     off", "createParents", "off"),
            ("api                                files/v2", "api", "files/v2"),
            ("token_place                        the Authorization header", "tokenPlace", "the Authorization header"),
            ("slice_md5                          off", "sliceMD5", "off"),
            ("verify                             on", "verify", "on"),
            ("spooling of streams                off", "spool", "off"),
            ("checkpoints                        off", "checkpointDirectory", "off"),
            ("one request instead of slices      empty sources only", "singleRequestLimit", "empty sources only"),
            ("deadline of a whole upload         none", "deadline", "none"),
            ("rate limits                        none", "rateLimit", "none"),
            ("resolve, connect, TLS              10 s, 10 s, 10 s", "resolve", "10 s"),
            ("resolve, connect, TLS              10 s, 10 s, 10 s", "connect", "10 s"),
            ("resolve, connect, TLS              10 s, 10 s, 10 s", "tls", "10 s"),
            ("stall: no byte moves               30 s", "stall", "30 s"),
            ("answer after the last byte         60 s", "answer", "60 s"),
            ("answer to the finish               120 s", "finish", "120 s"),
            (
                "signatures                         for the path alone, good for 600 s", "signatureScope",
                "for the path alone"
            ),
            ("signatures                         for the path alone, good for 600 s", "signatureLifetime", "600 s"),
        ]
        for pair in pairs {
            #expect(header.contains(pair.header), "the header no longer says: \(pair.header)")
            let before = try #require(documentation.range(of: "public var \(pair.property):")).lowerBound
            let comment = documentation[..<before].split(separator: "\n").reversed()
                .prefix { $0.drop(while: \.isWhitespace).hasPrefix("///") || $0.allSatisfy(\.isWhitespace) }
                .reversed().map { $0.trimmingCharacters(in: [" ", "/"]) }.joined(separator: " ")
            #expect(comment.contains("Default: \(pair.told)"), "\(pair.property): \(comment)")
        }
    }
}
