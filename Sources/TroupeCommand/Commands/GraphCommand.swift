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
    private static let check = Option("check", help: "say what is wrong, and end with 5 when anything is")

    static let spec = CommandSpec(
        "graph", summary: "Draw which service publishes and handles which event, or check that it fits together.",
        discussion: """
            It is made of what the services declare of themselves on the topic troupe.services. Of a service that runs
            in several versions all are joined, with a note; one that does not run at all is shown by its last
            declaration.

            --check finds: events that nobody handles or nobody publishes, flows that cannot end, outcomes that lead
            nowhere, events that follow one another for ever, services that disagree on a topic, a payload or an ending,
            compensations of nothing, shared consumer groups, and use of another service's retry topic. Each finding
            names the service, the route and the type, and what to do.
            """,
        options: [form, check] + KafkaOptions.all,
        examples: [
            Example("troupe graph", "the flows as a tree"),
            Example("troupe graph --format=svg > graph.svg", "a picture"),
            Example("troupe graph --check", "in a pipeline: fail when the services do not fit together"),
        ])

    private let kafka: KafkaOptions
    private let form: Form
    private let checks: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        form = try input.choice(Self.form) ?? .ascii
        checks = input.has(Self.check)
        guard !checks || form == .ascii || form == .json else {
            throw UsageError("--check writes its findings as ascii or json, not as \(form.rawValue)")
        }
    }

    func run(_ console: Console) async throws {
        let declarations = try await RegistryTopic(try await kafka.connect()).declarations()
        guard checks else {
            console.data(Self.picture(of: ChoreographyGraph(declarations), as: form))
            return
        }
        let report = ConformanceReport(findings: Conformance.check(declarations))
        try console.show(report, as: form == .json ? .json : .table)
        guard report.findings.isEmpty else {
            throw CommandFailure(
                "\(counted(report.findings.count, "thing is", "things are")) wrong with the choreography",
                code: .nonconforming)
        }
        console.note(
            "\(counted(Set(declarations.map(\.service)).count, "service")) checked: everything fits together.")
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
