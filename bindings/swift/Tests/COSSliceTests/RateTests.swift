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

    @Test("holds an upload up, be it the client's or the upload's")
    func slow() async throws {
        let emulator = try Emulator()
        for isOfClient in [true, false] {
            let client = try emulator.client { $0.rateLimit = isOfClient ? Int64(mebibyte) : nil }
            var options = Upload.Options()
            options.rateLimit = isOfClient ? nil : Int64(mebibyte)
            options.overwrite = true
            let bytes = content(mebibyte / 2 + (isOfClient ? 0 : 1))
            let took = try await ContinuousClock().measure {
                _ = try await client.upload(.data(bytes), to: movie, options: options).value
            }
            #expect(took > .milliseconds(400))
        }
    }

    @Test("that is raised while an upload runs lets it go on")
    func raised() async throws {
        // At this rate the test would be over long before the upload.
        let nextToNothing: Int64 = 16 << 10
        let emulator = try Emulator()
        let client = try emulator.client { $0.rateLimit = nextToNothing }
        var options = Upload.Options()
        options.rateLimit = nextToNothing
        options.onProgress = { _ in try client.setRateLimit(nil) }
        let upload = client.upload(.data(content(4 * mebibyte)), to: movie, options: options)
        try await emulator.wait(for: "upload_slice_init")
        try upload.setRateLimit(nil)
        #expect(try await upload.value.size == Int64(4 * mebibyte))
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
