// The account: is every order where it should be? Sets of order ids, compared.

import DemoEvents
import Foundation
import TroupeFlow

/// The result of one comparison.
struct Finding: Sendable, Equatable {
    /// What was compared, in words.
    var title: String
    /// The numbers, in words.
    var detail: String
    /// The orders, articles or services for which it does not hold; none when all is well.
    var astray: [String]

    init(_ title: String, _ detail: String, astray: some Sequence<String> = []) {
        self.title = title
        self.detail = detail
        self.astray = astray.sorted()
    }
}

/// The account of a run.
struct Account: Sendable, Equatable {
    /// How many orders of each path were planned, and how many went as it says.
    struct PathCount: Sendable, Equatable {
        var path: OrderPath
        var expected: Int
        var seen: Int
    }

    var findings: [Finding]
    var paths: [PathCount]
    /// From placing an order to its parcel or cancellation, in milliseconds, sorted; replayed orders are left out.
    var latencies: [Int64]

    /// Whether everything is where it should be.
    var isBalanced: Bool { findings.allSatisfy(\.astray.isEmpty) }

    /// Compares what was planned with what was found.
    ///
    /// - Parameters:
    ///   - planned: The orders.
    ///   - topics: What was read from the topics.
    ///   - files: What was read from the services' own files.
    ///   - flows: What the flow store says of the same; `nil` when none was kept.
    init(planned: [PlannedOrder], topics: TopicEvidence, files: FileEvidence, flows: FlowEvidence? = nil) {
        let books = Books(planned: planned, topics: topics, files: files)
        paths = OrderPath.allCases.map { path in
            let orders = planned.filter { $0.path == path }
            return PathCount(path: path, expected: orders.count, seen: orders.count { books.wentAsPlanned($0) })
        }
        findings = [
            books.placed, books.everyOrderEndsOnce, books.everyPathWentAsPlanned, books.lettersAreWhereTheyBelong,
            books.chargedOnce, books.stockIsConserved, books.outage, books.crossing, books.duplicates,
        ]
        if let flows { findings.append(books.agreesWith(flows)) }
        latencies = books.latencies
    }

    /// The latency below which `share` of the orders lie, in milliseconds; `nil` when there are none.
    func latency(_ share: Double) -> Int64? {
        guard let last = latencies.indices.last else { return nil }
        return latencies[min(last, Int(Double(latencies.count) * share))]
    }
}

/// The sets that are compared.
private struct Books {
    let planned: [PlannedOrder]
    let topics: TopicEvidence
    let files: FileEvidence
    let plannedIDs: Set<String>
    let shipped: Set<String>
    let cancelled: Set<String>
    let waiting: Set<String>
    let paid: Set<String>

    init(planned: [PlannedOrder], topics: TopicEvidence, files: FileEvidence) {
        self.planned = planned
        self.topics = topics
        self.files = files
        plannedIDs = Set(planned.map(\.id))
        shipped = topics.orders("\(ParcelDispatched.type)")
        cancelled = topics.orders("\(OrderCancelled.type)")
        waiting = topics.waiting
        paid = topics.orders("\(PaymentTaken.type)")
    }

    /// What was planned is what was placed.
    var placed: Finding {
        let placed = topics.orders("\(OrderPlaced.type)")
        return Finding("placed", counted(placed.count, "order"), astray: placed.symmetricDifference(plannedIDs))
    }

    /// placed = shipped + cancelled + waiting in a dead-letter topic, and no order is in two of them.
    var everyOrderEndsOnce: Finding {
        let ends = [shipped, cancelled, waiting]
        let astray = plannedIDs.union(shipped).union(cancelled).union(waiting).filter { order in
            !plannedIDs.contains(order) || ends.count { $0.contains(order) } != 1
        }
        return Finding(
            "every order ends once",
            "\(plannedIDs.count) placed = \(shipped.count) shipped + \(cancelled.count) cancelled "
                + "+ \(waiting.count) waiting in a dead-letter topic", astray: astray)
    }

    func wentAsPlanned(_ order: PlannedOrder) -> Bool {
        switch order.path.end {
        case .shipped: shipped.contains(order.id)
        case .cancelled: cancelled.contains(order.id)
        case .deadLettered: waiting.contains(order.id)
        }
    }

    var everyPathWentAsPlanned: Finding {
        Finding(
            "every order went its way", "\(planned.count { wentAsPlanned($0) }) of \(planned.count)",
            astray: planned.filter { !wentAsPlanned($0) }.map { "\($0.id) (\($0.path.rawValue))" })
    }

    /// Each service dead-lettered the orders it cannot handle, and no other.
    var lettersAreWhereTheyBelong: Finding {
        var astray: [String] = []
        var counts: [String] = []
        for service in ["inventory", "payments", "shipping", "storefront", "notifications"] {
            let expected = Set(planned.filter { $0.path.deadLetteringServices.contains(service) }.map(\.id))
            let found = topics.lettered(by: service)
            astray += found.symmetricDifference(expected).map { "\($0) (\(service))" }
            if !found.isEmpty { counts.append("\(service) \(found.count)") }
        }
        // One order can be unbearable to several services, and each has a letter of its own.
        let orders = Set(topics.letters.map(\.order)).count
        let letters = topics.letters.count
        let all = counted(orders, "order") + (letters == orders ? "" : " (\(counted(letters, "letter")))")
        let detail = ([all] + (counts.isEmpty ? [] : [counts.joined(separator: ", ")])).joined(separator: ": ")
        return Finding("dead letters", "\(detail); \(topics.replayed.count) replayed", astray: astray)
    }

    /// Every paid order moved money once, and no other order moved any.
    var chargedOnce: Finding {
        var charges: [String: [String]] = [:]
        for movement in files.movements { charges[movement.order, default: []].append(movement.amount) }
        let amounts = Dictionary(
            uniqueKeysWithValues: planned.map {
                ($0.id, $0.placed(at: Date(timeIntervalSince1970: 0)).total.description)
            })
        let astray = paid.union(charges.keys).filter { order in
            !paid.contains(order) || charges[order] != amounts[order].map { [$0] }
        }
        return Finding(
            "every paid order is charged once",
            "\(paid.count) paid, \(counted(files.movements.count, "movement")) of money",
            astray: astray)
    }

    /// What is gone from the shelves is set aside for an order that was shipped, line by line.
    var stockIsConserved: Finding {
        var taken: [String: Int] = [:]
        for lines in files.held.values { taken.merge(lines) { $0 + $1 } }
        let articles = Set(files.onHand.keys).union(taken.keys)
        let astrayArticles = articles.filter {
            files.onHand[$0, default: 0] + taken[$0, default: 0] != Catalogue.initialStock
        }
        var wanted: [String: [String: Int]] = [:]
        for order in planned where shipped.contains(order.id) || (paid.contains(order.id) && waiting.contains(order.id))
        {
            for line in order.lines { wanted[order.id, default: [:]][line.sku, default: 0] += line.quantity }
        }
        let astrayOrders = Set(wanted.keys).union(files.held.keys).filter { wanted[$0] != files.held[$0] }
        return Finding(
            "stock is conserved",
            "\(counted(taken.values.reduce(0, +), "article")) of \(counted(files.onHand.count, "kind")) left the shelves, "
                + "for \(counted(files.held.count, "order"))",
            astray: astrayArticles.sorted() + astrayOrders.sorted())
    }

    /// The orders that met the provider's outage were retried and ended like any other.
    var outage: Finding {
        let lost = files.metOutage.filter { !shipped.contains($0) && !cancelled.contains($0) && !waiting.contains($0) }
        return Finding(
            "retried through the outage", "\(counted(files.metOutage.count, "order")), none lost",
            astray: files.metOutage.isEmpty ? ["no order met the outage"] : Array(lost))
    }

    /// The orders whose release came before their reservation hold nothing and were cancelled.
    ///
    /// None may have: which of two topics is read first is nobody's to promise.
    var crossing: Finding {
        Finding(
            "released before reserved", counted(files.withdrawn.count, "order"),
            astray: files.withdrawn.filter { files.held[$0] != nil || !cancelled.contains($0) })
    }

    /// What was published again has the same id, so that every duplicate was recognised.
    var duplicates: Finding {
        let deciding = [ParcelDispatched.type, PaymentTaken.type, StockReserved.type, OrderCancelled.type].map {
            "\($0)"
        }
        var again = 0
        var astray: [String] = []
        for type in deciding {
            for (order, sightings) in topics.sightings[type] ?? [:] {
                again += sightings.count - 1
                if Set(sightings.map(\.eventID)).count > 1 { astray.append("\(order) (\(type))") }
            }
        }
        let absorbed = files.repeated.values.reduce(0, +)
        return Finding(
            "duplicates",
            "\(counted(again, "event")) published again under their first id, \(absorbed) seen and absorbed",
            astray: astray)
    }

    /// What anybody can read from the flow store is what these books say.
    func agreesWith(_ flows: FlowEvidence) -> Finding {
        let placed = topics.orders("\(OrderPlaced.type)")
        let pairs = [
            ("placed", placed, flows.orders("\(OrderPlaced.type)")),
            ("shipped", shipped, flows.orders("\(ParcelDispatched.type)")),
            ("cancelled", cancelled, flows.orders("\(OrderCancelled.type)")), ("waiting", waiting, flows.waiting),
        ]
        let astray =
            pairs.flatMap { what, ours, theirs in ours.symmetricDifference(theirs).map { "\($0) (\(what))" } }
            + flows.unsettled.map { "\($0.key) (\($0.value.rawValue))" }
        return Finding(
            "the flow store agrees",
            pairs.map { what, _, theirs in "\(theirs.count) \(what)" }.joined(separator: ", "), astray: astray)
    }

    var latencies: [Int64] {
        let lettered = Set(topics.letters.map(\.order))
        return planned.compactMap { order in
            guard !lettered.contains(order.id),
                let start = topics.firstTime("\(OrderPlaced.type)", order.id),
                let end = topics.firstTime("\(ParcelDispatched.type)", order.id)
                    ?? topics.firstTime("\(OrderCancelled.type)", order.id)
            else { return nil }
            return end - start
        }.sorted()
    }
}
