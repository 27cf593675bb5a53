// What the flow store says of the orders: the account that anybody can take who has only the topics.

import DemoEvents
import TroupeFlow

/// What the flow store says of the orders.
struct FlowEvidence: Sendable, Equatable {
    /// The orders of the flows that have an event of a type.
    var orders: [String: Set<String>] = [:]
    /// The orders of the flows with a letter that nobody has sent again with success.
    var waiting: Set<String> = []
    /// The orders of the flows that are neither over nor wait for an operator, each with its status.
    var unsettled: [String: FlowStatus] = [:]

    /// The types by which an order's way is told.
    static let types = [OrderPlaced.type, ParcelDispatched.type, OrderCancelled.type].map { "\($0)" }

    init() {}

    /// Asks a store.
    init(_ store: FlowStore) throws {
        for type in Self.types {
            orders[type] = try Set(Self.flows(FlowQuery(type: type), store).compactMap(\.subject))
        }
        waiting = try Set(Self.flows(FlowQuery(statuses: [.deadLettered]), store).compactMap(\.subject))
        for flow in try Self.flows(FlowQuery(statuses: [.running, .compensating, .stuck]), store) {
            unsettled[flow.subject ?? flow.id] = flow.status
        }
    }

    /// All flows that fulfil a query, page by page.
    private static func flows(_ query: FlowQuery, _ store: FlowStore) throws -> [FlowSummary] {
        var query = query
        query.limit = 1_000
        var flows: [FlowSummary] = []
        repeat {
            let page = try store.flows(query)
            flows += page.flows
            query.after = page.next
        } while query.after != nil
        return flows
    }

    /// The orders of the flows that have an event of this type.
    func orders(_ type: String) -> Set<String> { orders[type] ?? [] }
}
