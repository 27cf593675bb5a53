// `troupe graph`: who publishes and handles what, as a picture; and what is wrong with it.

import KafkaClient
import Troupe
import TroupeFlow

/// Draws the choreography, or checks it.
struct GraphCommand: Command {
    /// The form of the picture.
    enum Form: String, Sendable, CaseIterable {
        case ascii, dot, mermaid, svg, json
    }

    private static let form = Option(
        "format", .one("FORMAT"), help: "ascii, dot (Graphviz), mermaid, svg or json; with --check ascii or json",
        default: "ascii")
    private static let store = Option(
        "store", short: "s", .one("PATH"), help: "take it from this flow store, with what was seen",
        default: "the topic troupe.services, without")
    private static let observed = Option(
        "observed", help: "without a store: read every event there is, to show what was seen")
    private static let check = Option("check", help: "say what is wrong, and end with 5 when anything is")

    static let spec = CommandSpec(
        "graph", summary: "Draw which service publishes and handles which event, or check that it fits together.",
        discussion: """
            It is made of what the services declare of themselves on the topic troupe.services. Of a service that runs
            in several versions all are joined, with a note; one that does not run at all is shown by its last
            declaration.

            With --store, the file that 'troupe track' keeps up to date, it also shows what was seen: how many events each
            service published and handled, how many of them failed at first or for good, and what nobody has declared.
            --observed reads all topics for that, which takes as long as there are events.

            --check finds: events that nobody handles or nobody publishes, flows that cannot end, outcomes that lead
            nowhere, events that follow one another for ever, services that disagree on a topic, a payload or an ending,
            compensations of nothing, shared consumer groups, and use of another service's retry topic; with what was
            seen also undeclared publications. What an operator published with 'troupe publish' is told, and is none of
            them. Each finding names the service, the route and the type, and what to do.
            """,
        options: [form, check, store, observed] + KafkaOptions.all,
        examples: [
            Example("troupe graph", "the flows as a tree"),
            Example("troupe graph --format=svg > graph.svg", "a picture"),
            Example("troupe graph --check", "in a pipeline: fail when the services do not fit together"),
            Example("troupe graph --check --store=flows.sqlite", "and when something undeclared was seen"),
        ])

    /// Where services and events are known from.
    private enum Source {
        case declarations(KafkaOptions)
        case flows(FlowSource, namespace: String)
    }

    private let source: Source
    private let form: Form
    private let checks: Bool

    init(_ input: Input) throws {
        if let path = input.string(Self.store) {
            guard !input.has(Self.observed) else {
                throw UsageError("--store has what was seen already: leave out --observed")
            }
            source = .flows(FlowSource(file: path), namespace: "")
        } else {
            let kafka = try KafkaOptions(input)
            source =
                input.has(Self.observed)
                ? .flows(FlowSource(topics: kafka), namespace: kafka.namespace) : .declarations(kafka)
        }
        form = try input.choice(Self.form) ?? .ascii
        checks = input.has(Self.check)
        guard !checks || form == .ascii || form == .json else {
            throw UsageError("--check writes its findings as ascii or json, not as \(form.rawValue)")
        }
    }

    func run(_ console: Console) async throws {
        let (declarations, observed) = try await known(console)
        guard checks else {
            console.data(Self.picture(of: ChoreographyGraph(declarations, observed: observed), as: form))
            return
        }
        for edge in observed where edge.isByOperator && edge.consumer == nil {
            let times = edge.count == 1 ? "once" : "\(edge.count) times"
            console.note(
                "An operator published \(edge.type.printable) \(times), with 'troupe publish': that is no finding.")
        }
        let report = ConformanceReport(findings: Conformance.check(declarations, observed: observed))
        try console.show(report, as: form == .json ? .json : .table)
        guard report.findings.isEmpty else {
            throw CommandFailure(
                "\(counted(report.findings.count, "thing is", "things are")) wrong with the choreography",
                code: .nonconforming)
        }
        console.note(
            "\(counted(Set(declarations.map(\.service)).count, "service")) checked: everything fits together.")
    }

    /// What is declared, and what was seen.
    private func known(_ console: Console) async throws -> ([ServiceDeclaration], [ObservedEdge]) {
        switch source {
        case .declarations(let kafka):
            return (try await RegistryTopic(try await kafka.connect()).declarations(), [])
        case .flows(let flows, let namespace):
            let store = try await flows.open(console)
            let declarations = try store.declarations(at: nowInMilliseconds())
            return (try RegistryTopic.known(declarations, namespace: namespace), try store.observedEdges())
        }
    }

    static func picture(of graph: ChoreographyGraph, as form: Form) -> String {
        switch form {
        case .ascii: graph.tree
        case .dot: graph.dot
        case .mermaid: graph.mermaid
        case .svg: GraphDrawing(graph).svg
        case .json: graph.json
        }
    }
}

/// What is wrong with a choreography.
struct ConformanceReport: Report {
    let findings: [ConformanceFinding]

    func encode(to encoder: any Encoder) throws { try findings.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        findings.flatMap { finding in
            var place: [String] = []
            if let service = finding.service { place.append("service \(service.printable)") }
            if let route = finding.route { place.append("route \(route.printable)") }
            if let type = finding.type { place.append("type \(type.printable)") }
            return [
                "\(style.red(finding.rule.rawValue))  \(finding.message.printable)",
                style.dim("    \(place.joined(separator: ", "))"), "    -> \(finding.advice.printable)",
            ]
        }
    }
}
