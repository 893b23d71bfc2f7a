// swift-tools-version:6.0
import PackageDescription

// The C library, as a module of one name wherever it comes from. The manifest is evaluated where the package is built, so
// that system decides.
#if os(Linux)
    /// What is installed, found by pkg-config.
    let library: Target = .systemLibrary(name: "COSSliceFFI", pkgConfig: "cos_slice")
    /// Asked for by Apple alone.
    let privacyManifest: [Resource] = []
    let notHere = ["PrivacyInfo.xcprivacy"]
#else
    /// The XCFramework that is published for this version: its zip, and its checksum. build-xcframework.sh --url fills it in.
    let released: (url: String, checksum: String)? = nil
    /// The XCFramework on this machine, by its path from here: what build-xcframework.sh built, unless COS_SLICE_XCFRAMEWORK names
    /// another. It is used where the variable is set, or nothing was published.
    let local = Context.environment["COS_SLICE_XCFRAMEWORK"]
    let library: Target =
        if let released, local == nil {
            .binaryTarget(name: "COSSliceFFI", url: released.url, checksum: released.checksum)
        } else {
            .binaryTarget(name: "COSSliceFFI", path: local ?? "../../build/xcframework/COSSliceFFI.xcframework")
        }
    let privacyManifest: [Resource] = [.copy("PrivacyInfo.xcprivacy")]
    let notHere: [String] = []
#endif

let package = Package(
    name: "COSSlice",
    platforms: [.iOS(.v16), .macOS(.v13), .macCatalyst(.v16)],
    products: [
        .library(name: "COSSlice", targets: ["COSSlice"])
    ],
    targets: [
        library,
        .target(name: "COSSlice", dependencies: ["COSSliceFFI"], exclude: notHere, resources: privacyManifest),
        .testTarget(name: "COSSliceTests", dependencies: ["COSSlice"]),
    ],
    // Version 6 checks concurrency completely, and what breaks its rules is an error.
    swiftLanguageModes: [.v6]
)
