// `troupe topics plan`: what is missing of a service's topics.

import Troupe

/// Shows which topics a service needs, compared with those there are.
struct TopicsPlanCommand: Command {
    private static let check = Option("check", help: "end with 1 when something is to be created or altered")

    static let spec = CommandSpec(
        "topics", "plan", summary: "Show which topics a service needs and what is missing of them.",
        discussion: """
            A service that reads a topic needs a retry and a dead-letter topic beside it, named after its group and
            shaped after the input. The plan says for each topic: create (it is missing), alter (its retention or size
            limit is too small and can be raised), differs (it is otherwise than planned, and left alone) or ok. A
            service that provisions its topics itself (the default) does the same at its start.
            """,
        options: ServiceTopicsOptions.all + [check] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example(
                "troupe topics plan --service=shipping --input=payments --output=shipments",
                "what the service shipping needs"),
            Example(
                "troupe topics plan -s shipping -i payments --check",
                "in a pipeline: fail when a topic is missing"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let service: ServiceTopicsOptions
    private let fails: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        service = try ServiceTopicsOptions(input)
        fails = input.has(Self.check)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let needs = service.needs(namespace: cluster.namespace)
        let steps = try await TopicsWorkshop(needs, cluster).plan()
        let report = TopicStepsReport(service: needs.names.service, isApplied: false, steps: steps)
        try console.show(report, as: format)
        guard report.changeCount > 0 else { return }
        if fails { throw CommandFailure("The topics of \(needs.names.service) are not as planned") }
        console.note("'troupe topics apply' with the same options does it.")
    }
}
