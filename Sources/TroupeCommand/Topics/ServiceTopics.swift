// Which topics a service needs, compared with those there are: values and functions without I/O.

import KafkaClient
import Troupe

/// What decides which topics a service needs.
struct ServiceNeeds: Sendable, Equatable {
    let names: ServiceNames
    let inputs: [Topic]
    /// Topics the service publishes to and does not read.
    let outputs: [Topic]
    /// The number of partitions of inputs and outputs that are missing; `nil` for the broker's default.
    let partitions: Int?
    /// The longest delay of any retry policy of the service.
    let longestDelay: Duration
}

/// A topic as the broker has it.
struct ExistingTopic: Sendable, Equatable {
    var partitions: Int32
    /// The values in force; `nil` where the broker keeps or tells none.
    var configuration: [String: String]?
}

extension ServiceNeeds {
    /// The topics the service needs, by the SDK's own rules.
    ///
    /// - Parameter existing: The topics there are; retry and dead-letter topics are shaped after their inputs.
    func plans(over existing: [String: ExistingTopic]) -> [TopicPlan] {
        let count = partitions.map { Int32(clamping: $0) }
        var plans: [TopicPlan] = []
        for topic in inputs {
            let input = names.input(topic)
            plans.append(TopicPlan(name: input, purpose: .input, partitions: existing[input] == nil ? count : nil))
            let limit = existing[input]?.configuration?["max.message.bytes"].flatMap { Int($0) }
            let known = existing[input]?.partitions ?? count
            plans += TopicPlan.companions(
                retry: names.retry(topic), deadLetter: names.deadLetter(topic),
                of: TopicShape(partitions: known ?? 0, maxMessageBytes: limit), longestDelay: longestDelay
            ).map { plan in
                var plan = plan
                plan.partitions = known
                return plan
            }
        }
        for topic in outputs where !inputs.contains(topic) {
            let output = names.input(topic)
            plans.append(TopicPlan(name: output, purpose: .output, partitions: existing[output] == nil ? count : nil))
        }
        plans += TopicPlan.system(names.systemTopics).map { plan in
            var plan = plan
            // All services share them: as many partitions as there are will do.
            if existing[plan.name] != nil { plan.partitions = nil }
            return plan
        }
        return plans
    }

    /// What is to be done for the service, topic by topic.
    func steps(over existing: [String: ExistingTopic]) -> [TopicStep] {
        plans(over: existing).map { TopicStep($0, over: existing[$0.name]) }
    }
}

/// What is to be done about one topic.
struct TopicStep: Encodable, Sendable, Equatable {
    enum Action: String, Encodable, Sendable {
        /// The topic is missing.
        case create
        /// Its configuration can be brought in line without losing anything.
        case alter
        /// It is not as planned, and changing it is not for a tool to decide.
        case differs
        /// It is as planned, or better.
        case ok
    }

    struct Change: Encodable, Sendable, Equatable {
        let name: String
        let from: String
        let to: String
    }

    let action: Action
    let topic: String
    let purpose: TopicPlan.Purpose
    /// The number of partitions, planned where the topic is missing; `nil` for the broker's default.
    let partitions: Int32?
    /// The configuration to create the topic with.
    let configuration: [String: String]
    let changes: [Change]
    /// What is not as planned and stays so.
    let differences: [String]

    /// Compares a plan with the topic there is, if any.
    init(_ plan: TopicPlan, over existing: ExistingTopic?) {
        topic = plan.name
        purpose = plan.purpose
        guard let existing else {
            action = .create
            partitions = plan.partitions
            configuration = plan.configuration
            changes = []
            differences = []
            return
        }
        var changes: [Change] = []
        var differences: [String] = []
        for (name, wanted) in plan.configuration.sorted(by: { $0.key < $1.key }) {
            guard let current = existing.configuration?[name], current != wanted else { continue }
            switch Self.judge(name, from: current, to: wanted) {
            case .alter: changes.append(Change(name: name, from: current, to: wanted))
            case .differs: differences.append("\(name) is \(current), planned \(wanted)")
            case .create, .ok: break
            }
        }
        if let planned = plan.partitions, planned != existing.partitions {
            differences.append(
                "its input has \(counted(planned, "partition")): records keep theirs modulo \(existing.partitions)")
        }
        action = !changes.isEmpty ? .alter : !differences.isEmpty ? .differs : .ok
        partitions = existing.partitions
        configuration = [:]
        self.changes = changes
        self.differences = differences
    }

    /// More is never a loss: a longer retention or a higher limit than planned is left, a shorter or lower one raised.
    private static func judge(_ name: String, from current: String, to wanted: String) -> Action {
        guard name == "retention.ms" || name == "max.message.bytes", let current = Int64(current),
            let wanted = Int64(wanted)
        else { return .differs }
        // A retention of -1 is for ever.
        func amount(_ value: Int64) -> Int64 { name == "retention.ms" && value < 0 ? .max : value }
        return amount(wanted) > amount(current) ? .alter : .ok
    }

    /// What stands beside the topic in a listing.
    var detail: String {
        let settings = configuration.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let altered = changes.map { "\($0.name) \($0.from) -> \($0.to)" }
        return (settings + altered + differences).joined(separator: ", ")
    }
}

/// The steps for a service, planned or done.
struct TopicStepsReport: Report {
    let service: String
    let isApplied: Bool
    let steps: [TopicStep]

    /// How many steps change something.
    var changeCount: Int { steps.count { $0.action == .create || $0.action == .alter } }

    func lines(_ style: Style) -> [String] {
        var table = Table("ACTION", "TOPIC", "FOR", ">PARTITIONS", "DETAIL")
        for step in steps {
            table.add([
                word(step.action), step.topic, step.purpose.words, step.partitions.map(String.init) ?? "default",
                step.detail,
            ])
        }
        return table.lines(style) + ["", summary]
    }

    private func word(_ action: TopicStep.Action) -> String {
        guard isApplied else { return action.rawValue }
        return switch action {
        case .create: "created"
        case .alter: "altered"
        case .differs, .ok: action.rawValue
        }
    }

    private var summary: String {
        func count(_ action: TopicStep.Action) -> Int { steps.count { $0.action == action } }
        var parts =
            isApplied
            ? ["\(count(.create)) created", "\(count(.alter)) altered"]
            : ["\(count(.create)) to create", "\(count(.alter)) to alter"]
        if count(.differs) > 0 { parts.append("\(count(.differs)) different") }
        return (parts + ["\(count(.ok)) as planned"]).joined(separator: ", ") + "."
    }
}
