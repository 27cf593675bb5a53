// Builds the graph from declarations and observations.

public import Troupe

extension ChoreographyGraph {
    /// Joins what services declare with what was seen.
    ///
    /// - Parameters:
    ///   - declarations: What services say of themselves; several of one service are its versions, and are merged.
    ///   - observed: What was seen on the topics.
    public init(_ declarations: [ServiceDeclaration], observed: [ObservedEdge] = []) {
        var builder = GraphBuilder()
        for declaration in declarations.sorted(by: GraphBuilder.order) { builder.add(declaration) }
        for edge in observed { builder.add(edge) }
        self = builder.graph
    }
}

/// Collects the parts of a graph.
private struct GraphBuilder {
    private struct EdgeKey: Hashable {
        let service: String
        let direction: ChoreographyGraph.Direction
        let type: String
    }

    private var services: [String: ChoreographyGraph.Service] = [:]
    private var events: [String: ChoreographyGraph.Event] = [:]
    private var edges: [EdgeKey: ChoreographyGraph.Edge] = [:]
    private var steps: Set<ChoreographyGraph.Step> = []
    /// What each version of a service handles and publishes, to tell versions apart.
    private var shapes: [String: [(version: String, edges: Set<EdgeKey>)]] = [:]

    static func order(_ a: ServiceDeclaration, _ b: ServiceDeclaration) -> Bool {
        (a.service, a.version, a.group) < (b.service, b.version, b.group)
    }

    mutating func add(_ declaration: ServiceDeclaration) {
        let name = declaration.service
        var service =
            services[name]
            ?? ChoreographyGraph.Service(
                name: name, versions: [], group: declaration.group, isDeclared: true, notes: [])
        service.isDeclared = true
        if service.group.isEmpty { service.group = declaration.group }
        if !declaration.version.isEmpty, !service.versions.contains(declaration.version) {
            service.versions.append(declaration.version)
        }
        services[name] = service
        // A service's word on an event that it publishes outweighs the word of one that reads it.
        let published = Set(declaration.routes.flatMap(\.publishes) + declaration.starts)
        for event in declaration.events { add(event, outweighs: published.contains(event.type)) }
        var own: Set<EdgeKey> = []
        for type in declaration.starts {
            own.insert(declare(name, .publishes, type))
            if events[type]?.startedBy.contains(name) == false { events[type]?.startedBy.append(name) }
        }
        for route in declaration.routes {
            for type in route.publishes { own.insert(declare(name, .publishes, type, compensates: route.compensates)) }
            for type in [route.type] + route.acceptedTypes {
                own.insert(declare(name, .handles, type, compensates: route.compensates))
                steps.insert(
                    ChoreographyGraph.Step(
                        service: name, route: route.name, type: type, cardinality: route.cardinality,
                        publishes: route.publishes, compensates: route.compensates))
            }
        }
        // A service and its publisher declare themselves apart, and are no versions of one another.
        if !declaration.routes.isEmpty { shapes[name, default: []].append((declaration.version, own)) }
    }

    private mutating func add(_ event: EventDescription, outweighs: Bool) {
        let known = events[event.type]
        if let known, !outweighs, !known.topic.isEmpty {
            if known.ending == nil { events[event.type]?.ending = event.flowEnding }
            return
        }
        events[event.type] = ChoreographyGraph.Event(
            type: event.type, topic: event.topic, ending: event.flowEnding ?? known?.ending,
            startedBy: known?.startedBy ?? [])
    }

    private mutating func declare(
        _ service: String, _ direction: ChoreographyGraph.Direction, _ type: String, compensates: String? = nil
    ) -> EdgeKey {
        let key = touch(service, direction, type, .declared)
        if let compensates, edges[key]?.compensates.contains(compensates) == false {
            edges[key]?.compensates.append(compensates)
        }
        return key
    }

    /// Makes an edge and its ends where they are missing.
    private mutating func touch(
        _ service: String, _ direction: ChoreographyGraph.Direction, _ type: String,
        _ provenance: ChoreographyGraph.Provenance
    ) -> EdgeKey {
        if services[service] == nil {
            var added = ChoreographyGraph.Service(name: service, versions: [], group: "", isDeclared: false, notes: [])
            added.notes = [added.isOperator ? "Published by hand, with 'troupe publish'" : "It has not declared itself"]
            services[service] = added
        }
        if events[type] == nil {
            events[type] = ChoreographyGraph.Event(type: type, topic: "", ending: nil, startedBy: [])
        }
        let key = EdgeKey(service: service, direction: direction, type: type)
        if let edge = edges[key] {
            if edge.provenance != provenance { edges[key]?.provenance = .both }
        } else {
            edges[key] = ChoreographyGraph.Edge(
                service: service, type: type, direction: direction, provenance: provenance, compensates: [], count: 0,
                failures: 0)
        }
        return key
    }

    mutating func add(_ edge: ObservedEdge) {
        let published = touch(edge.publisher, .publishes, edge.type, .observed)
        // One event may have several consumers: it was published as often as the busiest of them has seen it.
        let count = edges[published]?.count ?? 0
        edges[published]?.count = max(count, edge.count)
        let last = [edges[published]?.lastPublishedAt, edge.lastPublishedAt].compactMap { $0 }.max()
        edges[published]?.lastPublishedAt = last
        guard let consumer = edge.consumer else { return }
        let handled = touch(consumer, .handles, edge.type, .observed)
        edges[handled]?.count += edge.count
        edges[handled]?.failures += edge.failures
    }

    var graph: ChoreographyGraph {
        ChoreographyGraph(
            services: services.values.sorted { $0.name < $1.name }.map(noted),
            events: events.values.sorted { $0.type < $1.type }.map { event in
                var event = event
                event.startedBy.sort()
                return event
            },
            edges: edges.values.map { edge in
                var edge = edge
                edge.compensates.sort()
                return edge
            }.sorted { ($0.service, $0.direction.rawValue, $0.type) < ($1.service, $1.direction.rawValue, $1.type) },
            steps: steps.sorted {
                ($0.service, $0.type, $0.route, $0.publishes.joined(separator: " "))
                    < ($1.service, $1.type, $1.route, $1.publishes.joined(separator: " "))
            })
    }

    /// The service with what its versions do differently.
    private func noted(_ service: ChoreographyGraph.Service) -> ChoreographyGraph.Service {
        var service = service
        let shapes = shapes[service.name] ?? []
        guard shapes.count > 1 else { return service }
        let names = shapes.map { $0.version.isEmpty ? "(unnamed)" : $0.version }
        service.notes.append("\(shapes.count) declarations side by side: \(names.joined(separator: ", "))")
        let common = shapes.dropFirst().reduce(shapes[0].edges) { $0.intersection($1.edges) }
        for (shape, name) in zip(shapes, names) {
            let only = shape.edges.subtracting(common).map { "\($0.direction.rawValue) \($0.type)" }.sorted()
            if !only.isEmpty { service.notes.append("Only version \(name) \(only.joined(separator: ", "))") }
        }
        return service
    }
}
