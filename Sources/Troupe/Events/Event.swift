// What an event is: a value with a wire name, a topic and a key.

/// Something that happened, said in a value that travels over Kafka.
///
/// The wire name (`type`) and the `topic` are written out, never derived from the Swift name, because events live
/// for years. Events of one `key` on one topic are kept in order.
///
/// ```swift
/// struct OrderPlaced: Event {
///     static let type: EventType = "shop.order.placed"
///     static let topic: Topic = "orders"
///     var key: EventKey { orderID }
///     let orderID: EventKey
/// }
/// ```
public protocol Event: Codable, Sendable {
    /// What turns the event into bytes and back; JSON when nothing else is said.
    associatedtype Coder: EventCoder<Self> = JSONEventCoder<Self>

    /// The event's name on the wire, the CloudEvents attribute `type`.
    static var type: EventType { get }
    /// The topic the event is published to and read from.
    static var topic: Topic { get }
    /// What the event is about: the record's key, which keeps its order and chooses its partition.
    var key: EventKey { get }
    /// Older wire names whose bytes this type can read as well; none when nothing is said.
    static var acceptedTypes: [EventType] { get }
    /// The business key people search for, the CloudEvents attribute `subject`; the key's text when nothing is said.
    var subject: String? { get }
    /// Where the schema of the event's bytes is found, the CloudEvents attribute `dataschema`; none when nothing is said.
    static var dataSchema: String? { get }
    /// Whether the event ends its flow, and how; `nil` when it does not.
    static var flowEnding: FlowEnding? { get }
    /// What turns the event into bytes and back.
    static var coder: Coder { get }
}

extension Event {
    /// None: only `type` is read.
    public static var acceptedTypes: [EventType] { [] }
    /// The key's text, or `nil` when there is no key.
    public var subject: String? { key.text }
    /// None.
    public static var dataSchema: String? { nil }
    /// The event does not end its flow.
    public static var flowEnding: FlowEnding? { nil }
}

extension Event where Coder == JSONEventCoder<Self> {
    /// JSON by Troupe's rules for dates, data and decimals.
    public static var coder: JSONEventCoder<Self> { JSONEventCoder() }
}

/// How an event ends its flow.
public enum FlowEnding: String, Sendable, Hashable, Codable {
    /// The flow reached what it was started for.
    case completed
    /// The flow ended without it.
    case failed
}
