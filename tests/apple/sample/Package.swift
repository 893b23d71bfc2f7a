// swift-tools-version:6.0
import PackageDescription

// Put together and run by scripts/check-apple-package.sh.
let package = Package(
    name: "SuspendAndResume",
    platforms: [.macOS(.v13)],
    dependencies: [.package(name: "COSSlice", path: "../../../bindings/swift")],
    targets: [
        .target(name: "UIKit"),
        .executableTarget(
            name: "SuspendAndResume", dependencies: ["UIKit", .product(name: "COSSlice", package: "COSSlice")]),
    ],
    swiftLanguageModes: [.v6]
)
