// `troupe services show`: what one service declares, and how its instances are.

import Troupe
import TroupeFlow

/// Shows one service.
struct ServicesShowCommand: Command {
    static let spec = CommandSpec(
        "services", "show", summary: "Show what a service declares and how its instances are.",
        discussion: FlowSource.discussion, arguments: [Argument("SERVICE", help: "the service's name")],
        options: FlowSource.options + [OutputFormat.option],
        examples: [Example("troupe services show inventory", "its routes, instances, assignment and breakers")])

    private let source: FlowSource
    private let format: OutputFormat
    private let name: String

    init(_ input: Input) throws {
        source = try FlowSource(input)
        format = try OutputFormat(input)
        name = try input.required(0)
    }

    func run(_ console: Console) async throws {
        let services = try await source.open(console).services(at: nowInMilliseconds())
        guard let service = services.first(where: { $0.name == name }) else {
            let meant = Suggestion.closest(to: name, among: services.map(\.name))
            throw CommandFailure.notFound(
                "There is no service \(name.printable) in the registry."
                    + (meant.map { " Did you mean \($0.printable)?" } ?? ""))
        }
        try console.show(ServiceReport(service: service), as: format)
    }
}

/// One service.
struct ServiceReport: Report {
    let service: ServiceEntry

    func encode(to encoder: any Encoder) throws { try service.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var lines = [style.bold(service.name.printable)]
        let lastSeen = "last seen \(Timestamp.text(milliseconds: service.lastSeen))"
        lines.append(
            service.kind == .publisher
                ? "publisher, \(lastSeen); it has no heartbeat: it tells of itself when it starts, and every hour in which it "
                    + "publishes"
                : "\(lastSeen), lag \(service.lag.map(String.init) ?? "unknown")")
        for entry in service.declarations {
            let declaration = entry.declaration
            let version = declaration.version.isEmpty ? "" : " \(declaration.version)"
            let what = entry.isOfPublisher ? "publisher" : "group \(declaration.group), \(declaration.delivery)"
            lines += ["", "Declaration\(version) (\(entry.fingerprint)), \(what)".printable]
            var table = Table("TOPIC", "HANDLES", "PUBLISHES", "UNDOES", ">WITHIN", ">RETRIES")
            for route in declaration.routes {
                let publishes =
                    route.publishes.isEmpty
                    ? "" : "\(route.cardinality.rawValue) \(route.publishes.joined(separator: ", "))"
                table.add([
                    route.topic, route.input == .event ? route.type : "\(route.input.rawValue) \(route.type)",
                    publishes,
                    route.compensates ?? "", "\(route.withinMilliseconds) ms", String(route.maxRetries),
                ])
            }
            if !declaration.routes.isEmpty { lines += table.lines(style) }
            if !declaration.starts.isEmpty {
                lines.append("starts flows with \(declaration.starts.joined(separator: ", "))".printable)
            }
        }
        if service.kind == .publisher { return lines }
        lines += ["", "Instances"]
        var table = Table(
            "INSTANCE", "STATE", "VERSION", "HOST", ">HANDLED", ">IN FLIGHT", ">LAG", ">PARTITIONS", "BREAKERS",
            "LAST SEEN")
        for instance in service.instances {
            let heartbeat = instance.heartbeat
            let breakers = heartbeat.status.routes.compactMap { route in
                route.circuit.map { "\(route.route) \($0.rawValue)" }
            }
            table.add([
                heartbeat.instance, instance.state.rawValue, heartbeat.version, heartbeat.host,
                String(heartbeat.status.handled), String(heartbeat.status.inFlight),
                heartbeat.status.lag.map(String.init) ?? "-",
                String(heartbeat.assignment.values.reduce(0) { $0 + $1.count }), breakers.joined(separator: ", "),
                Timestamp.text(milliseconds: heartbeat.time),
            ])
        }
        return lines + (service.instances.isEmpty ? ["none"] : table.lines(style))
    }
}
