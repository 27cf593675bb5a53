// `troupe new`: a package for a new service that handles an event of a running system.

import DemoEvents
import Foundation
import KafkaClient
import Troupe

/// Writes the package of a new service.
struct NewCommand: Command {
    private static let event = Option(
        "event", short: "e", .one("TYPE"), help: "the type of event it handles", default: "shop.order.placed")
    private static let directory = Option(
        "directory", short: "d", .one("PATH"), help: "where the package is written", default: "the service's name")
    private static let path = Option(
        "troupe-path", .one("PATH"), help: "a clone of Troupe that the package depends on",
        default: "the one this tool was built in")
    private static let url = Option("troupe-url", .one("URL"), help: "Troupe's repository, instead of a clone")
    private static let version = Option(
        "troupe-version", .one("VERSION"), help: "with --troupe-url, the lowest version", default: "0.1.0")

    static let spec = CommandSpec(
        "new", summary: "Write the package of a new service that handles one event.",
        discussion: """
            The package has the service, a test, and the event as a struct of its own: services agree on what is on the
            wire, and on no code. Events of the demo are known; those of other systems are looked up on the topic
            troupe.services when a Kafka is named. Nothing that is there is overwritten, and nothing of the running
            system is touched.
            """,
        arguments: [Argument("SERVICE", help: "the service's name: letters a-z, digits and -")],
        options: [event, directory, path, url, version] + KafkaOptions.all,
        examples: [
            Example("troupe new loyalty", "a service that handles each order of the demo"),
            Example(
                "troupe new returns --event shop.parcel.dispatched -b localhost:9092",
                "one that handles an event that a running system declares"),
        ])

    private let service: String
    private let type: String
    private let directory: String
    private let dependency: ServicePackage.Dependency
    private let kafka: KafkaOptions?

    init(_ input: Input) throws {
        service = try input.required(0)
        if let defect = NameRule.defect(ofService: service) {
            throw UsageError("'\(service.printable)' cannot be a service's name: \(defect)")
        }
        type = input.string(Self.event) ?? OrderPlaced.type.rawValue
        directory = input.string(Self.directory) ?? service
        if let url = input.string(Self.url) {
            guard !input.has(Self.path) else { throw UsageError("--troupe-path and --troupe-url exclude each other") }
            dependency = .url(url, from: input.string(Self.version) ?? "0.1.0")
        } else if let path = input.string(Self.path) {
            let full = URL(filePath: path).standardizedFileURL.path
            guard Self.isClone(full) else {
                throw UsageError("--troupe-path is '\(path.printable)', where no clone of Troupe is")
            }
            dependency = .path(full)
        } else if let clone = Self.ownClone {
            dependency = .path(clone)
        } else {
            throw UsageError(
                "Where is Troupe?", hint: "Give --troupe-path=PATH of a clone, or --troupe-url=URL of the repository.")
        }
        kafka = try KafkaOptions.ifGiven(input)
    }

    func run(_ console: Console) async throws {
        let package = ServicePackage(service: service, event: try await description(), dependency: dependency)
        let root = URL(filePath: directory)
        let files = FileManager.default
        guard !files.fileExists(atPath: root.path) else {
            throw CommandFailure(
                "\(directory.printable) is there already: nothing was written. Give another --directory")
        }
        for (path, text) in package.files {
            let file = root.appending(path: path)
            try files.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            console.data(file.relativePath.printable)
        }
        console.note(
            """
            The service \(service) handles \(type.printable). Next:
              cd \(directory.printable) && swift test
              KAFKA_BOOTSTRAP_SERVERS=... swift run \(package.executable)
            """)
    }

    /// What is known of the event: from the demo, else from the registry of a running system.
    private func description() async throws -> EventDescription {
        let demo: [any Event.Type] = [
            OrderPlaced.self, OrderCancelled.self, OrderCompleted.self, StockReserved.self, StockRejected.self,
            StockReleased.self, PaymentTaken.self, PaymentDeclined.self, ParcelDispatched.self,
        ]
        if let event = demo.first(where: { $0.type.rawValue == type }) {
            return EventDescription(
                type: type, topic: event.topic.rawValue, flowEnding: event.flowEnding, contentType: "application/json",
                dataSchema: event.dataSchema, payloadSchema: PayloadSchema.derived(from: event))
        }
        guard let kafka else {
            let known = demo.map { $0.type.rawValue }.sorted()
            throw CommandFailure.notFound(
                "No event of the demo is called \(type.printable). Those are: \(known.joined(separator: ", ")). "
                    + "For one of another system, name its Kafka with --bootstrap-servers")
        }
        let cluster = try await kafka.connect()
        let declared = try await RegistryTopic(cluster).declarations().flatMap(\.events).filter { $0.type == type }
        guard var event = declared.first(where: { $0.payloadSchema != nil }) ?? declared.first else {
            throw CommandFailure.notFound(
                "No service declares an event \(type.printable); 'troupe graph' shows those there are")
        }
        // Declarations name topics as the broker does; a service puts the namespace before them itself.
        if event.topic.hasPrefix(cluster.namespace) { event.topic.removeFirst(cluster.namespace.count) }
        return event
    }

    /// The clone this tool was built in; `nil` when it was installed elsewhere.
    private static var ownClone: String? {
        guard let executable = Bundle.main.executableURL else { return nil }
        var folder = executable.resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.pathComponents.count > 1 {
            if isClone(folder.path) { return folder.path }
            folder.deleteLastPathComponent()
        }
        return nil
    }

    private static func isClone(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path + "/Package.swift")
            && FileManager.default.fileExists(atPath: path + "/Sources/Troupe/Service/EventService.swift")
    }
}
