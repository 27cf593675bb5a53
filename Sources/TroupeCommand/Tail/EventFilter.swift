// Which events are meant.

/// Which events are meant.
struct EventFilter: Sendable, Equatable {
    var key: String?
    var type: String?
    var correlationID: String?

    /// Whether every event is meant.
    var isEmpty: Bool { key == nil && type == nil && correlationID == nil }

    /// Whether an event is meant.
    func matches(_ event: EventView) -> Bool {
        (key.map { event.key?.singleLine == $0.printable } ?? true)
            && (type.map { event.eventType == $0 } ?? true)
            && (correlationID.map { event.correlationID == $0 } ?? true)
    }
}
