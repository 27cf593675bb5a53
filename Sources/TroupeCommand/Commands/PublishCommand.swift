// `troupe publish`: one event from JSON, stamped as a service would stamp it.

import Foundation
import KafkaClient
import Troupe

/// Publishes one event.
struct PublishCommand: Command {
    private static let type = Option("type", short: "t", .one("TYPE"), help: "the event's type; required")
    private static let key = Option("key", short: "k", .one("KEY"), help: "the key: what the event is about")
    private static let subject = Option(
        "subject", .one("TEXT"), help: "the business key people search for",
        default: "the key")
    private static let correlationID = Option(
        "correlation-id", short: "c", .one("ID"), help: "the flow to join", default: "a new flow")
    private static let idempotencyKey = Option(
        "idempotency-key", .one("TEXT"), help: "derive the ids from this, so that doing it again gives the same ids")
    private static let service = Option(
        "service", short: "s", .one("NAME"), help: "the service that is said to publish",
        default: "none, but an operator: the source is \(PublisherIdentity.operatorSource)")
    private static let header = Option("header", short: "H", .many("NAME=VALUE"), help: "a header beside the envelope")
    private static let contentType = Option(
        "content-type", .one("TYPE"), help: "the payload's media type; only JSON is checked",
        default: "application/json")
    private static let data = Option("data", short: "d", .one("TEXT"), help: "the payload")
    private static let file = Option(
        "file", .one("PATH"), help: "the file that holds the payload; - for standard input")

    static let spec = CommandSpec(
        "publish", summary: "Publish one event from JSON, with the ids and headers a service would give it.",
        discussion: """
            The payload is the argument DATA, --data, --file, or standard input. It is published as it stands, after a
            check that it is JSON. The event's ids and its place in the log are printed when the broker has
            acknowledged it. Where services declare themselves (the topic troupe.services) and none of them handles or
            publishes the type, a warning says so.
            """,
        arguments: [
            Argument("TOPIC", help: "the topic to publish to"),
            Argument("DATA", help: "the payload", isRequired: false),
        ],
        options: [type, key, subject, correlationID, idempotencyKey, service, header, contentType, data, file]
            + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example(
                "troupe publish people --type example.person.signed-up --key Ada '{\"name\": \"Ada\"}'",
                "one event that starts a flow"),
            Example(
                "troupe publish orders -t shop.order.placed -k order-7 --idempotency-key order-7 < order.json",
                "an event from a file; doing it again gives the same ids"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let topic: String
    private let payload: PayloadSource
    private let draft: EventDraft
    private let cause: EventCause
    /// The service in whose name it is published; `nil` for an operator's own.
    private let service: String?
    private let headers: [KafkaHeader]

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        topic = try input.required(0)
        guard let type = input.string(Self.type), !type.isEmpty else {
            throw UsageError("Which type has the event? Give --type, such as --type=shop.order.placed")
        }
        for option in [Self.type, Self.correlationID, Self.subject] {
            guard let text = input.string(option) else { continue }
            guard !text.isEmpty, text.printable == text, text.utf8.count <= 4096 else {
                throw UsageError(
                    "Option \(option.spelling) is empty, has control characters or more than 4,096 bytes")
            }
        }
        service = input.string(Self.service)
        if let service, let defect = NameRule.defect(ofService: service) {
            throw UsageError("Option --service is '\(service.printable)', which cannot be used: \(defect)")
        }
        let key = input.string(Self.key)
        draft = EventDraft(
            type: EventType(type), key: key.map { EventKey($0) } ?? .none,
            // A key may be anything, a subject only plain text.
            subject: input.string(Self.subject) ?? key.flatMap { $0.printable == $0 && !$0.isEmpty ? $0 : nil },
            contentType: input.string(Self.contentType) ?? "application/json")
        cause = .outside(
            correlationID: input.string(Self.correlationID), idempotencyKey: input.string(Self.idempotencyKey))
        headers = try input.pairs(Self.header).map { name, value in
            guard !Self.isStamped(name) else {
                throw UsageError("The header \(name.printable) is stamped by the tool: other options set it")
            }
            return KafkaHeader(name, value)
        }
        payload = try PayloadSource(
            argument: input.argument(1), data: input.string(Self.data), file: input.string(Self.file))
    }

    func run(_ console: Console) async throws {
        let bytes = try payload.read(console)
        if draft.isJSON, let problem = Self.problem(withJSON: bytes) {
            throw CommandFailure("The payload is no JSON: \(problem). Another media type is named by --content-type")
        }
        let cluster = try await kafka.connect()
        let target = try await cluster.topic(named: topic)
        var emitter = EventEmitter(
            publisher: PublisherIdentity(
                // The name is part of the ids that follow from an idempotency key.
                service: service ?? "troupe-publish", source: service == nil ? PublisherIdentity.operatorSource : nil,
                maxMessageBytes: cluster.configuration.maxMessageBytes ?? KafkaLimits.maxMessageBytes),
            cause: cause, now: Int64(Date().timeIntervalSince1970 * 1_000), random: FastRandom())
        try draft.emit(bytes, to: Topic(target.name), by: &emitter)
        guard var record = emitter.messages.first, let id = emitter.lastID else {
            throw CommandFailure("The event made no record")
        }
        for header in headers { record.addHeader(header.name, header.value) }
        let producer = try KafkaProducer(cluster.configuration)
        let delivery: Delivery
        do {
            delivery = try await producer.send(record.message)
        } catch {
            await producer.shutdown(within: .seconds(5))
            throw error
        }
        await producer.shutdown()
        try console.show(
            PublishedReport(
                eventID: id.text, correlationID: emitter.correlationID ?? id.text, topic: delivery.topic,
                partition: delivery.partition, offset: delivery.offset), as: format)
        // The event is published: a registry that cannot be read does not make that a failure.
        if let doubt = try? await TypeCheck.doubt(of: draft.type.rawValue, on: cluster) { console.note(doubt) }
    }

    /// Whether a header belongs to the envelope.
    private static func isStamped(_ name: String) -> Bool {
        let stamped = [HeaderName.contentType, HeaderName.traceParent, HeaderName.traceState].map(\.text)
        return name.hasPrefix("ce_") || stamped.contains(name)
    }

    /// What is wrong with bytes that should be JSON; `nil` when nothing is.
    static func problem(withJSON bytes: [UInt8]) -> String? {
        if bytes.isEmpty { return "it is empty" }
        do {
            _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            return nil
        } catch {
            let detail = (error as NSError).userInfo[NSDebugDescriptionErrorKey] as? String
            var text = detail ?? "it cannot be read"
            while text.last == "." { text.removeLast() }
            return text.printable
        }
    }
}

/// An event that was published.
struct PublishedReport: Report {
    let eventID: String
    let correlationID: String
    let topic: String
    let partition: Int32
    let offset: Int64

    func lines(_ style: Style) -> [String] {
        [
            style.bold("event  ") + eventID, style.bold("flow   ") + correlationID.printable,
            style.bold("place  ") + "\(topic.printable)/\(partition)/\(offset)",
        ]
    }
}
