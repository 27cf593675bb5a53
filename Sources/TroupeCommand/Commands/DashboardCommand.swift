// `troupe dashboard`: the page that shows flows, services, the graph and dead letters.

import Foundation
import KafkaClient
import Troupe
import TroupeFlow
import TroupeWeb

/// Serves the page, and keeps the store behind it up to date.
struct DashboardCommand: Command {
    private static let storePath = Option(
        "store", short: "s", .one("PATH"), help: "the flow store; without Kafka it is read as it is",
        default: "a temporary one")
    private static let host = Option(
        "host", .one("ADDRESS"), help: "the address to listen on; others than this machine's are not protected",
        default: "127.0.0.1")
    private static let port = Option(
        "port", short: "p", .one("N"), help: "the port; 0 for any free one", default: "8090")
    private static let mask = Option(
        "mask", .many("FIELD"), help: "cover the values of this member of payloads, such as email or customer.email")
    private static let hidePayloads = Option("hide-payloads", help: "show no payloads at all")
    private static let replayTokenFile = Option(
        "replay-token-file", .one("PATH"),
        help: "allow the replay of dead letters to whoever has the token in this file", default: "no replay")

    static let spec = CommandSpec(
        "dashboard", summary: "Serve a page with every flow, the services, the graph and the dead letters.",
        discussion: """
            With Kafka named, all event topics and what services tell are read into the store while the page is up. Without
            --store the store is temporary. With --store it is kept, and of several trackers of one namespace one is
            active: when that is another one, such as 'troupe track' with the same store, the page shows what it writes. With
            --store and without Kafka a store is only read, and there are no dead letters to show.

            The page listens on this machine only. It loads nothing from elsewhere and changes nothing, unless
            --replay-token-file allows the replay of dead letters.
            """,
        options: [storePath, host, port, mask, hidePayloads, replayTokenFile] + KafkaOptions.all,
        examples: [
            Example("troupe dashboard --bootstrap-servers=localhost:9092", "follow a Kafka"),
            Example("troupe dashboard --store=flows.sqlite", "look at what a tracker wrote"),
            Example("troupe dashboard --mask=email --mask=card.number", "without two fields of the payloads"),
        ])

    private let kafka: KafkaOptions?
    private let storePath: String?
    private let address: HTTPServerConfiguration
    private let maskedFields: [String]
    private let showsPayloads: Bool
    private let tokenFile: String?

    init(_ input: Input) throws {
        kafka = try KafkaOptions.ifGiven(input)
        storePath = input.string(Self.storePath)
        guard kafka != nil || storePath != nil else {
            throw UsageError(
                "Neither Kafka nor a store is named",
                hint: "Give --bootstrap-servers=HOST:PORT to follow a Kafka, or --store=PATH to read a flow store.")
        }
        var address = HTTPServerConfiguration(
            host: input.string(Self.host) ?? "127.0.0.1",
            port: UInt16(try input.integer(Self.port, in: 0...65_535) ?? 8_090))
        address.limits = .dashboard
        self.address = address
        maskedFields = input.strings(Self.mask)
        showsPayloads = !input.has(Self.hidePayloads)
        tokenFile = input.string(Self.replayTokenFile)
        guard tokenFile == nil || kafka != nil else {
            throw UsageError("--replay-token-file needs Kafka", hint: "Give --bootstrap-servers=HOST:PORT as well.")
        }
    }

    func run(_ console: Console) async throws {
        let temporary = storePath == nil ? try TemporaryStore() : nil
        defer { temporary?.remove() }
        let store = try open(storePath ?? temporary?.path ?? "")
        var dashboard = Dashboard(store)
        dashboard.maskedFields = maskedFields
        dashboard.showsPayloads = showsPayloads
        dashboard.deadLetters = kafka.map { kafka in LetterDesk { try await kafka.connect() } }
        dashboard.replayTokens = try tokenFile.map { try Self.tokens(at: $0) }
        dashboard.deadLetterOptions = kafkaOptions
        dashboard.commandOptions = storePath.map { ["--store=\($0)"] } ?? kafkaOptions
        // Whether Kafka answers is known before anything listens.
        if let kafka { _ = try await kafka.connect() }
        var address = address
        address.logger = .ofCommands
        let server = try HTTPServer(dashboard.router(), address)
        console.data(Self.url(address.host, server.port))
        console.note("Open it in a browser. Press Ctrl-C to end.")
        do {
            try await follow(store, isOwn: temporary != nil, console)
        } catch {
            await server.stop()
            throw error
        }
    }

    private func open(_ path: String) throws -> FlowStore {
        if kafka != nil { return try FlowStore(path: path) }
        guard FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure.notFound("There is no flow store at \(path.printable)")
        }
        return try FlowStore(path: path, mode: .readOnly)
    }

    /// Keeps the store up to date until the task is cancelled.
    private func follow(_ store: FlowStore, isOwn: Bool, _ console: Console) async throws {
        guard let kafka else { try await untilCancelled() }
        let tracker = FlowTracker(store, kafka: kafka.configuration, namespace: kafka.namespace) { notice in
            switch notice {
            case .joining: console.note("Joining the group of trackers.")
            case .standingBy: console.note("Standing by: the page shows what the active tracker writes here.")
            case .active: console.note("Active: reading into the store.")
            case .caughtUp: console.note("Everything there was is in the store.")
            case .startedAnew(let partition): console.note(TrackCommand.startedAnew(partition))
            case .unreadable(let topic, let error): console.note(TrackCommand.unreadable(topic, error))
            case .refused(let error): console.note(TrackCommand.refused(error))
            }
        }
        // Nobody else writes a store of its own.
        if isOwn { try await tracker.follow() } else { try await tracker.run() }
    }

    /// The options by which other commands find this Kafka.
    private var kafkaOptions: [String] {
        guard let kafka else { return [] }
        return ["--bootstrap-servers=\(kafka.configuration.bootstrapServers)"]
            + (kafka.namespace.isEmpty ? [] : ["--namespace=\(kafka.namespace)"])
    }

    static func url(_ host: String, _ port: UInt16) -> String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "http://\(name):\(port)/"
    }

    private static func tokens(at path: String) throws -> BearerTokens {
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw CommandFailure("The token file \(path.printable) cannot be read: \(error.localizedDescription)")
        }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.count >= 16, token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw CommandFailure(
                "The token file \(path.printable) does not hold one token of at least 16 visible ASCII characters; "
                    + "'openssl rand -hex 24' makes one", code: .usage)
        }
        return BearerTokens(Secret(token))
    }
}

extension Logger {
    /// What a server within a command says: only what is wrong, for the command speaks for itself.
    static var ofCommands: Logger {
        var logger = Logger(label: "troupe.web")
        logger.level = max(logger.level, .warning)
        return logger
    }
}

/// A directory for a store that nobody needs afterwards.
private struct TemporaryStore {
    private let directory: String
    var path: String { directory + "/flows.sqlite" }

    init() throws {
        directory = NSTemporaryDirectory() + "troupe-dashboard-\(UUID().uuidString)"
        // Payloads are nobody else's business.
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }
}
