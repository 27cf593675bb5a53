// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A demo service: an executable of its own that shares only the events and the state store with the others.
func demoService(_ name: String, uses more: Target.Dependency...) -> Target {
    .executableTarget(
        name: name, dependencies: ["Troupe", "DemoEvents", "DemoSupport"] + more, path: "Sources/Demo/\(name)",
        swiftSettings: strict)
}

let package = Package(
    name: "troupe",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "KafkaClient", targets: ["KafkaClient"]),
        .library(name: "EventJSON", targets: ["EventJSON"]),
        .library(name: "Troupe", targets: ["Troupe"]),
        .library(name: "TroupeFlow", targets: ["TroupeFlow"]),
        .library(name: "TroupeWeb", targets: ["TroupeWeb"]),
        .library(name: "TroupeTesting", targets: ["TroupeTesting"]),
        .executable(name: "troupe", targets: ["TroupeCommand"]),
        .executable(name: "demo-storefront", targets: ["DemoStorefront"]),
        .executable(name: "demo-inventory", targets: ["DemoInventory"]),
        .executable(name: "demo-payments", targets: ["DemoPayments"]),
        .executable(name: "demo-shipping", targets: ["DemoShipping"]),
        .executable(name: "demo-notifications", targets: ["DemoNotifications"]),
        .executable(name: "demo-gateway", targets: ["DemoGateway"]),
    ],
    targets: [
        // System libraries: a module map and a header each, nothing else.
        .systemLibrary(
            name: "CRDKafka", pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]),
        .systemLibrary(
            name: "CMicroHTTPD", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"]), .brew(["libmicrohttpd"])]),

        // Safe Swift over the C libraries.
        .target(name: "KafkaClient", dependencies: ["CRDKafka"], swiftSettings: strict),
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: strict),

        // JSON for events: imports nothing of ours.
        .target(name: "EventJSON", swiftSettings: strict),

        // The SDK.
        .target(name: "Troupe", dependencies: ["EventJSON", "KafkaClient"], swiftSettings: strict),
        .target(name: "TroupeTesting", dependencies: ["Troupe", "KafkaClient"], swiftSettings: strict),

        // The whole flow in sight: the tracker and its store, the graph, conformance; and HTTP.
        .target(
            name: "TroupeFlow", dependencies: ["EventJSON", "Troupe", "KafkaClient", "SQLite"],
            swiftSettings: strict),
        .target(
            name: "TroupeWeb", dependencies: ["CMicroHTTPD", "EventJSON", "Troupe", "TroupeFlow", "KafkaClient"],
            exclude: ["Dashboard/Assets"], swiftSettings: strict),

        // The command line.
        .executableTarget(
            name: "TroupeCommand",
            dependencies: [
                "EventJSON", "Troupe", "TroupeFlow", "TroupeWeb", "KafkaClient", "SQLite", "DemoEvents",
            ], swiftSettings: strict),

        // The demo: five services, the events they share, and their state.
        .target(name: "DemoEvents", dependencies: ["Troupe"], path: "Sources/Demo/DemoEvents", swiftSettings: strict),
        .target(
            name: "DemoSupport", dependencies: ["Troupe", "SQLite"], path: "Sources/Demo/DemoSupport",
            swiftSettings: strict),
        demoService("DemoStorefront"),
        demoService("DemoInventory", uses: "SQLite"),
        demoService("DemoPayments", uses: "SQLite"),
        demoService("DemoShipping", uses: "SQLite"),
        demoService("DemoNotifications"),
        .executableTarget(
            name: "DemoGateway", dependencies: ["Troupe", "TroupeWeb", "DemoEvents"],
            path: "Sources/Demo/DemoGateway", swiftSettings: strict),

        // Benchmarks: plain C over librdkafka, the yardstick, and the same by the SDK.
        .executableTarget(name: "BaselineInC", dependencies: ["CRDKafka"], path: "Benchmarks/BaselineInC"),
        .executableTarget(
            name: "BenchmarkOfJSON", dependencies: ["EventJSON"], path: "Benchmarks/BenchmarkOfJSON",
            swiftSettings: strict),
        .executableTarget(
            name: "BenchmarkOfFlowStore", dependencies: ["EventJSON", "Troupe", "TroupeFlow", "KafkaClient"],
            path: "Benchmarks/BenchmarkOfFlowStore", swiftSettings: strict),
        .executableTarget(
            name: "BenchmarkInTroupe", dependencies: ["Troupe", "KafkaClient"], path: "Benchmarks/BenchmarkInTroupe",
            swiftSettings: strict),
        .executableTarget(name: "GatewayLoad", path: "Benchmarks/GatewayLoad"),
        .executableTarget(
            name: "GatewayAnswers", dependencies: ["Troupe", "KafkaClient", "DemoEvents"],
            path: "Benchmarks/GatewayAnswers", swiftSettings: strict),
        .executableTarget(
            name: "ChaosService", dependencies: ["Troupe", "KafkaClient"], path: "Benchmarks/ChaosService",
            swiftSettings: strict),

        .testTarget(name: "KafkaClientTests", dependencies: ["KafkaClient"], swiftSettings: strict),
        .testTarget(name: "EventJSONTests", dependencies: ["EventJSON"], swiftSettings: strict),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite"], swiftSettings: strict),
        .testTarget(name: "TroupeTests", dependencies: ["EventJSON", "Troupe", "KafkaClient"], swiftSettings: strict),
        .testTarget(
            name: "TroupeFlowTests",
            dependencies: ["EventJSON", "TroupeFlow", "Troupe", "KafkaClient", "SQLite", "TroupeTesting"],
            swiftSettings: strict),
        .testTarget(
            name: "TroupeWebTests",
            dependencies: ["TroupeWeb", "TroupeFlow", "Troupe", "KafkaClient", "TroupeTesting"],
            swiftSettings: strict),
        .testTarget(
            name: "TroupeTestingTests", dependencies: ["TroupeTesting", "Troupe"], swiftSettings: strict),
        .testTarget(
            name: "TroupeCommandTests",
            dependencies: [
                "TroupeCommand", "DemoEvents", "EventJSON", "KafkaClient", "Troupe", "TroupeWeb", "TroupeFlow",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DemoTests",
            dependencies: [
                "DemoEvents", "DemoSupport", "DemoInventory", "DemoNotifications", "DemoPayments", "DemoShipping",
                "DemoStorefront", "SQLite", "Troupe", "TroupeTesting",
            ], exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: ["ChaosService", "CRDKafka", "Troupe", "TroupeFlow", "KafkaClient", "TroupeTesting"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
