// A flow as a line of a list, and the questions that are answered by such lines.

/// A flow as a line of a list.
public struct FlowSummary: Sendable, Hashable, Codable, Identifiable {
    /// The flow's id: the correlation id that all its events carry.
    public var id: String
    /// The subject of its first event that has one: the business key people search for.
    public var subject: String?
    /// The type of the event that started it; `nil` while no event of the flow was read.
    public var type: String?
    /// How it stands, as of the store's last look: *stuck* is seen within about a second.
    public var status: FlowStatus
    /// When its first event happened, in milliseconds since 1970.
    public var startedAt: Int64
    /// When it ended, in milliseconds since 1970; `nil` while it is open.
    public var endedAt: Int64?
    /// When something happened in it last, in milliseconds since 1970.
    public var updatedAt: Int64
    /// How many events it has.
    public var eventCount: Int
    /// The number of the store's change that touched it last; see `FlowStore.changes(since:limit:)`.
    public var change: Int64

    /// Describes a flow.
    public init(
        id: String, subject: String?, type: String?, status: FlowStatus, startedAt: Int64, endedAt: Int64?,
        updatedAt: Int64, eventCount: Int, change: Int64
    ) {
        self.id = id
        self.subject = subject
        self.type = type
        self.status = status
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.updatedAt = updatedAt
        self.eventCount = eventCount
        self.change = change
    }
}

/// Which flows are asked for: those that fulfil every condition.
public struct FlowQuery: Sendable, Hashable {
    /// The id of the flow or of one of its events, or the flow's subject, or the beginning of the subject.
    public var text: String?
    /// The flow's subject, exactly.
    public var subject: String?
    /// A type that one of its events has.
    public var type: String?
    /// A service that handles one of its events, or owes it.
    public var service: String?
    /// The statuses it may have; empty for any.
    public var statuses: Set<FlowStatus>
    /// The most flows of a page, 1 to 1,000.
    public var limit: Int
    /// Where the page before ended: its `FlowPage.next`.
    public var after: FlowCursor?

    /// Asks for flows, the ones that started last first.
    public init(
        text: String? = nil, subject: String? = nil, type: String? = nil, service: String? = nil,
        statuses: Set<FlowStatus> = [], limit: Int = 50, after: FlowCursor? = nil
    ) {
        self.text = text
        self.subject = subject
        self.type = type
        self.service = service
        self.statuses = statuses
        self.limit = limit
        self.after = after
    }
}

/// A page of flows, the one that started last first.
///
/// The order is the same whatever the order was in which events were read. Flows that start while somebody reads page by
/// page disturb no later page. A flow of which an earlier event is read meanwhile moves towards the end with its start,
/// and may then be told twice.
public struct FlowPage: Sendable, Hashable, Codable {
    /// The flows.
    public var flows: [FlowSummary]
    /// Where the next page begins, for `FlowQuery.after`; `nil` when there is none.
    ///
    /// A page looks through a bounded number of flows, so it may have fewer than were asked for, or none, with more to come.
    public var next: FlowCursor?

    /// Collects flows.
    public init(flows: [FlowSummary], next: FlowCursor?) {
        self.flows = flows
        self.next = next
    }
}

/// The flows that changed since a reader looked last.
public struct FlowChanges: Sendable, Hashable, Codable {
    /// The flows as they are now, each once, in the order of their last changes.
    public var flows: [FlowSummary]
    /// What to ask from next time.
    public var next: Int64

    /// Collects flows.
    public init(flows: [FlowSummary], next: Int64) {
        self.flows = flows
        self.next = next
    }
}
