internal import COSSliceFFI
import Foundation

/// A signer's closure as the library's callback.
final class SignerCallback: Sendable {
    private let timeout: Duration
    private let sign: @Sendable (SignRequest) async throws -> String
    private let failures: SignerFailures

    init(
        timeout: Duration, failures: SignerFailures, sign: @escaping @Sendable (SignRequest) async throws -> String
    ) {
        self.timeout = timeout
        self.sign = sign
        self.failures = failures
    }

    static let function: cos_slice_sign_fn = { request, signature, userData in
        let request: UnsafePointer<cos_slice_sign_request>? = request
        guard let callback = object(SignerCallback.self, behind: userData), let request else { return 1 }
        return callback.answer(SignRequest(request.pointee), into: signature)
    }

    private func answer(_ request: SignRequest, into signature: OpaquePointer?) -> Int32 {
        let sign = sign
        do {
            let authorization = try waitFor(atMost: timeout) { try await sign(request) }
            // What is not acceptable in it the library remembers, and says when this has returned.
            _ = cos_slice_signature_set(signature, cText(authorization))
            return 0
        } catch {
            failures.note(error, of: request)
            _ = cos_slice_signature_fail(signature, cText(describe(error)))
            return 1
        }
    }
}

/// What a closure's error says of itself, for a message.
private func describe(_ error: any Error) -> String {
    (error as? any LocalizedError)?.errorDescription ?? String(describing: error)
}

/// What signers threw, kept for the uploads and requests that fail of it.
///
/// A signer belongs to a client, and is told the path but not the upload. So whoever is at work on a path says so
/// before, and takes the newest failure of that path after.
final class SignerFailures: Sendable {
    private struct Entry {
        var users = 0
        var error: (any Error)?
    }

    private let entries = Locked<[Object.Location: Entry]>([:])

    func begin(_ location: Object.Location) {
        entries.withLock { $0[normal(location), default: Entry()].users += 1 }
    }

    func end(_ location: Object.Location) -> (any Error)? {
        entries.withLock { entries in
            let location = normal(location)
            guard var entry = entries[location] else { return nil }
            entry.users -= 1
            entries[location] = entry.users > 0 ? entry : nil
            return entry.error
        }
    }

    func note(_ error: any Error, of request: SignRequest) {
        entries.withLock { entries in
            for (location, _) in entries where location.bucket == request.bucket {
                // A directory that is made above an object, or for its own sake, ends with a slash.
                let isAbove = request.path.hasSuffix("/") && (location.path + "/").hasPrefix(request.path)
                if location.path == request.path || isAbove { entries[location]?.error = error }
            }
        }
    }

    private func normal(_ location: Object.Location) -> Object.Location {
        guard location.path.hasPrefix("/") else { return location }
        return Object.Location(bucket: location.bucket, path: String(location.path.dropFirst()))
    }
}
