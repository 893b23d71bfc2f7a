// swift-tools-version:6.0
import PackageDescription

/// The C library, as a module of this name wherever it comes from: on Linux what is installed there, found by
/// pkg-config.
let library: Target = .systemLibrary(name: "COSSliceFFI", pkgConfig: "cos_slice")

let package = Package(
    name: "COSSlice",
    platforms: [.iOS(.v16), .macOS(.v13), .macCatalyst(.v16)],
    products: [
        .library(name: "COSSlice", targets: ["COSSlice"])
    ],
    targets: [
        library,
        .target(name: "COSSlice", dependencies: ["COSSliceFFI"]),
        .testTarget(name: "COSSliceTests", dependencies: ["COSSlice"]),
    ],
    // Version 6 checks concurrency completely, and what breaks its rules is an error.
    swiftLanguageModes: [.v6]
)
