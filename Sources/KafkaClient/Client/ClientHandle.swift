// The one owner of a librdkafka client instance.

import CRDKafka
import Synchronization

/// Owns one `rd_kafka_t` and destroys it.
///
/// `@unchecked Sendable`: librdkafka's client object may be used from any thread.
package final class ClientHandle: @unchecked Sendable {
    /// What the client does.
    enum Kind {
        case producer
        case consumer
    }

    let pointer: OpaquePointer
    private let kind: Kind
    /// What the client's callbacks use: it goes after the client.
    private let window: SendWindow?
    private let isKept = Atomic<Bool>(false)

    /// Creates a client from librdkafka properties.
    ///
    /// Throws an error that names an unknown or invalid property.
    ///
    /// `events` is the set of `RD_KAFKA_EVENT_*` the owner serves from the client's queue; a producer's `window` is told of
    /// every record that is settled.
    init(_ kind: Kind, properties: [(String, String)], events: Int32, window: SendWindow? = nil) throws {
        self.kind = kind
        self.window = window
        guard let configuration = rd_kafka_conf_new() else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "Creating a configuration failed")
        }
        // librdkafka takes the configuration over only when rd_kafka_new succeeds.
        var owned: OpaquePointer? = configuration
        defer { if let owned { rd_kafka_conf_destroy(owned) } }
        let reason = UnsafeMutableBufferPointer<CChar>.allocate(capacity: 512)
        reason.initialize(repeating: 0)
        defer { reason.deallocate() }
        for (name, value) in properties + [("log.queue", "true")] {
            let result = rd_kafka_conf_set(configuration, name, value, reason.baseAddress, reason.count)
            if result != RD_KAFKA_CONF_OK { throw Self.invalidProperty(name, result) }
        }
        rd_kafka_conf_set_events(configuration, events | RD_KAFKA_EVENT_LOG)
        try window?.watch(configuration)
        guard
            let client = rd_kafka_new(
                kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, configuration, reason.baseAddress,
                reason.count)
        else {
            throw KafkaError(
                .invalidConfiguration,
                "Creating the client failed: \(Self.text(reason))",
                advice: "Check the combination of the client's properties")
        }
        owned = nil
        pointer = client
        // Log lines arrive as events on the client's own queue, never on stderr.
        rd_kafka_set_log_queue(client, nil)
        if kind == .consumer { rd_kafka_poll_set_consumer(client) }
    }

    deinit {
        guard kind == .consumer else {
            rd_kafka_destroy(pointer)
            return
        }
        if isKept.load(ordering: .acquiring) { return }
        // A consumer is closed before (`ConsumerEnd`); destroying must not wait for its group again. It does
        // wait for librdkafka's threads, which before 2.4 can take for ever: not on a thread that others need.
        let doomed = Doomed(client: pointer)
        let flags = RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE
        do {
            try startThread(named: "kafka-destroy") { rd_kafka_destroy_flags(doomed.client, flags) }
        } catch {
            rd_kafka_destroy_flags(doomed.client, flags)
        }
    }

    /// Keeps the client, with its idle threads, for as long as the process runs: destroying it would end that.
    func outlivesItsOwners() { isKept.store(true, ordering: .releasing) }

    /// A client on its way to its destruction.
    ///
    /// `@unchecked Sendable`: nobody else has the pointer any more.
    private struct Doomed: @unchecked Sendable {
        let client: OpaquePointer
    }

    /// librdkafka repeats the value in its text, which may be a password: the error names the property alone.
    private static func invalidProperty(_ name: String, _ result: rd_kafka_conf_res_t) -> KafkaError {
        if result == RD_KAFKA_CONF_UNKNOWN {
            return KafkaError(
                .invalidConfiguration, "Unknown configuration property \"\(name)\"",
                advice: "Check its spelling against librdkafka's CONFIGURATION.md for version \(versionText)")
        }
        return KafkaError(
            .invalidConfiguration, "Configuration property \"\(name)\" has an invalid value",
            advice: "See the values it takes in librdkafka's CONFIGURATION.md for version \(versionText)")
    }

    private static func text(_ buffer: UnsafeMutableBufferPointer<CChar>) -> String {
        buffer.baseAddress.map { String(cString: $0) } ?? ""
    }

    static var versionText: String { String(cString: rd_kafka_version_str()) }

    /// The client's name in its logs, such as `rdkafka#consumer-1`.
    package var name: String { String(cString: rd_kafka_name(pointer)) }

    /// The number of records and requests that wait to be sent or acknowledged, or for the application to see.
    package var outstanding: Int { Int(rd_kafka_outq_len(pointer)) }
}
