internal import COSSliceFFI
import Foundation

/// An account's key. Whoever has it can do everything with the account: it belongs on a server, not into an
/// application.
public struct SecretKey: Sendable {
    /// The account's app id, in decimal digits.
    public let appID: String
    /// The id of the key.
    public let secretID: String
    let secretKey: String

    /// A key as the service's console shows it.
    public init(appID: String, secretID: String, secretKey: String) {
        self.appID = appID
        self.secretID = secretID
        self.secretKey = secretKey
    }

    /// Signs a request by this machine's clock, for an application that has no key and asks for it over the network:
    /// what its server does. The server decides first whether that application may have what it asks for: whoever has
    /// the string can upload, and with a one-time signature delete, what it is bound to, until it expires.
    ///
    /// ```swift
    /// func answer(_ request: SignRequest) throws -> String {
    ///     guard request.bucket == "videos", request.kind == .multiEffect else { throw NotAllowed() }
    ///     return try key.sign(request)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - request: what was asked for. Its app id, where it has one, must be the key's.
    ///   - scope: what a multi-effect signature is good for; one for a single use is always for one path.
    /// - Returns: the authorization string, as it goes into the Authorization header.
    /// - Throws: a ``COSSliceError`` with ``Status/invalidArgument`` that names what is not acceptable, or with
    ///   ``Status/resources`` where the system has no random numbers.
    public func sign(_ request: SignRequest, scope: SignatureScope = .path) throws -> String {
        var signature: OpaquePointer?
        var error: OpaquePointer?
        let status = request.withC { request in
            cos_slice_sign(
                cText(appID), cText(secretID), cText(secretKey), scope.rawValue, request, &signature, &error)
        }
        defer {
            cos_slice_signature_free(signature)
            cos_slice_error_free(error)
        }
        guard status == COS_SLICE_OK, let made = text(cos_slice_signature_text(signature)) else {
            throw COSSliceError(status: status, error: error, cause: nil)
        }
        return made
    }
}

extension SecretKey: CustomStringConvertible, CustomReflectable {
    /// The ids, without the key.
    public var description: String { "SecretKey(appID: \(appID), secretID: \(secretID))" }

    /// The ids, without the key.
    public var customMirror: Mirror { Mirror(self, children: ["appID": appID, "secretID": secretID]) }
}

/// What a multi-effect signature is good for, should somebody get hold of it. The set is open.
public struct SignatureScope: RawRepresentable, Sendable, Hashable {
    /// The number in the C interface.
    public let rawValue: Int32

    /// The scope of that number, known or not.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The object alone.
    public static let path = SignatureScope(rawValue: COS_SLICE_SIGNATURE_SCOPE_PATH)
    /// Everything in the object's directory, and below it.
    public static let directory = SignatureScope(rawValue: COS_SLICE_SIGNATURE_SCOPE_DIRECTORY)
    /// Everything in the bucket; bound to the bucket's root.
    public static let bucket = SignatureScope(rawValue: COS_SLICE_SIGNATURE_SCOPE_BUCKET)
    /// Everything in the bucket; bound to nothing, as old clients sign.
    public static let unbound = SignatureScope(rawValue: COS_SLICE_SIGNATURE_SCOPE_UNBOUND)
}

/// What a signature is asked for: what a signer's closure gets, sends to its server, and the server signs.
public struct SignRequest: Sendable, Hashable, Codable {
    /// A kind of signature. The set is open.
    public struct Kind: RawRepresentable, Sendable, Hashable, Codable {
        /// The number in the C interface.
        public let rawValue: Int32

        /// The kind of that number, known or not.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// Good for any number of requests until it expires; for everything but deleting.
        public static let multiEffect = Kind(rawValue: COS_SLICE_SIGNATURE_MULTI_EFFECT)
        /// Good for one request on one object; deleting demands it.
        public static let oneTime = Kind(rawValue: COS_SLICE_SIGNATURE_ONE_TIME)
    }

    /// Which kind the request needs.
    public var kind: Kind
    /// The operation, as the service's documentation calls it, such as "upload_slice_init". A multi-effect signature is
    /// used for other operations on the same path too. It does not go into the signature.
    public var operation: String?
    /// The account's app id, in decimal digits.
    public var appID: String?
    /// The bucket.
    public var bucket: String
    /// The path within the bucket, unencoded and without a leading slash; that of a directory ends with a slash.
    public var path: String
    /// How long the signature should be good for, in seconds: 1 to 7776000 (90 days); 0 for the library's default. Of
    /// no meaning for a one-time signature.
    public var lifetimeSeconds: Int64

    /// A request to be signed.
    public init(
        kind: Kind = .multiEffect, operation: String? = nil, appID: String? = nil, bucket: String, path: String,
        lifetimeSeconds: Int64 = 0
    ) {
        self.kind = kind
        self.operation = operation
        self.appID = appID
        self.bucket = bucket
        self.path = path
        self.lifetimeSeconds = lifetimeSeconds
    }

    init(_ request: cos_slice_sign_request) {
        self.init(
            kind: Kind(rawValue: request.kind), operation: text(request.operation), appID: text(request.app_id),
            bucket: text(request.bucket) ?? "", path: text(request.path) ?? "", lifetimeSeconds: request.lifetime_s)
    }

    func withC<Result>(_ body: (UnsafePointer<cos_slice_sign_request>) -> Result) -> Result {
        withCText(operation) { operation in
            withCText(appID) { appID in
                cText(bucket).withUnsafeBufferPointer { bucket in
                    cText(path).withUnsafeBufferPointer { path in
                        // Both have their NUL, and so an address.
                        guard let bucket = bucket.baseAddress, let path = path.baseAddress else {
                            fatalError("no text")
                        }
                        var request = cos_slice_sign_request(
                            struct_size: UInt32(MemoryLayout<cos_slice_sign_request>.size), kind: kind.rawValue,
                            operation: operation, app_id: appID, bucket: bucket, path: path, lifetime_s: lifetimeSeconds
                        )
                        return body(&request)
                    }
                }
            }
        }
    }
}

extension Client {
    /// Who signs the requests of a client.
    public struct Signer: Sendable {
        enum Method: Sendable {
            case secretKey(SecretKey)
            case authorization(appID: String, String)
            case callback(appID: String, timeout: Duration, @Sendable (SignRequest) async throws -> String)
        }

        let method: Method

        /// The client itself, with the account's key: for servers and tools.
        public static func secretKey(_ key: SecretKey) -> Signer {
            Signer(method: .secretKey(key))
        }

        /// The client itself, with the account's key: its app id in decimal digits, secret id and secret key.
        public static func secretKey(appID: String, secretID: String, secretKey: String) -> Signer {
            .secretKey(SecretKey(appID: appID, secretID: secretID, secretKey: secretKey))
        }

        /// One authorization string for all requests, made elsewhere. It serves uploads to what it is bound to until it
        /// expires; then they fail with ``Status/credentials``, and another client with another string resumes them. It
        /// has to be a multi-effect signature, with which nothing is deleted. At most 8192 printable ASCII characters.
        public static func authorization(appID: String, _ authorization: String) -> Signer {
            Signer(method: .authorization(appID: appID, authorization))
        }

        /// A closure, which asks the application's own server for instance: for applications, which must not have the
        /// key.
        ///
        /// It is asked once for each upload, then again 30 seconds before the string expires, whenever the service
        /// refuses it as expired or invalid, and for each one-time signature. It may be called several times at once
        /// for different uploads, never for one. It runs in a task of its own, without task-local values and on no
        /// actor; a thread of the library waits for it, none of Swift's cooperative pool.
        ///
        /// What it throws ends the upload with ``Status/signer``, and is the error's `cause`; its description, which
        /// should have no secret, is part of the message.
        ///
        /// - Parameters:
        ///   - appID: the account's app id, in decimal digits.
        ///   - timeout: how long it may take. Then its task is cancelled and the upload fails: nothing else ends a
        ///     closure that waits for ever, cancelling the upload neither.
        ///   - sign: gives the authorization string.
        public static func callback(
            appID: String, timeout: Duration = .seconds(60),
            _ sign: @escaping @Sendable (SignRequest) async throws -> String
        ) -> Signer {
            Signer(method: .callback(appID: appID, timeout: timeout, sign))
        }
    }
}

extension Client.Signer: CustomStringConvertible, CustomReflectable {
    /// Which way of signing it is, without a secret.
    public var description: String {
        switch method {
        case .secretKey(let key): "Signer(\(key))"
        case .authorization(let appID, _): "Signer(authorization, appID: \(appID))"
        case .callback(let appID, _, _): "Signer(callback, appID: \(appID))"
        }
    }

    /// Nothing, since there are secrets in it.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
