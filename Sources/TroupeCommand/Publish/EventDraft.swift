// An event whose type and topic were given on the command line.

import Troupe

/// What a published event is, but for its bytes.
struct EventDraft: Sendable {
    let type: EventType
    let key: EventKey
    let subject: String?
    let contentType: String

    /// Whether the payload is to be JSON.
    var isJSON: Bool {
        let type = contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        return type == "application/json" || type.hasSuffix("+json")
    }

    /// Makes the event's record.
    func emit(_ bytes: [UInt8], to topic: Topic, by emitter: inout EventEmitter) throws {
        try DraftedEvent.$current.withValue((self, topic)) {
            try emitter.emit(DraftedEvent(rawBytes: bytes))
        }
    }
}

/// The event of a draft: the SDK's events have their type and topic by their Swift type, this one has them of the
/// draft that is being emitted.
private struct DraftedEvent: Event {
    @TaskLocal static var current: (draft: EventDraft, topic: Topic)?

    static var type: EventType { current?.draft.type ?? "" }
    static var topic: Topic { current?.topic ?? "" }
    static var coder: DraftCoder { DraftCoder(contentType: current?.draft.contentType ?? "application/json") }
    var key: EventKey { Self.current?.draft.key ?? .none }
    var subject: String? { Self.current?.draft.subject }
    let rawBytes: [UInt8]
}

/// Hands the bytes of a draft through.
private struct DraftCoder: EventCoder {
    let contentType: String
    func encode(_ value: DraftedEvent) -> [UInt8] { value.rawBytes }
    func decode(_ bytes: UnsafeRawBufferPointer) -> DraftedEvent { DraftedEvent(rawBytes: Array(bytes)) }
}
