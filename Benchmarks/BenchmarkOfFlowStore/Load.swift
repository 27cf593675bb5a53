// Flows of seven events through six services, as records.

import EventJSON
import KafkaClient
import Troupe
import TroupeFlow

/// Flows of seven events through six services, each event handled once.
struct Load {
    struct Step {
        var type: String
        var topic: String
        var service: String?
    }

    /// Each event is handled by one service, which publishes the next; the last ends the flow.
    static let steps = (0..<7).map { number in
        Step(
            type: "bench.step.\(number)", topic: "bench-\(number % 3)",
            service: number < 6 ? "service-\(number)" : nil)
    }

    private(set) var events = 0
    private(set) var flows = 0
    /// A clock that moves on by 100 µs an event, in milliseconds since 1970.
    var now: Int64 { 1_800_000_000_000 + Int64(events / 10) }
    /// The flows that began at each of the last moments.
    private var underWay: [Range<Int>] = []
    private var offsets: [TopicPartition: Int64] = [:]
    private let payload =
        Array("{\"orderId\":\"order-0004711\",\"customer\":\"ada@example.org\",\"total\":1297.95,".utf8)
        + Array(
            "\"lines\":[{\"sku\":\"lamp-brass-20\",\"quantity\":2},{\"sku\":\"rug-wool-300\",\"quantity\":1}]}".utf8)

    init() throws {}

    /// The id of a flow: the same beginning for flows of one time, as UUIDv7 has it.
    static func flowID(_ flow: Int) -> String { id(flow, 0) }

    private static func id(_ flow: Int, _ step: Int) -> String {
        let time = String(UInt64(flow) + 0x0190_0000_0000, radix: 16)
        var mixed = (UInt64(flow) &* 8 &+ UInt64(step)) &* 0x9e37_79b9_7f4a_7c15
        mixed ^= mixed >> 31
        let random = String(mixed, radix: 16)
        let padded = String(repeating: "0", count: 16 - random.count) + random
        return "0\(time)-7\(step)00-8000-\(padded)"
    }

    mutating func takeDeclarations() throws -> [KafkaRecord] {
        try Self.steps.enumerated().compactMap { number, step -> KafkaRecord? in
            guard let service = step.service else { return nil }
            let next = Self.steps[number + 1]
            let declaration = ServiceDeclaration(
                service: service, version: "1", group: service, delivery: "at-least-once",
                routes: [
                    RouteDeclaration(
                        name: step.type, input: .event, type: step.type, acceptedTypes: [], topic: step.topic,
                        retryTopic: "retry", deadLetterTopic: "dlt", cardinality: .one, publishes: [next.type],
                        compensates: nil, withinMilliseconds: 30_000, maxRetries: 3)
                ], starts: [],
                events: [
                    EventDescription(
                        type: next.type, topic: next.topic, flowEnding: number == 5 ? .completed : nil,
                        contentType: "application/json", dataSchema: nil, payloadSchema: nil)
                ])
            return record(
                "troupe.services", 0, key: RegistryKey.declaration(service: service, fingerprint: "1").text,
                try EventJSONEncoder().encode(declaration), [])
        }
    }

    /// The next moment: new flows begin, and each flow that began at the moments before goes on by a report and an event.
    ///
    /// So every event is of another flow than its neighbours in a transaction, which is the dearest case.
    mutating func next(flows count: Int) throws -> [KafkaRecord] {
        underWay.append(flows..<(flows + count))
        flows += count
        if underWay.count > Self.steps.count { underWay.removeFirst() }
        var records: [KafkaRecord] = []
        for (number, group) in underWay.reversed().enumerated() {
            if number > 0 { try report(number - 1, group, &records) }
            for flow in group { records.append(event(flow, number)) }
        }
        return records
    }

    private mutating func event(_ flow: Int, _ number: Int) -> KafkaRecord {
        let step = Self.steps[number]
        var headers = [
            KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", Self.id(flow, number)),
            KafkaHeader("ce_type", step.type), KafkaHeader("ce_source", "/services/bench"),
            KafkaHeader("ce_time", RFC3339.text(milliseconds: now)), KafkaHeader("ce_subject", "order-\(flow)"),
            KafkaHeader("ce_correlationid", Self.flowID(flow)), KafkaHeader("content-type", "application/json"),
        ]
        if number > 0 { headers.append(KafkaHeader("ce_causationid", Self.id(flow, number - 1))) }
        events += 1
        return record(step.topic, Int32(flow % 4), key: "order-\(flow)", payload, headers)
    }

    /// What the service of a step says of having handled it, fifty flows to a record.
    private mutating func report(_ number: Int, _ group: Range<Int>, _ records: inout [KafkaRecord]) throws {
        let step = Self.steps[number]
        guard let service = step.service else { return }
        for start in stride(from: group.lowerBound, to: group.upperBound, by: 50) {
            let tasks = (start..<min(start + 50, group.upperBound)).map { flow in
                TaskReport(
                    event: Self.id(flow, number), flow: Self.flowID(flow), type: step.type, topic: step.topic,
                    partition: Int32(flow % 4), offset: 0, attempt: 1, replays: 0, outcome: .handled,
                    startedAt: now, microseconds: 800, published: [Self.id(flow, number + 1)], notBefore: nil,
                    failure: nil)
            }
            let batch = TaskBatch(service: service, instance: "\(service)-1", tasks: tasks)
            records.append(record("troupe.tasks", 0, key: nil, try EventJSONEncoder().encode(batch), []))
        }
    }

    private mutating func record(
        _ topic: String, _ partition: Int32, key: String?, _ value: [UInt8], _ headers: [KafkaHeader]
    ) -> KafkaRecord {
        let place = TopicPartition(topic, partition)
        defer { offsets[place, default: 0] += 1 }
        return KafkaRecord(
            topic: topic, partition: partition, offset: offsets[place, default: 0],
            timestamp: KafkaTimestamp(milliseconds: now), key: key.map { Array($0.utf8) }, value: value,
            headers: headers)
    }
}
