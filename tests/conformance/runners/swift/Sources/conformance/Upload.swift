import COSSlice
import Foundation

/// What an upload is made with.
struct UploadOptions {
    private typealias Setter = @Sendable (inout Upload.Options, Any, String) throws -> Void

    static var names: [String] { Array(setters.keys) }

    static func options(_ told: [String: Any]) throws -> Upload.Options {
        var options = Upload.Options()
        for (name, value) in told where !["bucket", "path", "source", "control"].contains(name) {
            guard let setter = setters[name] else { throw NotUnderstood("no such option of an upload: \(name)") }
            try setter(&options, value, name)
        }
        return options
    }

    private static let setters: [String: Setter] = [
        "range": { options, told, name in
            let told: [String: Int64] = try value(told, of: name)
            guard let offset = told["offset"], let length = told["length"] else { throw NotUnderstood("range") }
            options.range = Upload.ByteRange(offset: offset, length: length)
        },
        "spool": { options, told, name in
            let told: [String: Any] = try value(told, of: name)
            let directory = (told["directory"] as? String).map { URL(fileURLWithPath: $0) }
            options.spool = Upload.Spool(
                directory: directory, limit: try value(told["limit_bytes"] ?? NSNull(), of: "limit_bytes"))
        },
        "slice_size": { $0.sliceSize = try value($1, of: $2) },
        "hash": { $0.hash = try value($1, of: $2) },
        "overwrite": { $0.overwrite = try value($1, of: $2) },
        "create_parents": { $0.createParents = try value($1, of: $2) },
        "discard_unfinished": { $0.discardUnfinished = try value($1, of: $2) },
        "verify": { $0.verify = try value($1, of: $2) },
        "biz_attr": { $0.bizAttr = try value($1, of: $2) },
        "single_request_limit": { $0.singleRequestLimit = try value($1, of: $2) },
        "rate_limit": { $0.rateLimit = try value($1, of: $2) },
        "deadline_ms": { $0.deadline = try milliseconds($1, of: $2) },
    ]
}

let sourceKinds = ["file", "file_bytes", "memory", "descriptor", "read_at", "stream"]

/// What is read, and the file that has to stay open until then.
func source(_ told: [String: Any]) throws -> (Upload.Source, FileHandle?) {
    guard let kind = sourceKinds.first(where: { told[$0] != nil }), let name = told[kind] as? String else {
        throw NotUnderstood("no such source: \(told)")
    }
    switch kind {
    case "file": return (.file(path: name), nil)
    case "file_bytes": return (.file(pathBytes: try bytes(ofHexadecimal: name)), nil)
    case "memory": return (.data(try Data(contentsOf: URL(fileURLWithPath: name))), nil)
    default: break
    }
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: name))
    let descriptor = file.fileDescriptor
    let failAt = told["fail_at"] as? Int
    let size = told["size"] as? Int64 ?? 0
    switch kind {
    case "descriptor": return (.fileHandle(file), file)
    case "read_at":
        return (
            .reader(size: size) { try read(descriptor, at: Int($0), into: $1, failAt: failAt) }, file
        )
    default:
        let position = Position()
        return (
            .stream(size: size < 0 ? nil : size) { buffer in
                let count = try read(descriptor, at: position.offset, into: buffer, failAt: failAt)
                position.offset += count
                return count
            }, file
        )
    }
}

/// Where a stream is. `@unchecked Sendable`: a stream is read by one call at a time.
private final class Position: @unchecked Sendable {
    var offset = 0
}

private func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer, failAt: Int?
) throws -> Int {
    var most = buffer.count
    if let failAt {
        guard offset < failAt else { throw POSIXError(.EIO) }
        most = min(most, failAt - offset)
    }
    let count = pread(descriptor, buffer.baseAddress, most, off_t(offset))
    guard count >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return count
}

private func bytes(ofHexadecimal text: String) throws -> [UInt8] {
    let digits = Array(text)
    return try stride(from: 0, to: digits.count, by: 2).map { index in
        guard index + 1 < digits.count, let byte = UInt8(String(digits[index...index + 1]), radix: 16) else {
            throw NotUnderstood("not hexadecimal: \(text)")
        }
        return byte
    }
}
