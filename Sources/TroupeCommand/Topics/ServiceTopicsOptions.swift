// The options that say which service is meant, and what it needs of the broker.

import KafkaClient
import Troupe

/// The service whose topics are planned, from the command line.
struct ServiceTopicsOptions: Sendable {
    static let service = Option("service", short: "s", .one("NAME"), help: "the service's name")
    static let input = Option("input", short: "i", .many("TOPIC"), help: "a topic the service reads")
    private static let output = Option(
        "output", short: "o", .many("TOPIC"), help: "a topic it publishes to and does not read")
    private static let group = Option(
        "group", .one("GROUP"), help: "its consumer group, where that has another name", default: "the service's name")
    private static let partitions = Option(
        "partitions", short: "p", .one("N"), help: "partitions of inputs and outputs that are missing",
        default: "the broker's")
    private static let longestDelay = Option(
        "longest-retry-delay", .one("TIME"), help: "the longest delay of its retry policies, such as 90s or 2h",
        default: "4s, that of the standard policy")

    static let all = [service, input, output, group, partitions, longestDelay]

    private let service: String
    private let group: String?
    private let inputs: [String]
    private let outputs: [String]
    private let partitions: Int?
    private let longestDelay: Duration

    init(_ input: Input) throws {
        guard let service = input.string(Self.service) else {
            throw UsageError("Which service? Give --service=NAME and an --input=TOPIC for each topic it reads")
        }
        if let defect = NameRule.defect(ofService: service) {
            throw UsageError("Option --service is '\(service.printable)', which cannot be used: \(defect)")
        }
        self.service = service
        group = input.string(Self.group)
        inputs = input.strings(Self.input)
        outputs = input.strings(Self.output)
        guard !inputs.isEmpty || !outputs.isEmpty else {
            throw UsageError("Which topics does the service read? Give --input=TOPIC for each of them")
        }
        partitions = try input.integer(Self.partitions, in: 1...100_000)
        longestDelay = try input.duration(Self.longestDelay) ?? .seconds(4)
        for topic in needs(namespace: "").plans(over: [:]) {
            if let defect = NameRule.defect(ofTopic: topic.name) {
                throw UsageError("The topic name '\(topic.name.printable)' cannot be used: \(defect)")
            }
        }
    }

    /// What the service needs, in a namespace.
    func needs(namespace: String) -> ServiceNeeds {
        func topics(_ names: [String]) -> [Topic] {
            var seen: Set<String> = []
            return names.map { $0.hasPrefix(namespace) ? String($0.dropFirst(namespace.count)) : $0 }
                .filter { seen.insert($0).inserted }.map { Topic($0) }
        }
        return ServiceNeeds(
            names: ServiceNames(service: service, namespace: namespace, consumerGroup: group), inputs: topics(inputs),
            outputs: topics(outputs), partitions: partitions, longestDelay: longestDelay)
    }
}
