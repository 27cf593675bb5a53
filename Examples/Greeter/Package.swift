// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "greeter",
    platforms: [.macOS(.v15)],
    dependencies: [
        // In a package of your own: .package(url: "https://.../troupe.git", from: "0.1.0")
        .package(name: "troupe", path: "../..")
    ],
    targets: [
        .executableTarget(name: "Greeter", dependencies: [.product(name: "Troupe", package: "troupe")]),
        .executableTarget(name: "Visitor", dependencies: [.product(name: "Troupe", package: "troupe")]),
    ],
    swiftLanguageModes: [.v6]
)
