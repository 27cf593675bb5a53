// What can be said of a flow or of one of its steps in a word.

/// How a flow stands.
///
/// Where several hold, the first of this order is the flow's status: dead-lettered, stuck, compensating, running; and
/// when no step is owed: completed, compensated, failed.
public enum FlowStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Steps are owed and none is late; or nothing is owed and no event has ended the flow.
    case running
    /// An event ended the flow as completed, and no step is owed.
    case completed
    /// An event ended the flow as failed, nothing had to be undone, and no step is owed.
    case failed
    /// Steps are owed, none is late, and the flow has begun to undo its effects.
    case compensating
    /// The flow's effects were undone, and no step is owed.
    case compensated
    /// A service put an event of the flow into its dead-letter topic, and nobody has sent it again with success.
    case deadLettered = "dead-lettered"
    /// A step is owed whose time is over.
    case stuck

    /// Whether something is to happen yet, by itself or by an operator.
    public var isOpen: Bool {
        switch self {
        case .running, .compensating, .deadLettered, .stuck: true
        case .completed, .failed, .compensated: false
        }
    }
}

/// How one service stands with one event.
public enum StepStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// The service's declaration says that it handles the event, and no attempt is known.
    case owed
    /// An attempt failed, or a predecessor's did, and another attempt is to come.
    case waiting
    /// The service handled the event.
    case handled
    /// The handler failed, and the route's policy says to go on.
    case ignored
    /// The event is in the service's dead-letter topic.
    case deadLettered = "dead-lettered"
    /// The service makes no reports, or lost some since the event: it may have handled it.
    case notKnown = "not-known"

    /// Whether the service still has to handle the event by itself.
    public var isOwed: Bool { self == .owed || self == .waiting }
}
