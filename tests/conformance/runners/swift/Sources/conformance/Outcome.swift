import COSSlice
import Foundation

/// When an upload is to be ended.
private struct Control {
    var cancelBefore = false
    var cancelAt: Int64?
    var stopAt: Int64?

    init(_ told: Any?) throws {
        guard let told = told as? [String: Any] else { return }
        cancelBefore = told["cancel_before"] as? Bool ?? false
        cancelAt = told["cancel_at"] as? Int64
        stopAt = told["stop_at"] as? Int64
    }
}

/// The last progress that was told. `@unchecked Sendable`: it is told by one call at a time, and asked for afterwards.
private final class LastProgress: @unchecked Sendable {
    var progress: Upload.Progress?
}

func outcome(of told: [String: Any], on client: Client) async throws -> [String: Any] {
    let control = try Control(told["control"])
    var options = try UploadOptions.options(told)
    let last = LastProgress()
    options.onProgress = { progress in
        last.progress = progress
        // Its number, 7, is what the outcome tells.
        if let stopAt = control.stopAt, progress.acknowledged >= stopAt { throw POSIXError(.E2BIG) }
    }
    let (source, file) = try source(try value(told["source"] ?? NSNull(), of: "source"))
    defer { try? file?.close() }
    let location = Object.Location(
        bucket: try value(told["bucket"] ?? NSNull(), of: "bucket"),
        path: try value(told["path"] ?? NSNull(), of: "path"))

    let upload = await begin(control.cancelBefore) { [options] in client.upload(source, to: location, options: options)
    }
    if let cancelAt = control.cancelAt {
        for await progress in upload.progress where progress.acknowledged >= cancelAt { upload.cancel() }
    }
    do {
        return document(of: try await upload.value, last: last.progress)
    } catch {
        // Of a cancellation the error that is thrown has no details.
        guard let failure = upload.failure else { throw error }
        return document(of: failure)
    }
}

/// What begins an upload is a task that is cancelled already, or just this one.
private func begin(_ isCancelled: Bool, _ begin: @escaping @Sendable () -> Upload) async -> Upload {
    guard isCancelled else { return begin() }
    let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return begin()
    }
    return await task.value
}

func orNull(_ text: String?) -> Any { text ?? NSNull() }

private func document(of object: Object, last: Upload.Progress?) -> [String: Any] {
    let outcomes: [Object.Outcome: String] = [.uploaded: "uploaded", .resumed: "resumed", .instant: "instant"]
    return [
        "status": "OK", "outcome": outcomes[object.outcome] ?? "\(object.outcome.rawValue)", "size": object.size,
        "bytes_sent": object.bytesSent, "bytes_resumed": object.bytesResumed, "slices_sent": object.slicesSent,
        "retries": object.retries, "verified": object.isVerified, "sha1": orNull(object.sha1),
        "access_url": orNull(object.addresses.accessURL), "source_url": orNull(object.addresses.sourceURL),
        "url": orNull(object.addresses.url), "resource_path": orNull(object.addresses.resourcePath),
        "preview_url": orNull(object.addresses.previewURL), "vid": orNull(object.addresses.vid),
        "warning": orNull(object.warning),
        "progress": [
            "phase": Int64(last?.phase.rawValue ?? -1), "total": last?.total ?? -1,
            "acknowledged": last?.acknowledged ?? -1,
            "resumed": last?.resumed ?? -1,
        ],
    ]
}

func document(of error: COSSliceError) -> [String: Any] {
    [
        "status": error.status.name.replacing("COS_SLICE_", with: "", maxReplacements: 1),
        "server_code": error.serverCode ?? 0, "http_status": error.httpStatus ?? 0,
        "request_id": orNull(error.requestID),
        "os_errno": error.osErrno ?? 0, "retryable": error.isRetryable, "attempts": error.attempts,
        "slice_offset": error.sliceOffset ?? -1, "operation": orNull(error.operation),
        "callback_value": error.callbackValue ?? 0, "message": error.message,
    ]
}
