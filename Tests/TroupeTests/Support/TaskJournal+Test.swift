// A journal of tests, and what it is given.

import EventJSON
import KafkaClient
import Testing

@testable import Troupe

extension TaskJournal {
    /// A journal of the service inventory.
    static func ofTest(
        limit: Int = 1_000_000, isTopicAbsent: Bool = false, transactionTimeout: Duration? = nil,
        _ change: (inout TrackingSettings) -> Void = { _ in }
    ) -> TaskJournal {
        var settings = TrackingSettings()
        change(&settings)
        return TaskJournal(
            topic: "troupe.tasks", service: "inventory", instance: #"a "host"/1"#, limit: limit, settings: settings,
            transactionTimeout: transactionTimeout, isTopicAbsent: isTopicAbsent)
    }

    /// What the batch that is next says; takes it for sent.
    func takeNext() throws -> TaskBatch? {
        guard let batch = next else { return nil }
        sent(now: 0)
        let value = try #require(batch.message.message.value)
        let decoded = try EventJSONDecoder().decode(TaskBatch.self, from: value)
        #expect(decoded.tasks.count == batch.count)
        return decoded
    }

    /// Adds the report of an attempt that succeeded.
    func addHandled(now: UInt64 = 0) throws {
        add(Attempt(outcome: .handled, number: 1, startedAt: 0), at: try .ofTest(), now: now)
    }
}

extension Handling {
    /// The handling of a record of an order that was placed.
    static func ofTest(_ record: KafkaRecord = eventRecord()) throws -> Handling {
        try orderProcessor().classify(record).handling()
    }
}

extension [PackedMessage] {
    /// So many events that a handling published, with the ids `id-0`, `id-1` and so on.
    static func reserved(_ count: Int) -> [PackedMessage] {
        (0..<count).map { number in
            var message = PackedMessage(topic: "stock")
            message.addHeader("ce_type", "shop.stock.reserved")
            message.addHeader("ce_id", "id-\(number)")
            return message
        }
    }
}
