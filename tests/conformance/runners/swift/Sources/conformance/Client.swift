import COSSlice
import Foundation

/// The value of an option, as the type that it has to be.
func value<Value>(_ value: Any, of name: String, as type: Value.Type = Value.self) throws -> Value {
    guard let value = value as? Value else { throw NotUnderstood("\(name): \(value)") }
    return value
}

func milliseconds(_ number: Any, of name: String) throws -> Duration {
    .milliseconds(try value(number, of: name, as: Int64.self))
}

/// What a client is made with.
struct ClientOptions {
    private var endpoint = Client.Endpoint.standard
    private var signer: Client.Signer?
    private var configuration = Client.Configuration()

    private typealias Setter = @Sendable (inout ClientOptions, Any, String) throws -> Void

    static var names: [String] { setters.keys + ["log"] }

    init(_ options: [String: Any], log: LogEntries) throws {
        for (name, value) in options {
            if name == "log" {
                let level = Client.Log.Level(rawValue: try conformance.value(value, of: name))
                configuration.log = Client.Log(level: level) { log.append($0) }
                continue
            }
            guard let setter = Self.setters[name] else { throw NotUnderstood("no such option of a client: \(name)") }
            try setter(&self, value, name)
        }
    }

    func client() throws -> Client {
        // In Swift there is no client without a signer; one that has nothing says the same.
        let nobody = Client.Signer.secretKey(appID: "", secretID: "", secretKey: "")
        return try Client(endpoint, signer: signer ?? nobody, configuration: configuration)
    }

    private static let setters: [String: Setter] = [
        "endpoint": { $0.endpoint = .url(try value($1, of: $2)) },
        "region": { $0.endpoint = .region(try value($1, of: $2)) },
        "api": { $0.configuration.api = Client.API(rawValue: try value($1, of: $2)) },
        "connections": { $0.configuration.connections = try value($1, of: $2) },
        "adaptive_connections": { $0.configuration.adaptiveConnections = try value($1, of: $2) },
        "rate_limit": { $0.configuration.rateLimit = try value($1, of: $2) },
        "resolve_timeout_ms": { $0.configuration.timeouts.resolve = try milliseconds($1, of: $2) },
        "connect_timeout_ms": { $0.configuration.timeouts.connect = try milliseconds($1, of: $2) },
        "tls_timeout_ms": { $0.configuration.timeouts.tls = try milliseconds($1, of: $2) },
        "stall_timeout_ms": { $0.configuration.timeouts.stall = try milliseconds($1, of: $2) },
        "answer_timeout_ms": { $0.configuration.timeouts.answer = try milliseconds($1, of: $2) },
        "finish_timeout_ms": { $0.configuration.timeouts.finish = try milliseconds($1, of: $2) },
        "ca_file": { $0.configuration.caFile = URL(fileURLWithPath: try value($1, of: $2)) },
        "ca_pem": { $0.configuration.caPEM = Data(try value($1, of: $2, as: String.self).utf8) },
        "proxy": { $0.configuration.proxy = try value($1, of: $2) },
        "use_env_proxy": { $0.configuration.usesEnvironmentProxy = try value($1, of: $2) },
        "checkpoint_dir": { $0.configuration.checkpointDirectory = URL(fileURLWithPath: try value($1, of: $2)) },
        "secret_key": { options, told, name in
            options.signer = .secretKey(try key(try value(told, of: name)))
        },
        "authorization": { options, told, name in
            let told: [String: String] = try value(told, of: name)
            options.signer = .authorization(appID: told["app_id"] ?? "", told["authorization"] ?? "")
        },
        "signer": { options, told, name in
            let told: [String: String] = try value(told, of: name)
            options.signer = try callback(told)
        },
        "signature_scope": { $0.configuration.signatureScope = SignatureScope(rawValue: try value($1, of: $2)) },
        "signature_lifetime_s": {
            $0.configuration.signatureLifetime = .seconds(try value($1, of: $2, as: Int64.self))
        },
        "slice_sizes": { $0.configuration.sliceSizes = try value($1, of: $2) },
        "form_fields": { $0.configuration.formFields = try fields($1, of: $2) },
        "headers": { $0.configuration.headers = try fields($1, of: $2) },
        "token_place": { options, told, name in
            let told: [String: Any] = try value(told, of: name)
            options.configuration.tokenPlace = Client.TokenPlace(
                rawValue: try value(told["place"] ?? NSNull(), of: "place"), word: told["word"] as? String)
        },
        "slice_md5": { $0.configuration.sliceMD5 = try value($1, of: $2) },
    ]

    private static func key(_ told: [String: String]) throws -> SecretKey {
        guard let appID = told["app_id"], let id = told["secret_id"], let key = told["secret_key"] else {
            throw NotUnderstood("not a key")
        }
        return SecretKey(appID: appID, secretID: id, secretKey: key)
    }

    private static func callback(_ told: [String: String]) throws -> Client.Signer {
        let appID = told["app_id"] ?? ""
        if let reason = told["fail"] {
            return .callback(appID: appID) { _ in throw NotUnderstood(reason) }
        }
        if let answer = told["answer"] {
            return .callback(appID: appID) { _ in answer }
        }
        let key = try key(told)
        return .callback(appID: appID) { request in try key.sign(request) }
    }

    private static func fields(_ told: Any, of name: String) throws -> [Client.Field] {
        try value(told, of: name, as: [[String: String]].self).map {
            Client.Field(name: $0["name"] ?? "", value: $0["value"] ?? "")
        }
    }
}

/// What the log of a client told, by what is the same in all languages.
final class LogEntries: @unchecked Sendable {
    private let lock = NSLock()
    private var entries: [Client.Log.Entry] = []

    func append(_ entry: Client.Log.Entry) {
        lock.withLock { entries.append(entry) }
    }

    var documents: [[String: Any]] {
        lock.withLock { entries }.map { entry in
            [
                "level": entry.level.rawValue, "operation": orNull(entry.operation), "offset": entry.offset ?? -1,
                "attempt": entry.attempt, "server_code": entry.serverCode,
            ]
        }
    }
}
