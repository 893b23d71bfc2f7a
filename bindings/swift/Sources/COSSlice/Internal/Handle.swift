internal import COSSliceFFI
import Foundation

/// Owns one handle of the C library, and frees it with the last reference.
///
/// `@unchecked Sendable`, since a pointer is not: the library allows what is done with it from several threads at once.
/// That is cancelling, setting a rate limit, and making uploads and operations of a client. All else happens on one thread at a time:
/// settings before anybody else has the handle, getters within the callback that tells the end, requests of an
/// operation one after another.
final class Handle: @unchecked Sendable {
    /// Nil only where the library caught a defect of its own; then every function that gets it says so.
    let pointer: OpaquePointer?
    private let free: @Sendable (OpaquePointer?) -> Void

    init(_ pointer: OpaquePointer?, free: @escaping @Sendable (OpaquePointer?) -> Void) {
        self.pointer = pointer
        self.free = free
    }

    deinit {
        free(pointer)
    }
}

/// What the library passes through as user_data: it holds the object until it calls `dropUserData`.
func userData(_ object: AnyObject) -> UnsafeMutableRawPointer {
    Unmanaged.passRetained(object).toOpaque()
}

/// The object behind a user_data, for the time of a callback.
func object<Object: AnyObject>(_ type: Object.Type, behind userData: UnsafeMutableRawPointer?) -> Object? {
    userData.map { Unmanaged<Object>.fromOpaque($0).takeUnretainedValue() }
}

/// The drop function of every callback.
let dropUserData: @convention(c) (UnsafeMutableRawPointer?) -> Void = { userData in
    guard let userData else { return }
    Unmanaged<AnyObject>.fromOpaque(userData).release()
}

/// A borrowed text of the library as one's own; nil where there is none.
func text(_ borrowed: UnsafePointer<CChar>?) -> String? {
    borrowed.map { String(cString: $0) }
}

/// A text for the library. C can't have a NUL within one; such a text goes in as what is not UTF-8, so that the library
/// refuses it, and names the setting, instead of taking its first part.
func cText(_ text: String) -> [CChar] {
    text.utf8.map { $0 == 0 ? CChar(bitPattern: 0xFF) : CChar(bitPattern: $0) } + [0]
}

/// The same for a text that may be left out, which is NULL then.
func withCText<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return cText(text).withUnsafeBufferPointer { body($0.baseAddress) }
}

extension Duration {
    /// In whole milliseconds, a part of one counted as a whole, so that a limit is never cut to nothing. What is beyond
    /// the range of the type is its end, which the library refuses as too large.
    var milliseconds: Int64 {
        inUnits(perSecond: 1000)
    }

    /// In whole seconds, else as `milliseconds`.
    var wholeSeconds: Int64 {
        inUnits(perSecond: 1)
    }

    private func inUnits(perSecond units: Int64) -> Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: units)
        if overflow { return seconds < 0 ? .min : .max }
        let attosecondsPerUnit = 1_000_000_000_000_000_000 / units
        let (part, remainder) = attoseconds.quotientAndRemainder(dividingBy: attosecondsPerUnit)
        let (sum, sumOverflow) = whole.addingReportingOverflow(part + (remainder > 0 ? 1 : 0))
        return sumOverflow ? .max : sum
    }
}
