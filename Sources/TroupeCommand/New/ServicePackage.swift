// The files of a new service.

import Foundation
import Troupe

/// A small package for a service that handles one event.
struct ServicePackage: Sendable {
    /// Where the package finds Troupe.
    enum Dependency: Sendable, Equatable {
        /// A clone of the project.
        case path(String)
        /// A repository, from a version on.
        case url(String, from: String)
    }

    let service: String
    let contract: SwiftContract
    private let dependency: Dependency
    private let module: String

    init(service: String, event: EventDescription, dependency: Dependency) {
        self.service = service
        self.dependency = dependency
        let name = service.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        module = name.first?.isLetter == true ? name : "Service" + name
        contract = SwiftContract(event, module: module)
    }

    /// The files by their paths in the package.
    var files: [(path: String, text: String)] {
        [
            ("Package.swift", manifest), ("Sources/\(module)/Service.swift", main),
            ("Sources/\(module)/\(contract.name).swift", contract.source),
            ("Tests/\(module)Tests/ServiceTests.swift", test), (".gitignore", ".build/\n"),
        ]
    }

    /// The product that runs the service.
    var executable: String { service }

    private var manifest: String {
        let package: String
        switch dependency {
        case .path(let path): package = ".package(name: \"troupe\", path: \(SwiftContract.literal(path)))"
        case .url(let url, let version):
            package = ".package(url: \(SwiftContract.literal(url)), from: \(SwiftContract.literal(version)))"
        }
        return """
            // swift-tools-version: 6.2
            import PackageDescription

            let package = Package(
                name: "\(service)",
                platforms: [.macOS(.v15)],
                products: [.executable(name: "\(service)", targets: ["\(module)"])],
                dependencies: [
                    \(package)
                ],
                targets: [
                    .executableTarget(name: "\(module)", dependencies: [.product(name: "Troupe", package: "troupe")]),
                    .testTarget(
                        name: "\(module)Tests",
                        dependencies: [
                            "\(module)", .product(name: "Troupe", package: "troupe"),
                            .product(name: "TroupeTesting", package: "troupe"),
                        ]),
                ],
                swiftLanguageModes: [.v6]
            )

            """
    }

    private var main: String {
        """
        // The service \(service): it handles \(contract.event.type.printable).

        import Troupe

        @main
        enum \(module)Service {
            static func main() async throws {
                try await EventService("\(service)", router: router()).runService()
            }

            /// What the service handles.
            ///
            /// A handler that throws is tried again, then its event is dead-lettered. What is to be published it returns:
            /// docs/getting-started.md of Troupe shows how.
            static func router() -> EventRouter {
                var router = EventRouter()
                router.on(\(contract.name).self) { event, context in
                    context.logger.info("Handled \\(\(contract.name).type) of \\(event.key)")
                }
                return router
            }
        }

        """
    }

    private var test: String {
        """
        // What the service promises.
        \(contract.sampleNeedsFoundation ? "\nimport Foundation" : "")
        import Testing
        import Troupe
        import TroupeTesting

        @testable import \(module)

        @Test(arguments: [TestEnvironment.simulated, .embedded])
        func eachEventIsHandledOnce(environment: TestEnvironment) async throws {
            let service = EventService("\(service)", router: \(module)Service.router())
            try await service.test(environment) { world in
                let event = \(contract.sample(indent: "        "))
                try await world.give(event)
                #expect(try await world.attempts(at: \(contract.name).self).count == 1)
                #expect(try await world.deadLetters().isEmpty)
            }
        }

        """
    }
}
