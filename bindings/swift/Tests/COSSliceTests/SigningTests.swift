import COSSlice
import Foundation
import Testing

@Suite("Signing", .timeLimit(.minutes(2)))
struct SigningTests {
    @Test("by a closure gets what is needed, over the network too")
    func callback() async throws {
        let emulator = try Emulator()
        let bytes = content(2 * mebibyte)
        let asked = Counter()
        let client = try emulator.client(
            signer: .callback(appID: "1251668577") { request in
                asked.add()
                #expect(request.kind == .multiEffect)
                #expect(request.bucket == "videos")
                #expect(request.path == "2026/big.mp4")
                #expect(request.appID == "1251668577")
                #expect(request.lifetimeSeconds == 1200)
                let sent = try JSONEncoder().encode(request)
                return try Emulator.key.sign(JSONDecoder().decode(SignRequest.self, from: sent))
            }
        ) { $0.signatureLifetime = .seconds(1200) }
        _ = try await client.upload(.data(bytes), to: movie).value
        #expect(try emulator.object(movie) == bytes)
        #expect(asked.value == 1)
    }

    @Test("beforehand serves a client that has only the string")
    func authorization() async throws {
        let emulator = try Emulator()
        let string = try Emulator.key.sign(SignRequest(bucket: "videos", path: "any"), scope: .bucket)
        let client = try emulator.client(signer: .authorization(appID: "1251668577", string))
        _ = try await client.upload(.data(content(100)), to: movie).value
        #expect(try emulator.object(movie) == content(100))
    }

    @Test("refuses what it can't sign, and says why")
    func refused() throws {
        let error = try thrown(COSSliceError.self) {
            try Emulator.key.sign(SignRequest(bucket: "videos", path: "a", lifetimeSeconds: -1))
        }
        #expect(error.status == .invalidArgument)
        #expect(error.message.contains("lifetime"))
    }

    @Test("shows no secret in whatever is printed of it")
    func secrets() {
        let key = SecretKey(appID: "1", secretID: "AKID", secretKey: "hush-hush")
        let shown = [
            "\(key)", String(reflecting: key), "\(Client.Signer.secretKey(key))",
            String(reflecting: Client.Signer.secretKey(key)), "\(Client.Signer.authorization(appID: "1", "hush-hush"))",
            String(reflecting: [Client.Signer.authorization(appID: "1", "hush-hush")]),
        ]
        for text in shown { #expect(!text.contains("hush")) }
        var dumped = ""
        dump([Client.Signer.secretKey(key)], to: &dumped)
        dump(key, to: &dumped)
        #expect(!dumped.contains("hush"))
    }

    @Test("and a configuration show no secret in whatever is printed of them, and which settings there are")
    func secretsOfConfigurations() {
        var configuration = Client.Configuration()
        configuration.connections = 7
        configuration.proxy = "http://me:hush-hush@proxy.example:3128"
        configuration.headers = [Client.Field(name: "X-Token", value: "hush-hush")]
        configuration.formFields = [Client.Field(name: "token", value: "hush-hush")]
        for shown in [configuration as Any, configuration.headers, configuration.headers[0]] {
            var texts = ["\(shown)", String(reflecting: shown), ""]
            dump(shown, to: &texts[2])
            for text in texts {
                #expect(!text.contains("hush"))
                #expect(text.contains("X-Token"))
            }
        }
        #expect("\(configuration)".contains("connections: 7,"))
        #expect("\(configuration)".contains("proxy: (not shown),"))
    }
}
