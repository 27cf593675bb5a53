// A flow store with a shop's orders in every state, made of the records that its services would have written.

import Foundation
import KafkaClient
import Troupe
import TroupeFlow

/// A shop whose store a test fills.
///
/// Four services work; `shipping` has been dead for minutes, so that whatever is paid is stuck.
final class ShopStore {
    static let placed = "shop.order.placed"
    static let reserved = "shop.stock.reserved"
    static let rejected = "shop.stock.rejected"
    static let released = "shop.stock.released"
    static let paid = "shop.payment.taken"
    static let declined = "shop.payment.declined"
    static let shipped = "shop.parcel.dispatched"
    static let cancelled = "shop.order.cancelled"

    private static let topics = [
        placed: "orders", cancelled: "orders", reserved: "stock", rejected: "stock", released: "stock",
        paid: "payments", declined: "payments", shipped: "parcels",
    ]

    let store: FlowStore
    /// The moment of the fixture, in milliseconds since 1970.
    let now = Int64(Date().timeIntervalSince1970 * 1_000)
    private let directory: String
    private let writer: FlowWriter
    private var records: [KafkaRecord] = []
    private var offsets: [TopicPartition: Int64] = [:]

    init() throws {
        directory = NSTemporaryDirectory() + "troupe-page-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        store = try FlowStore(path: directory + "/flows.sqlite")
        writer = FlowWriter(store)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Writes what was added into the store.
    func flush() throws {
        try writer.apply(records, at: now)
        records = []
        while try writer.sweep(at: now) {}
    }

    // MARK: Records

    func append(
        _ topic: String, key: String? = nil, value: [UInt8]?, headers: [(String, String)] = [], at time: Int64
    ) -> Int64 {
        let place = TopicPartition(topic, 0)
        let offset = offsets[place, default: 0]
        offsets[place] = offset + 1
        records.append(
            KafkaRecord(
                topic: topic, partition: 0, offset: offset, timestamp: KafkaTimestamp(milliseconds: time),
                key: key.map { Array($0.utf8) }, value: value, headers: headers.map { KafkaHeader($0.0, $0.1) }))
        return offset
    }

    func publish(
        _ id: String, _ type: String, by service: String, flow: String, at time: Int64, cause: String? = nil,
        subject: String? = nil, payload: String = "{}", contentType: String = "application/json"
    ) {
        publish(
            id, type, source: "/services/\(service)", flow: flow, at: time, cause: cause, subject: subject,
            payload: payload, contentType: contentType)
    }

    func publish(
        _ id: String, _ type: String, source: String, flow: String, at time: Int64, cause: String? = nil,
        subject: String? = nil, payload: String = "{}", contentType: String = "application/json"
    ) {
        var headers = [
            ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_source", source),
            ("ce_correlationid", flow), ("content-type", contentType),
        ]
        if let cause { headers.append(("ce_causationid", cause)) }
        if let subject { headers.append(("ce_subject", subject)) }
        _ = append(
            Self.topics[type] ?? "orders", key: flow, value: Array(payload.utf8), headers: headers, at: time)
    }

    func report(
        _ service: String, _ event: String, _ type: String, flow: String, at time: Int64, took microseconds: Int64,
        _ outcome: TaskReport.Outcome = .handled, attempt: Int = 1, published: [String] = [],
        failure: TaskReport.Failure? = nil, instance: String? = nil
    ) throws {
        let task = TaskReport(
            event: event, flow: flow, type: type, topic: Self.topics[type] ?? "orders", partition: 0, offset: 0,
            attempt: attempt, replays: 0, outcome: outcome, startedAt: time, microseconds: microseconds,
            published: published, notBefore: nil, failure: failure)
        let batch = TaskBatch(service: service, instance: instance ?? "\(service)-7f3a", tasks: [task])
        _ = append("troupe.tasks", value: Array(try JSONEncoder().encode(batch)), at: time)
    }

    // MARK: Services

    private static func declaration(
        _ service: String, version: String = "1.4.0", starts: [String] = [],
        _ routes: [(type: String, RouteDeclaration.Cardinality, publishes: [String], compensates: String?)]
    ) -> ServiceDeclaration {
        let routes = routes.map { route in
            let topic = topics[route.type] ?? "orders"
            return RouteDeclaration(
                name: route.type, input: .event, type: route.type, acceptedTypes: [], topic: topic,
                retryTopic: "\(service).\(topic).retry", deadLetterTopic: "\(service).\(topic).dlt",
                cardinality: route.1, publishes: route.publishes, compensates: route.compensates,
                withinMilliseconds: 30_000, maxRetries: 3)
        }
        let types = Set(routes.flatMap { [$0.type] + $0.publishes } + starts).sorted()
        return ServiceDeclaration(
            service: service, version: version, group: routes.isEmpty ? "" : service, delivery: "at-least-once",
            routes: routes, starts: starts,
            events: types.map { type in
                EventDescription(
                    type: type, topic: topics[type] ?? "orders",
                    flowEnding: type == shipped ? .completed : type == cancelled ? .failed : nil,
                    contentType: "application/json", dataSchema: nil, payloadSchema: nil)
            })
    }

    /// Declares the services, with instances that are alive, but for shipping's.
    func addServices() throws {
        let declarations = [
            Self.declaration("storefront", starts: [Self.placed], []),
            Self.declaration(
                "inventory",
                [
                    (Self.placed, .oneOf, [Self.reserved, Self.rejected], nil),
                    (Self.declined, .one, [Self.released], Self.reserved),
                ]),
            Self.declaration("payments", [(Self.reserved, .oneOf, [Self.paid, Self.declined], nil)]),
            Self.declaration(
                "shipping", version: "1.3.2",
                [
                    (Self.paid, .one, [Self.shipped], nil), (Self.released, .one, [Self.cancelled], nil),
                    (Self.rejected, .one, [Self.cancelled], nil),
                ]),
            Self.declaration(
                "notifications", [(Self.shipped, .none, [], nil), (Self.cancelled, .none, [], nil)]),
        ]
        for declaration in declarations {
            let service = declaration.service
            _ = append(
                "troupe.services", key: RegistryKey.declaration(service: service, fingerprint: "v1").text,
                value: Array(try JSONEncoder().encode(declaration)), at: now - 3_600_000)
            // Long intervals, so that instances are alive for as long as the test takes.
            let isDead = service == "shipping"
            for instance in service == "payments" ? ["7f3a", "c210"] : ["7f3a"] {
                try beat(declaration, instance: "\(service)-\(instance)", at: isDead ? now - 252_000 : now) { status in
                    status.handled = declaration.routes.isEmpty ? 0 : 1_284
                    status.published = 1_284
                    status.deadLettered = service == "inventory" ? 3 : 0
                    status.inFlight = isDead ? 0 : 4
                    status.lag = isDead ? nil : 12
                    if instance == "c210" {
                        status.routes = [
                            RouteStatus(route: Self.reserved, running: 0, waiting: 6, inFlight: 6, circuit: .open)
                        ]
                    }
                }
            }
        }
        try flush()
        try writer.setLag(312, of: "shipping", at: now)
    }

    func beat(
        _ declaration: ServiceDeclaration, instance: String, at time: Int64, endpoint: String? = nil,
        _ change: (inout ServiceStatus) -> Void = { _ in }
    ) throws {
        var status = ServiceStatus()
        status.service = declaration.service
        status.phase = .running
        status.latencyMedian = 8.2
        status.latency99 = 41
        change(&status)
        let isDead = time < now
        let heartbeat = InstanceHeartbeat(
            service: declaration.service, instance: instance, version: declaration.version, declaration: "v1",
            host: "node-3", processID: 4711, endpoint: endpoint, startedAt: now - 3_600_000, time: time,
            intervalMilliseconds: isDead ? 5_000 : 600_000,
            assignment: Dictionary(uniqueKeysWithValues: Set(declaration.routes.map(\.topic)).map { ($0, [Int32(0)]) }),
            status: status)
        _ = append(
            "troupe.services", key: RegistryKey.instance(service: declaration.service, instance: instance).text,
            value: Array(try JSONEncoder().encode(heartbeat)), at: time)
    }

    // MARK: Orders

    /// How an order ends.
    enum Fate: CaseIterable {
        case shipped, retried, declined, rejected, deadLettered, stuck, running
    }

    /// Adds an order that began so many milliseconds before the fixture's moment.
    func addOrder(_ number: Int, _ fate: Fate, began age: Int64) throws {
        let text = String(number)
        let order = "order-" + String(repeating: "0", count: max(0, 5 - text.count)) + text
        let flow = "01936a\(String(number, radix: 16))-7c2e-7d40-9f1b-5a8e4c21d0f3"
        var time = now - age
        func id(_ step: Int) -> String { "\(flow.prefix(18))-8\(step)00-aa14f07b3c55" }
        let payload = """
            {"orderID":"\(order)","customer":{"name":"Ada Example","email":"ada@example.org"},\
            "lines":[{"article":"tea","count":2,"price":12.50},{"article":"cup","count":1,"price":7.90}]}
            """
        publish(id(1), Self.placed, by: "storefront", flow: flow, at: time, subject: order, payload: payload)
        if fate == .running { return }
        func handle(
            _ service: String, _ step: Int, _ type: String, to next: String, after wait: Int64, took: Int64,
            attempt: Int = 1
        ) throws {
            time += wait
            try report(
                service, id(step), type, flow: flow, at: time, took: took * 1_000, attempt: attempt,
                published: [id(step + 1)])
            time += took
            publish(
                id(step + 1), next, by: service, flow: flow, at: time, cause: id(step), subject: order,
                payload: "{\"orderID\":\"\(order)\"}")
        }
        if fate == .deadLettered {
            for attempt in 1...4 {
                time += attempt == 1 ? 9 : 400 * Int64(attempt)
                try report(
                    "inventory", id(1), Self.placed, flow: flow, at: time, took: 3_200,
                    attempt == 4 ? .deadLettered : .retrying, attempt: attempt,
                    failure: TaskReport.Failure(
                        type: "DemoInventory.UnknownArticle", message: "No article 'tae' in the catalogue"))
            }
            return
        }
        try handle(
            "inventory", 1, Self.placed, to: fate == .rejected ? Self.rejected : Self.reserved, after: 8, took: 6)
        if fate == .rejected { return }
        if fate == .retried {
            for attempt in 1...2 {
                time += attempt == 1 ? 5 : 900
                try report(
                    "payments", id(2), Self.reserved, flow: flow, at: time, took: 120_000, .retrying, attempt: attempt,
                    failure: TaskReport.Failure(type: "PaymentProvider.Unavailable", message: "503 from the provider"))
                time += 120
            }
        }
        try handle(
            "payments", 2, Self.reserved, to: fate == .declined ? Self.declined : Self.paid,
            after: fate == .retried ? 1_800 : 7, took: 84, attempt: fate == .retried ? 3 : 1)
        if fate == .stuck { return }
        if fate == .declined {
            try handle("inventory", 3, Self.declined, to: Self.released, after: 11, took: 4)
            try handle("shipping", 4, Self.released, to: Self.cancelled, after: 6, took: 3)
        } else {
            try handle("shipping", 3, Self.paid, to: Self.shipped, after: 12, took: 35)
        }
        time += 9
        let last = fate == .declined ? (5, Self.cancelled) : (4, Self.shipped)
        try report("notifications", id(last.0), last.1, flow: flow, at: time, took: 14_000)
    }

    /// Adds the services and a few orders of every fate.
    static func filled() throws -> ShopStore {
        let shop = try ShopStore()
        try shop.addServices()
        let fates: [Fate] = [
            .shipped, .shipped, .declined, .shipped, .retried, .shipped, .deadLettered, .shipped, .shipped, .stuck,
            .shipped, .declined, .shipped, .shipped, .retried, .shipped, .stuck, .shipped, .deadLettered, .shipped,
        ]
        for (index, fate) in fates.enumerated() {
            try shop.addOrder(index + 23, fate, began: 240_000 - Int64(index) * 9_000)
        }
        try shop.addOrder(43, .shipped, began: 14_000)
        try shop.addOrder(44, .running, began: 4_000)
        try shop.flush()
        return shop
    }
}
