import COSSlice
import Foundation
import Testing

@Suite("A rate limit", .timeLimit(.minutes(2)))
struct RateTests {
    private static let refused: [Int64] = [-1, 1, 1023, 1 << 53 + 1, .min, .max]

    /// What is thrown is about an argument, and says so much of it.
    private func expectRefusal(
        _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
            Issue.record("it was taken", sourceLocation: sourceLocation)
        } catch let error as COSSliceError {
            #expect(error.status == .invalidArgument, sourceLocation: sourceLocation)
            #expect(error.message.contains(words), sourceLocation: sourceLocation)
        }
    }

    @Test("that is not acceptable is named, and changes nothing")
    func refusal() async throws {
        let emulator = try Emulator()
        let client = try emulator.client()
        let upload = client.upload(.data(content(mebibyte)), to: movie)
        for rate in Self.refused {
            try await expectRefusal("rate_limit: \(rate) ") { try client.setRateLimit(rate) }
            try await expectRefusal("rate_limit: \(rate) ") { try upload.setRateLimit(rate) }
            try await expectRefusal("rate_limit: \(rate) ") { _ = try emulator.client { $0.rateLimit = rate } }
            try await expectRefusal("rate_limit: \(rate) ") {
                var options = Upload.Options()
                options.rateLimit = rate
                _ = try await client.upload(.data(content(1)), to: movie, options: options).value
            }
        }
        #expect(try await upload.value.size == Int64(mebibyte))
    }

    @Test("is set at any time")
    func anyTime() async throws {
        let emulator = try Emulator()
        let client = try emulator.client {
            $0.adaptiveConnections = 256
            $0.rateLimit = 1 << 53
        }
        var options = Upload.Options()
        options.rateLimit = 1 << 53
        options.onProgress = { progress in try client.setRateLimit(progress.total + 1 << 30) }
        try client.setRateLimit(0)
        let upload = client.upload(.data(content(mebibyte)), to: movie, options: options)
        for rate: Int64? in [1 << 53, 1 << 30, 0, nil] {
            try client.setRateLimit(rate)
            try upload.setRateLimit(rate)
        }
        #expect(try await upload.value.size == Int64(mebibyte))
        try upload.setRateLimit(1024)
    }

    @Test("and a number of connections are told when the client is made, where they are not acceptable")
    func connections() async throws {
        let emulator = try Emulator()
        for number in [Int.min, -1, 0, 257, .max] {
            try await expectRefusal("adaptive_connections: ") {
                _ = try emulator.client { $0.adaptiveConnections = number }
            }
        }
        try await expectRefusal("both") {
            _ = try emulator.client {
                $0.connections = 8
                $0.adaptiveConnections = 8
            }
        }
    }
}
