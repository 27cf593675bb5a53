// What is wrong with a choreography, by its declarations and by what was seen.

internal import EventJSON
public import Troupe

/// One thing that is wrong with a choreography, and what to do about it.
public struct ConformanceFinding: Sendable, Hashable, Codable {
    /// What is wrong.
    public enum Rule: String, Sendable, Hashable, Codable, CaseIterable {
        /// An event that ends no flow is published, and nobody handles it.
        case unconsumed
        /// An event is handled, and nobody publishes it.
        case unpublished
        /// A service published what it has not declared.
        case undeclaredPublication = "undeclared-publication"
        /// No ending can be reached from an event that starts flows.
        case cannotEnd = "cannot-end"
        /// One of a route's outcomes leads to no ending.
        case deadEnd = "dead-end"
        /// Events follow one another for ever.
        case endlessLoop = "endless-loop"
        /// Publisher and consumer name different topics for one type.
        case topicMismatch = "topic-mismatch"
        /// Publisher and consumer disagree on an event's payload.
        case payloadMismatch = "payload-mismatch"
        /// Publisher and consumer disagree on whether an event ends its flow.
        case endingMismatch = "ending-mismatch"
        /// A route undoes the effect of an event that nobody publishes.
        case compensatesNothing = "compensates-nothing"
        /// Services that are not the same share a consumer group.
        case sharedGroup = "shared-group"
        /// A service reads or publishes to a retry or dead-letter topic.
        case privateTopic = "private-topic"
    }

    /// What is wrong.
    public var rule: Rule
    /// The service it is about; `nil` when it is about no single one.
    public var service: String?
    /// The route it is about.
    public var route: String?
    /// The type of event it is about.
    public var type: String?
    /// What is wrong, in one sentence.
    public var message: String
    /// What to do about it.
    public var advice: String
}

/// Checks a choreography.
public enum Conformance {
    /// Returns what is wrong, in the order of the rules, services and types; nothing when all is well.
    ///
    /// - Parameters:
    ///   - declarations: What services say of themselves.
    ///   - observed: What was seen on the topics; without it undeclared publications cannot be found. What an operator
    ///     published by hand is not among them, and counts as published.
    public static func check(
        _ declarations: [ServiceDeclaration], observed: [ObservedEdge] = []
    ) -> [ConformanceFinding] {
        let check = ConformanceCheck(declarations, ChoreographyGraph(declarations, observed: observed))
        let order = Dictionary(
            uniqueKeysWithValues: ConformanceFinding.Rule.allCases.enumerated().map { ($1, $0) })
        return check.findings.sorted {
            (order[$0.rule] ?? 0, $0.service ?? "", $0.type ?? "", $0.route ?? "", $0.message)
                < (order[$1.rule] ?? 0, $1.service ?? "", $1.type ?? "", $1.route ?? "", $1.message)
        }
    }
}

private struct ConformanceCheck {
    private let declarations: [ServiceDeclaration]
    private let graph: ChoreographyGraph
    private let reach: FlowReach

    init(_ declarations: [ServiceDeclaration], _ graph: ChoreographyGraph) {
        self.declarations = declarations
        self.graph = graph
        reach = FlowReach(graph)
    }

    var findings: Set<ConformanceFinding> {
        Set(connections + flows + agreements + groups + privateTopics)
    }

    private func services(_ direction: ChoreographyGraph.Direction, _ type: String) -> [ChoreographyGraph.Edge] {
        graph.edges.filter { $0.type == type && $0.direction == direction }
    }

    // MARK: Who publishes and who handles

    private var connections: [ConformanceFinding] {
        graph.events.flatMap { event in
            let publishers = services(.publishes, event.type)
            let consumers = services(.handles, event.type)
            var findings: [ConformanceFinding] = []
            if consumers.isEmpty, event.ending == nil {
                for edge in publishers where edge.provenance != .observed {
                    findings.append(
                        finding(
                            .unconsumed, edge.service, routes(of: edge.service, publishing: event.type).first,
                            event.type,
                            "\(edge.service) publishes \(event.type), and nobody handles it",
                            "Add a route for it to some service, let the event end its flow (flowEnding), or stop publishing it"
                        ))
                }
            }
            if publishers.isEmpty {
                for edge in consumers {
                    findings.append(contentsOf: unpublished(event.type, edge.service))
                }
            }
            // An operator has nothing to declare.
            for edge in publishers where edge.provenance == .observed && !edge.isByOperator {
                let isKnown = graph.service(edge.service)?.isDeclared == true
                findings.append(
                    finding(
                        .undeclaredPublication, edge.service, nil, event.type,
                        "\(edge.service) was seen to publish \(event.type)\(Self.times(edge)), "
                            + (isKnown ? "which it does not declare" : "and has not declared itself"),
                        isKnown
                            ? "Declare it: as what a route publishes, or as what the service starts flows by"
                            : "Run it with tracking switched on, or find out who publishes in its name"))
            }
            return findings
        }
    }

    /// How often and when something was seen, such as ` 3 times, last at 2026-11-21T12:00:00.000Z`.
    private static func times(_ edge: ChoreographyGraph.Edge) -> String {
        guard let last = edge.lastPublishedAt else { return "" }
        let times = edge.count == 1 ? "once" : "\(edge.count) times"
        return " \(times), \(edge.count == 1 ? "" : "last ")at \(RFC3339.text(milliseconds: last))"
    }

    private func unpublished(_ type: String, _ service: String) -> [ConformanceFinding] {
        // An older name of an event that is published under its new one is history, not a mistake.
        let routes = declarations.filter { $0.service == service }.flatMap(\.routes)
            .filter { $0.type == type && $0.input == .event }
        return routes.map { route in
            finding(
                .unpublished, service, route.name, type, "\(service) handles \(type), and nobody publishes it",
                "Start the service that publishes it, let its publisher declare it, or remove the route")
        }
    }

    private func routes(of service: String, publishing type: String) -> [String] {
        graph.steps.filter { $0.service == service && $0.publishes.contains(type) }.map(\.route)
    }

    // MARK: How flows go

    private var flows: [ConformanceFinding] {
        var findings: [ConformanceFinding] = []
        for type in graph.starts where !reach.canEnd(type) {
            findings.append(
                finding(
                    .cannotEnd, graph.event(type)?.startedBy.first, nil, type,
                    "Flows that start with \(type) can never end: no event that ends a flow follows from it",
                    "Say which event is the last (static var flowEnding), or add the route that is missing"))
        }
        for step in graph.steps where step.cardinality == .oneOf && reach.canEnd(step.type) {
            let others = reach.steps(of: step.type).filter { $0 != step }.flatMap(\.publishes)
            guard !reach.isEnding(step.type), !others.contains(where: { reach.canEnd($0) }) else { continue }
            for type in step.publishes where !reach.canEnd(type) {
                findings.append(
                    finding(
                        .deadEnd, step.service, step.route, type,
                        "When \(step.service) answers \(step.type) with \(type), the flow can never end",
                        "Let \(type) end its flow (flowEnding), or add a route that leads from it to an ending"))
            }
        }
        for loop in reach.endlessLoops {
            let step = reach.steps(of: loop[0]).first
            findings.append(
                finding(
                    .endlessLoop, step?.service, step?.route, loop[0],
                    "Events follow one another for ever: \((loop + [loop[0]]).joined(separator: " -> "))",
                    "Let one of the routes publish its event only sometimes (.optional) or something else (.oneOf)"))
        }
        let published = Set(graph.edges.filter { $0.direction == .publishes }.map(\.type))
        for step in graph.steps {
            guard let undone = step.compensates, !published.contains(undone) else { continue }
            findings.append(
                finding(
                    .compensatesNothing, step.service, step.route, undone,
                    "\(step.service) undoes \(undone) when \(step.type) comes, and nobody publishes \(undone)",
                    "Name the event whose effect is undone, or remove compensates:"))
        }
        return findings
    }

    // MARK: What services say of the same things

    private var agreements: [ConformanceFinding] {
        var findings: [ConformanceFinding] = []
        for event in graph.events {
            let words = declarations.flatMap { declaration in
                declaration.events.filter { $0.type == event.type }.map { (declaration, $0) }
            }
            let published = words.filter { declaration, description in
                declaration.starts.contains(event.type)
                    || declaration.routes.contains { $0.publishes.contains(event.type) }
            }
            let read = words.filter { declaration, _ in
                declaration.routes.contains { $0.type == event.type && $0.input == .event }
            }
            for (consumer, theirs) in read {
                for (publisher, ours) in published where publisher.service != consumer.service {
                    findings += compare(event.type, publisher.service, ours, consumer.service, theirs)
                }
            }
        }
        return findings
    }

    private func compare(
        _ type: String, _ publisher: String, _ ours: EventDescription, _ consumer: String, _ theirs: EventDescription
    ) -> [ConformanceFinding] {
        let route = graph.steps.first { $0.service == consumer && $0.type == type }?.route
        var findings: [ConformanceFinding] = []
        if ours.topic != theirs.topic {
            findings.append(
                finding(
                    .topicMismatch, consumer, route, type,
                    "\(publisher) publishes \(type) to the topic \(ours.topic), and \(consumer) reads it from \(theirs.topic)",
                    "Give the event the same topic in both services"))
        }
        if ours.flowEnding != theirs.flowEnding {
            func word(_ ending: FlowEnding?) -> String {
                ending.map { "ends the flow as \($0.rawValue)" } ?? "ends no flow"
            }
            findings.append(
                finding(
                    .endingMismatch, consumer, route, type,
                    "To \(publisher) \(type) \(word(ours.flowEnding)), to \(consumer) it \(word(theirs.flowEnding))",
                    "Give the event the same flowEnding in both services"))
        }
        for difference in SchemaComparison.unreadable(written: ours.payloadSchema, read: theirs.payloadSchema) {
            findings.append(
                finding(
                    .payloadMismatch, consumer, route, type,
                    "\(consumer) cannot read \(type) as \(publisher) writes it: \(difference)",
                    "Make the event's structs agree: what is read must be written, in the same form"))
        }
        return findings
    }

    private var groups: [ConformanceFinding] {
        Dictionary(grouping: graph.services.filter { !$0.group.isEmpty }, by: \.group).filter { $0.value.count > 1 }
            .map { group, services in
                let names = services.map(\.name).sorted()
                return finding(
                    .sharedGroup, names[0], nil, nil,
                    "\(names.joined(separator: " and ")) share the consumer group \(group): each gets only a part of the events",
                    "Give each service a group of its own")
            }
    }

    private var privateTopics: [ConformanceFinding] {
        let owned = Set(declarations.flatMap { $0.routes.flatMap { [$0.retryTopic, $0.deadLetterTopic] } })
        return declarations.flatMap { declaration -> [ConformanceFinding] in
            let read = declaration.routes.filter { owned.contains($0.topic) }.map { route in
                finding(
                    .privateTopic, declaration.service, route.name, route.type,
                    "\(declaration.service) reads \(route.topic), where a service's own retries or dead letters are",
                    "Handle the event's own topic; dead letters are replayed with 'troupe dlt replay'")
            }
            let written = declaration.events.filter { owned.contains($0.topic) }.map { event in
                finding(
                    .privateTopic, declaration.service, nil, event.type,
                    "\(event.type) is published to \(event.topic), where a service's own retries or dead letters are",
                    "Publish it to a topic of its own")
            }
            return read + written
        }
    }

    private func finding(
        _ rule: ConformanceFinding.Rule, _ service: String?, _ route: String?, _ type: String?, _ message: String,
        _ advice: String
    ) -> ConformanceFinding {
        ConformanceFinding(
            rule: rule, service: service, route: route, type: type, message: message, advice: advice)
    }
}
