// `troupe demo`: the whole system in one command.

import DemoEvents
import Foundation
import KafkaClient
import TroupeFlow

/// Runs the demo services, puts them through trouble, mends it, and gives account of every order.
struct DemoCommand: Command {
    private static let orders = Option(
        "orders", short: "n", .one("N"), help: "how many orders are placed", default: "400")
    private static let rate = Option("rate", .one("N"), help: "how many orders are placed in a second", default: "25")
    private static let seed = Option("seed", .one("N"), help: "what the orders are drawn from", default: "1")
    private static let kills = Option(
        "kills", .one("N"), help: "how many times a service is killed: payments first, then any, by the seed",
        default: "1")
    private static let bootstrapServers = Option(
        "bootstrap-servers", short: "b", .one("HOST:PORT"), help: "a Kafka to use", default: "an embedded broker")
    private static let stateDirectory = Option(
        "state-dir", .one("PATH"), help: "where the services keep their files and logs; it must be empty or new",
        default: "a temporary directory")
    private static let keep = Option("keep", help: "leave everything running at the end, until Ctrl-C")

    static let spec = CommandSpec(
        "demo", summary: "Run five services that choreograph orders, with outages, a kill, a bug and its repair.",
        discussion: """
            Five services run as processes of their own and know each other only by events. Orders are placed; some are
            out of stock, some are declined and compensated, some meet an outage of the payment provider and are
            retried, some make no sense and are dead-lettered. One service is killed with work in flight. Then the dead
            letters are listed, the bug behind some of them is fixed, and they are replayed. In the end every order is
            accounted for, by sets of order ids read from the topics, from the services' own files and from the flow
            store. The exit code is 1 when one is not. On a real Kafka the demo's topics have a prefix of their own and
            are deleted at the end.
            """,
        options: [orders, rate, seed, kills, bootstrapServers, stateDirectory, keep],
        examples: [
            Example("troupe demo", "about half a minute on an embedded broker"),
            Example("troupe demo --bootstrap-servers=localhost:9092 --orders=2000 --rate=100", "on a real Kafka"),
            Example("troupe demo --keep", "and leave it running, to try 'troupe tail' or 'troupe dlt list'"),
        ])

    private let traffic: Traffic
    private let rate: Int
    private let kills: Int
    private let bootstrapServers: String?
    private let stateDirectory: String?
    private let keeps: Bool

    init(_ input: Input) throws {
        traffic = Traffic(
            count: try input.integer(Self.orders, in: 40...1_000_000) ?? 400,
            seed: UInt64(try input.integer(Self.seed) ?? 1))
        rate = try input.integer(Self.rate, in: 1...100_000) ?? 25
        kills = try input.integer(Self.kills, in: 1...100) ?? 1
        bootstrapServers = input.string(Self.bootstrapServers)
        stateDirectory = input.string(Self.stateDirectory)
        keeps = input.has(Self.keep)
    }

    func run(_ console: Console) async throws {
        let state = try StateDirectory(stateDirectory)
        let venue = try await DemoVenue(bootstrapServers: bootstrapServers)
        let display = LiveDisplay(console)
        let services = try DemoServices(directory: state.path, environment: venue.environment(traffic, rate: rate))
        let flows = try FlowStore(path: state.path + "/flows.sqlite")
        let page = try DemoPage(flows, venue)
        let run = DemoRun(
            traffic: traffic, kills: kills, venue: venue, services: services, files: StateFiles(directory: state.path),
            flows: flows, display: display, style: console.style)
        display.say(
            "Look on in a browser: \(page.address)" + (keeps ? "" : " (it ends with the demo; --keep leaves it up)"))
        var result: Result<Account, any Error>
        do {
            result = .success(try await run.play())
            if keeps {
                display.say(venue.invitation(directory: state.path, page: page.address))
                try await run.track()
            }
        } catch {
            result = .failure(error)
        }
        // In this order whatever happened, Ctrl-C included: no process is left, then no topic, then no file.
        display.clear()
        await page.stop()
        await services.stopAll()
        await venue.close()
        switch result {
        case .success(let account) where account.isBalanced: state.remove()
        case .success:
            throw CommandFailure("The account is not balanced; the services' files and logs are in \(state.path)")
        case .failure(let error):
            if error is CancellationError { state.remove() }
            throw error
        }
    }
}

/// The directory of the services' files.
private struct StateDirectory {
    let path: String
    private let isTemporary: Bool

    /// Makes the directory, or takes an empty one.
    init(_ chosen: String?) throws {
        isTemporary = chosen == nil
        path = chosen ?? NSTemporaryDirectory() + "troupe-demo-\(getpid())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard try FileManager.default.contentsOfDirectory(atPath: path).isEmpty else {
            throw CommandFailure("The directory \(path.printable) is not empty: the demo needs one to itself")
        }
    }

    /// Removes the directory unless the user chose it.
    func remove() { if isTemporary { try? FileManager.default.removeItem(atPath: path) } }
}
