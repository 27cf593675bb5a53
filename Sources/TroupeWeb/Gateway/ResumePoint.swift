// Up to where a client has had a flow's events: what it sends as `Last-Event-ID`.

import KafkaClient

/// The next offset a client needs of each partition that a flow's events lie in.
///
/// Gateways read partitions in different orders, so a number of events or the last one's id would not do: with this a
/// client goes on exactly where it was, at any gateway, also after a restart. As text: `orders:0:17,payments:3:5`, and
/// `orders:0:17,payments:3:6,end` for one that was told of the flow's end.
struct ResumePoint: Sendable, Hashable {
    /// The most partitions that are read from a client's text.
    private static let maxPartitions = 64

    private static let endText = "end"

    private(set) var next: [TopicPartition: Int64] = [:]
    /// Whether the client was told that the flow is over.
    var isEnd = false

    /// The beginning of the flow.
    init() {}

    /// Reads a client's text; what is none of these is the beginning, from which it gets everything again.
    init(_ text: String?) {
        for part in (text ?? "").split(separator: ",").prefix(Self.maxPartitions + 1) {
            if part == Self.endText { isEnd = true }
            let fields = part.split(separator: ":")
            guard fields.count == 3, let partition = Int32(fields[1]), let offset = Int64(fields[2]), offset >= 0 else {
                continue
            }
            next[TopicPartition(String(fields[0]), partition)] = offset
        }
    }

    /// Whether the client has had an event.
    func covers(_ event: FlowEvent) -> Bool { event.offset < next[event.partition] ?? 0 }

    /// Notes that the client has had an event.
    mutating func add(_ event: FlowEvent) {
        next[event.partition] = max(event.offset + 1, next[event.partition] ?? 0)
    }

    var text: String {
        var parts = next.sorted { $0.key < $1.key }.map { "\($0.key.topic):\($0.key.partition):\($0.value)" }
        if isEnd { parts.append(Self.endText) }
        return parts.joined(separator: ",")
    }
}
