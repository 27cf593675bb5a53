// What a service's routes come to: topics and tables, or the list of what is wrong with them.

/// The role of a topic a service reads.
package final class TopicRole: Sendable {
    /// The broker's name of the topic whose events these are: the topic itself, or the one a retry topic stands beside.
    let input: String
    let retryTopic: String
    let deadLetterTopic: String
    let isRetryTopic: Bool
    /// Handles records without CloudEvents headers.
    let foreign: Route?
    /// Handles tombstones without CloudEvents headers, when there is one such route only.
    let tombstones: Route?

    init(_ topic: Topic, names: ServiceNames, isRetryTopic: Bool, foreign: Route?, tombstones: Route?) {
        input = names.input(topic)
        retryTopic = names.retry(topic)
        deadLetterTopic = names.deadLetter(topic)
        self.isRetryTopic = isRetryTopic
        self.foreign = foreign
        self.tombstones = tombstones
    }
}

/// The routes of a router, checked and laid out for looking up.
struct RoutePlan: Sendable {
    let names: ServiceNames
    /// The topics with routes, in order of first mention.
    let inputs: [Topic]
    /// The topics events are published to, in order of first mention.
    let outputs: [Topic]
    let types: TypeTable
    let roles: [String: TopicRole]
    /// The longest delay of any retry policy.
    let longestDelay: Duration

    /// Lays out the routes.
    ///
    /// Throws `StartupError` with everything that is wrong.
    init(_ router: EventRouter, names: ServiceNames) throws(StartupError) {
        var problems = Self.problems(with: names)
        if router.routes.isEmpty { problems.append("The service \(names.service) has no route: add one with `on`") }
        let types = Self.types(of: router, &problems)
        var inputs: [Topic] = []
        var outputs: [Topic] = []
        for route in router.routes {
            if !inputs.contains(route.input.topic) { inputs.append(route.input.topic) }
            for event in route.publishes.events where !outputs.contains(event.topic) { outputs.append(event.topic) }
            Self.check(route, names, &problems)
        }
        for upcast in router.upcasts {
            if !inputs.contains(upcast.from.topic) { inputs.append(upcast.from.topic) }
            Self.check(upcast.from, readBy: "The upcast of \(upcast.from.type)", names, &problems)
        }
        var roles: [String: TopicRole] = [:]
        for topic in inputs {
            let foreign = router.routes.filter {
                if case .foreign(topic, _) = $0.input { true } else { false }
            }
            if foreign.count > 1 { problems.append("Two routes read foreign records of the topic \(topic): keep one") }
            let tombstones = router.routes.filter {
                if case .tombstone(let event) = $0.input { event.topic == topic } else { false }
            }
            for isRetry in [false, true] {
                let role = TopicRole(
                    topic, names: names, isRetryTopic: isRetry, foreign: foreign.first,
                    tombstones: tombstones.count == 1 ? tombstones.first : nil)
                roles[isRetry ? role.retryTopic : role.input] = role
            }
        }
        Self.checkCollisions(Set(inputs + outputs), names, &problems)
        guard problems.isEmpty else { throw StartupError(problems) }
        self.names = names
        self.inputs = inputs
        self.outputs = outputs
        self.types = TypeTable(types)
        self.roles = roles
        longestDelay = router.routes.map { ($0.retry ?? router.retry).longestDelay }.max() ?? .zero
    }

    private static func problems(with names: ServiceNames) -> [String] {
        var problems: [String] = []
        if let defect = NameRule.defect(ofService: names.service) {
            problems.append("The service cannot be named `\(names.service)`: \(defect)")
        }
        if names.group != names.service, let defect = NameRule.defect(ofTopic: names.group) {
            problems.append(
                "The consumer group cannot be named `\(names.group)`, which names its topics too: \(defect)")
        }
        if !names.namespace.isEmpty, let defect = NameRule.defect(ofTopic: names.namespace + "x") {
            problems.append("The namespace cannot be `\(names.namespace)`, which begins every topic's name: \(defect)")
        }
        return problems
    }

    private static func types(of router: EventRouter, _ problems: inout [String]) -> [EventType: TypeEntry] {
        var types: [EventType: TypeEntry] = [:]
        for route in router.routes {
            switch route.input {
            case .event(let event, let accepted):
                for type in [event.type] + accepted {
                    if types[type]?.route != nil {
                        problems.append("Two routes handle the type \(type): keep one, or move what both do into it")
                    }
                    types[type, default: TypeEntry()].route = route
                }
            case .tombstone(let event):
                if types[event.type]?.tombstones != nil {
                    problems.append("Two routes handle tombstones of \(event.type): keep one")
                }
                types[event.type, default: TypeEntry()].tombstones = route
            case .foreign: break
            }
        }
        for first in router.upcasts {
            var chain = [first]
            var target: Route?
            while target == nil, chain.count <= router.upcasts.count, let last = chain.last {
                target = router.routes.first {
                    if case .event = $0.input { $0.inputType == last.toType } else { false }
                }
                guard target == nil, let next = router.upcasts.first(where: { $0.fromType == last.toType }) else {
                    break
                }
                chain.append(next)
            }
            guard let target else {
                problems.append("The upcast of \(first.from.type) leads to \(first.toName), which no route handles")
                continue
            }
            if types[first.from.type]?.route != nil {
                problems.append(
                    "The type \(first.from.type) is both handled by a route and turned into \(first.toName): keep one")
            }
            types[first.from.type, default: TypeEntry()].route = target
            types[first.from.type]?.upcasts = chain
        }
        return types
    }

    private static func check(_ route: Route, _ names: ServiceNames, _ problems: inout [String]) {
        let user = "The route of \(route.name)"
        switch route.input {
        case .event(let event, let accepted):
            check(event, readBy: user, names, &problems)
            for type in accepted {
                if let defect = type.defect { problems.append("\(user) accepts a type named `\(type)`: \(defect)") }
            }
        case .tombstone(let event): check(event, readBy: user, names, &problems)
        case .foreign(let topic, _): check(topic, readBy: user, names, &problems)
        }
        for event in route.publishes.events {
            check(event.type, usedBy: user, &problems)
            for name in [event.topic.rawValue, names.input(event.topic)] {
                guard let defect = NameRule.defect(ofTopic: name) else { continue }
                problems.append("\(user) publishes to a topic named `\(name)`: \(defect)")
                break
            }
        }
    }

    private static func check(
        _ event: EventDeclaration, readBy user: String, _ names: ServiceNames, _ problems: inout [String]
    ) {
        check(event.type, usedBy: user, &problems)
        check(event.topic, readBy: user, names, &problems)
    }

    private static func check(_ type: EventType, usedBy user: String, _ problems: inout [String]) {
        if let defect = type.defect { problems.append("\(user) uses a type named `\(type)`: \(defect)") }
    }

    private static func check(_ topic: Topic, readBy user: String, _ names: ServiceNames, _ problems: inout [String]) {
        for name in [topic.rawValue, names.input(topic), names.retry(topic), names.deadLetter(topic)] {
            guard let defect = NameRule.defect(ofTopic: name) else { continue }
            problems.append("\(user) needs a topic named `\(name)`: \(defect)")
            break
        }
    }

    // Kafka refuses names that differ only in `.` and `_`, because its metrics cannot tell them apart.
    private static func checkCollisions(_ topics: Set<Topic>, _ names: ServiceNames, _ problems: inout [String]) {
        var seen: [String: String] = [:]
        for topic in topics.map(names.input).sorted() {
            let metric = String(topic.map { $0 == "." ? "_" : $0 })
            if let other = seen.updateValue(topic, forKey: metric) {
                problems.append(
                    "The topics \(other) and \(topic) differ only in `.` and `_`, which Kafka refuses: rename one")
            }
        }
    }
}
