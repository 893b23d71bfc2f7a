// swift-tools-version:6.0
import PackageDescription

let package = Package(
    name: "Bench",
    platforms: [.macOS(.v13)],
    dependencies: [
        // By a link, since SwiftPM calls a package by its folder, and this one is called "swift" too.
        .package(path: "COSSlice")
    ],
    targets: [
        .executableTarget(name: "client", dependencies: [.product(name: "COSSlice", package: "COSSlice")])
    ],
    swiftLanguageModes: [.v6]
)
