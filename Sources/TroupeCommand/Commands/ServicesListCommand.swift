// `troupe services list`: the service registry.

import Troupe
import TroupeFlow

/// Lists services.
struct ServicesListCommand: Command {
    static let spec = CommandSpec(
        "services", "list", summary: "List the services that told of themselves: versions, instances, lag.",
        discussion: """
            An instance that says nothing for three of its heartbeats is stale. A publisher, such as a gateway, has no
            heartbeat: it tells of itself when it starts, and every hour in which it publishes.

            """ + FlowSource.discussion,
        options: FlowSource.options + [OutputFormat.option],
        examples: [Example("troupe services list", "what is up, and which versions run side by side")])

    private let source: FlowSource
    private let format: OutputFormat

    init(_ input: Input) throws {
        source = try FlowSource(input)
        format = try OutputFormat(input)
    }

    func run(_ console: Console) async throws {
        let store = try await source.open(console)
        let now = nowInMilliseconds()
        try console.show(ServicesReport(services: try store.services(at: now), now: now), as: format)
    }
}

/// The registry.
struct ServicesReport: Report {
    let services: [ServiceEntry]
    let now: Int64

    func encode(to encoder: any Encoder) throws { try services.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        if services.isEmpty { return ["No service has told of itself."] }
        var table = Table("SERVICE", "VERSIONS", ">LIVE", ">STALE", ">STOPPED", ">LAG", "HANDLES", "LAST SEEN")
        for service in services {
            let isPublisher = service.kind == .publisher
            func count(_ state: InstanceEntry.State) -> String {
                isPublisher ? "-" : String(service.instances.count { $0.state == state })
            }
            let types = Set(service.declarations.flatMap(\.declaration.routes).map(\.type))
            table.add([
                service.name, service.versions.map { $0.isEmpty ? "-" : $0 }.joined(separator: ", "), count(.live),
                count(.stale), count(.stopped), service.lag.map(String.init) ?? "-",
                isPublisher ? "publisher" : types.count.of("type"),
                Timestamp.text(milliseconds: service.lastSeen),
            ])
        }
        return table.lines(style)
    }
}
