// `troupe topics apply`: makes what is missing of a service's topics.

import Troupe

/// Creates and alters the topics a service needs.
struct TopicsApplyCommand: Command {
    static let spec = CommandSpec(
        "topics", "apply", summary: "Create the topics a service needs where they are missing.",
        discussion: """
            Does what 'troupe topics plan' shows: it creates what is missing and raises a retention or a size limit that
            is too small. It deletes nothing, shortens nothing and changes no number of partitions, and doing it again
            changes nothing.
            """,
        options: ServiceTopicsOptions.all + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example(
                "troupe topics apply --service=shipping --input=payments --output=shipments",
                "make what the service shipping needs")
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let service: ServiceTopicsOptions

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        service = try ServiceTopicsOptions(input)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let needs = service.needs(namespace: cluster.namespace)
        let steps = try await TopicsWorkshop(needs, cluster).apply()
        try console.show(
            TopicStepsReport(service: needs.names.service, isApplied: true, steps: steps), as: format)
    }
}
