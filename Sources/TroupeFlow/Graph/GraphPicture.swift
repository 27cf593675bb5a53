// The boxes and arrows that pictures of a choreography are made of.

import Troupe

/// The boxes and arrows of a choreography, whatever they are drawn with.
///
/// A service that starts flows and handles events too has a box for each, so that flows lead one way: from where they
/// start to where they end.
struct GraphPicture {
    enum Kind: String {
        case start
        case service
        case event
    }

    struct Box {
        let id: String
        let kind: Kind
        let name: String
        /// A second line: an event's topic, a service's versions.
        let detail: String
        let ending: FlowEnding?
        /// Whether it was only seen, and never declared.
        let isUndeclared: Bool
        /// What to say of it at length.
        let title: String
    }

    struct Arrow {
        let from: Int
        let to: Int
        let edge: ChoreographyGraph.Edge
        /// What to write on it; empty for nothing.
        var label: String {
            guard edge.count > 0 else { return "" }
            return edge.failures > 0 ? "\(edge.count), \(edge.failures) failed" : "\(edge.count)"
        }
    }

    private(set) var boxes: [Box] = []
    private(set) var arrows: [Arrow] = []

    init(_ graph: ChoreographyGraph) {
        var places: [String: Int] = [:]
        func add(_ box: Box) {
            places[box.id] = boxes.count
            boxes.append(box)
        }
        let handling = Set(graph.edges.filter { $0.direction == .handles }.map(\.service))
        let starting = Set(graph.events.flatMap(\.startedBy))
        let split = starting.intersection(handling)
        for service in graph.services where split.contains(service.name) {
            add(
                Box(
                    id: "start:" + service.name, kind: .start, name: service.name, detail: "starts flows", ending: nil,
                    isUndeclared: false, title: "\(service.name) starts flows"))
        }
        for event in graph.events {
            let known = graph.edges.contains { $0.type == event.type && $0.provenance != .observed }
            let ending = event.ending.map { "\nends its flow: \($0.rawValue)" } ?? ""
            add(
                Box(
                    id: "event:" + event.type, kind: .event, name: event.type, detail: event.topic,
                    ending: event.ending, isUndeclared: !known,
                    title: event.type + (event.topic.isEmpty ? "" : "\ntopic \(event.topic)") + ending))
        }
        for service in graph.services {
            // Nothing but a start of flows is drawn as such already.
            add(
                Box(
                    id: "service:" + service.name, kind: .service,
                    // No service's name has a space.
                    name: service.isOperator ? "an operator" : service.name,
                    detail: service.versions.joined(separator: ", "), ending: nil,
                    isUndeclared: !service.isDeclared && !service.isOperator,
                    title: ([service.name] + service.notes).joined(separator: "\n")))
        }
        let answers = Set(graph.steps.flatMap { step in step.publishes.map { [step.service, $0] } })
        for edge in graph.edges {
            guard let event = places["event:" + edge.type], let service = places["service:" + edge.service] else {
                continue
            }
            guard edge.direction == .publishes else {
                arrows.append(Arrow(from: event, to: service, edge: edge))
                continue
            }
            let starts = graph.event(edge.type)?.startedBy.contains(edge.service) == true
            let start = places["start:" + edge.service]
            if starts, let start { arrows.append(Arrow(from: start, to: event, edge: edge)) }
            if !starts || start == nil || answers.contains([edge.service, edge.type]) {
                arrows.append(Arrow(from: service, to: event, edge: edge))
            }
        }
    }
}
