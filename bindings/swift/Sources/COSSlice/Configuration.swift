internal import COSSliceFFI
import Foundation

extension Client {
    /// Where the service is.
    public struct Endpoint: Sendable, Hashable {
        enum Place: Sendable, Hashable {
            case region(String)
            case url(String)
            case standard
        }

        let place: Place

        /// The service's own endpoint in a region, by https: tj (Tianjin), bj (Beijing), sh (Shanghai), gz (Guangzhou),
        /// cd (Chengdu), hk (Hong Kong), sgp (Singapore), ca (Toronto), ger (Frankfurt), or another code, which is
        /// tried. Not with ``API/filesV1``, which has one address for all.
        public static func region(_ region: String) -> Endpoint { Endpoint(place: .region(region)) }

        /// "https://host", "http://host:port", or either with a path that goes before each request's.
        public static func url(_ url: String) -> Endpoint { Endpoint(place: .url(url)) }

        /// The one address that ``API/filesV1`` has for all regions. With ``API/filesV2`` there is none, and uploads
        /// say so.
        public static let standard = Endpoint(place: .standard)
    }

    /// What the service can be spoken to in. The set is open.
    public struct API: RawRepresentable, Sendable, Hashable {
        /// The number in the C interface.
        public let rawValue: Int32

        /// The API of that number, known or not.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// The JSON API files/v2.
        public static let filesV2 = API(rawValue: COS_SLICE_API_FILES_V2)
        /// The JSON API files/v1: slices go one after another, and uploads need the SHA-1.
        public static let filesV1 = API(rawValue: COS_SLICE_API_FILES_V1)
    }

    /// Where the token that authorizes a request goes, for stores of one's own.
    public struct TokenPlace: Sendable, Hashable {
        /// The place's number in the C interface. The set is open.
        public let rawValue: Int32
        /// The word before the token, where the place has one.
        public let word: String?

        /// The place of that number, known or not, with a word if it has one.
        public init(rawValue: Int32, word: String? = nil) {
            self.rawValue = rawValue
            self.word = word
        }

        /// The value of the Authorization header.
        public static let header = TokenPlace(rawValue: COS_SLICE_TOKEN_HEADER)

        /// The value of the Authorization header, after this word and a space: 1 to 64 letters, digits and characters
        /// of !#$%&'*+-.^_`|~.
        public static func header(after word: String) -> TokenPlace {
            TokenPlace(rawValue: COS_SLICE_TOKEN_HEADER_AFTER_WORD, word: word)
        }

        /// The query parameter "sign"; there is no Authorization header then.
        public static let query = TokenPlace(rawValue: COS_SLICE_TOKEN_QUERY)
    }

    /// A name and a value that go along with requests.
    public struct Field: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value. No message ever shows it.
        public var value: String

        /// That name with that value.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// How long a client waits. Each is 1 ms to a day; nil is the library's default.
    public struct Timeouts: Sendable, Hashable {
        /// The longest that looking up the host's name may take. Default: 10 s.
        public var resolve: Duration?
        /// The longest that opening a connection may take, all of the host's addresses together. Default: 10 s.
        public var connect: Duration?
        /// The longest that the TLS handshake may take. Default: 10 s.
        public var tls: Duration?
        /// The longest that a request may be sent without a byte being taken by the network. There is no limit on how
        /// long a slice takes while bytes move. Default: 30 s.
        public var stall: Duration?
        /// The longest that the server may take to answer after a request's last byte, and then for the answer itself.
        /// Default: 60 s.
        public var answer: Duration?
        /// The same for the requests that make the object, which takes the server longer. Default: 120 s.
        public var finish: Duration?

        /// The library's defaults.
        public init() {}
    }

    /// All else that can be said of a client. Nil and empty are the library's defaults.
    public struct Configuration: Sendable {
        /// What the service is spoken to in. Default: files/v2.
        public var api: API?
        /// A fixed number of requests in flight at once, for all uploads of the client together, and of threads at most:
        /// 1 to 256. Not together with `adaptiveConnections`. Default: they adapt.
        public var connections: Int?
        /// Lets the number of requests in flight adapt to the link and the server: it begins small, grows while that
        /// makes uploads faster, and shrinks where the server says that it is overloaded. This is what it never passes,
        /// and the number of threads at most: 1 to 256. Default: 16.
        public var adaptiveConnections: Int?
        /// How many bytes a second all uploads of the client may send together, 1024 to 2^53.
        /// ``Client/setRateLimit(_:)`` changes it. Default: none.
        public var rateLimit: Int64?
        /// How long it waits for what.
        public var timeouts = Timeouts()
        /// A PEM file whose certificates are trusted in place of the system's. It is read when the client is made.
        public var caFile: URL?
        /// The text of such a file. The last of this and `caFile` that is set on a client counts, which is this one.
        public var caPEM: Data?
        /// The proxy for all connections, "http://[user:password@]host:port". Default: none.
        public var proxy: String?
        /// Whether the proxy is what the environment says (https_proxy, http_proxy, all_proxy, no_proxy). Default: off.
        public var usesEnvironmentProxy: Bool?
        /// The folder in which a checkpoint of each unfinished upload is kept, so that it is resumed after the process
        /// has ended, without the source being hashed again. It is made when it is needed. A checkpoint holds no
        /// secret. Default: off.
        public var checkpointDirectory: URL?
        /// What the signatures made with a secret key are good for. Default: for the path alone.
        public var signatureScope: SignatureScope?
        /// How long signatures are good for, those made with a secret key and those that a closure is asked for: 1 s to
        /// 90 days. Default: 600 s.
        public var signatureLifetime: Duration?
        /// The slice sizes in bytes that a store of one's own takes: 1 to 16 of them, each a multiple of 64 within 64
        /// KiB to 64 MiB; the first is the one that uploads ask for. Default: 524288, 1048576, 2097152, 3145728.
        public var sliceSizes: [Int64] = []
        /// Fields that are added to each form that is sent to the store; at most 16.
        public var formFields: [Field] = []
        /// Headers that are added to each request to the store; at most 16.
        public var headers: [Field] = []
        /// Where the token that authorizes a request goes. Default: the Authorization header.
        public var tokenPlace: TokenPlace?
        /// Whether each slice is sent with its MD5. Default: off.
        public var sliceMD5: Bool?
        /// Who is told what the client does. Default: nobody.
        public var log: Log?

        /// The library's defaults.
        public init() {}
    }
}

extension Client.Field: CustomStringConvertible, CustomReflectable {
    /// The name, without the value, which may be a secret.
    public var description: String { "Field(name: \(name))" }

    /// The name, without the value, which may be a secret.
    public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}

extension Client.Configuration: CustomStringConvertible, CustomReflectable {
    /// What is set, without the values of fields and headers, and without the proxy, which may have a password.
    public var description: String {
        "Configuration(\(customMirror.children.map { "\($0.label ?? ""): \($0.value)" }.joined(separator: ", ")))"
    }

    /// What is set, without the values of fields and headers, and without the proxy, which may have a password.
    public var customMirror: Mirror {
        let all: KeyValuePairs<String, Any?> = [
            "api": api, "connections": connections, "adaptiveConnections": adaptiveConnections,
            "rateLimit": rateLimit, "timeouts": timeouts, "caFile": caFile, "caPEM": caPEM,
            "proxy": proxy.map { _ in "(not shown)" }, "usesEnvironmentProxy": usesEnvironmentProxy,
            "checkpointDirectory": checkpointDirectory, "signatureScope": signatureScope,
            "signatureLifetime": signatureLifetime, "sliceSizes": sliceSizes, "formFields": formFields,
            "headers": headers, "tokenPlace": tokenPlace, "sliceMD5": sliceMD5, "log": log?.level,
        ]
        return Mirror(self, children: all.compactMap { label, value in value.map { (label: label, value: $0) } })
    }
}

extension Client.Configuration {
    /// Sets all that differs from the defaults; each status that is not OK stands for a setting that the library
    /// remembers.
    func apply(to client: OpaquePointer?) -> [Int32] {
        var statuses: [Int32] = []
        func set<Value>(_ value: Value?, _ setter: (Value) -> Int32) {
            if let value { statuses.append(setter(value)) }
        }
        set(api) { cos_slice_client_set_api(client, $0.rawValue) }
        set(connections) { cos_slice_client_set_connections(client, Int32(clamping: $0)) }
        set(adaptiveConnections) { cos_slice_client_set_adaptive_connections(client, Int32(clamping: $0)) }
        set(rateLimit) { cos_slice_client_set_rate_limit(client, $0) }
        set(timeouts.resolve) { cos_slice_client_set_resolve_timeout_ms(client, $0.milliseconds) }
        set(timeouts.connect) { cos_slice_client_set_connect_timeout_ms(client, $0.milliseconds) }
        set(timeouts.tls) { cos_slice_client_set_tls_timeout_ms(client, $0.milliseconds) }
        set(timeouts.stall) { cos_slice_client_set_stall_timeout_ms(client, $0.milliseconds) }
        set(timeouts.answer) { cos_slice_client_set_answer_timeout_ms(client, $0.milliseconds) }
        set(timeouts.finish) { cos_slice_client_set_finish_timeout_ms(client, $0.milliseconds) }
        set(caFile) { cos_slice_client_set_ca_file(client, cText($0.path)) }
        set(caPEM) { cos_slice_client_set_ca_pem(client, Array($0), $0.count) }
        set(proxy) { cos_slice_client_set_proxy(client, cText($0)) }
        set(usesEnvironmentProxy) { cos_slice_client_set_use_env_proxy(client, $0 ? 1 : 0) }
        set(checkpointDirectory) { cos_slice_client_set_checkpoint_dir(client, cText($0.path)) }
        set(signatureScope) { cos_slice_client_set_signature_scope(client, $0.rawValue) }
        set(signatureLifetime) { cos_slice_client_set_signature_lifetime_s(client, $0.wholeSeconds) }
        if !sliceSizes.isEmpty {
            statuses.append(cos_slice_client_set_slice_sizes(client, sliceSizes, sliceSizes.count))
        }
        for field in formFields {
            statuses.append(cos_slice_client_add_form_field(client, cText(field.name), cText(field.value)))
        }
        for header in headers {
            statuses.append(cos_slice_client_add_header(client, cText(header.name), cText(header.value)))
        }
        set(tokenPlace) { place in
            withCText(place.word) { cos_slice_client_set_token_place(client, place.rawValue, $0) }
        }
        set(sliceMD5) { cos_slice_client_set_slice_md5(client, $0 ? 1 : 0) }
        set(log) { log in
            cos_slice_client_set_log(
                client, log.level.rawValue, LogCallback.function, userData(LogCallback(log.write)), dropUserData)
        }
        return statuses
    }
}

extension Client.Endpoint {
    func apply(to client: OpaquePointer?) -> Int32 {
        switch place {
        case .region(let region): cos_slice_client_set_region(client, cText(region))
        case .url(let url): cos_slice_client_set_endpoint(client, cText(url))
        case .standard: COS_SLICE_OK
        }
    }
}

extension Client.Signer {
    func apply(to client: OpaquePointer?, failures: SignerFailures) -> Int32 {
        switch method {
        case .secretKey(let key):
            cos_slice_client_set_secret_key(client, cText(key.appID), cText(key.secretID), cText(key.secretKey))
        case .authorization(let appID, let authorization):
            cos_slice_client_set_authorization(client, cText(appID), cText(authorization))
        case .callback(let appID, let timeout, let sign):
            cos_slice_client_set_signer(
                client, cText(appID), SignerCallback.function,
                userData(SignerCallback(timeout: timeout, failures: failures, sign: sign)), dropUserData)
        }
    }
}
