// Finds out whether a cluster is the embedded broker, which wants other settings than a real Kafka.

import CRDKafka

extension KafkaConfiguration {
    /// The same configuration, knowing whether the cluster is the embedded broker, asked of the cluster if need be.
    ///
    /// The embedded broker is known by its cluster id. It wants short session time-outs and fetches and another
    /// assignor; the clients choose these when they know. A configuration that knows already is returned as it is.
    ///
    /// - Parameter timeout: How long to wait for the cluster's answer.
    /// - Throws: `KafkaError` when the cluster cannot be reached in time or a property is invalid, or
    ///   `CancellationError`.
    public func detectingEmbeddedBroker(within timeout: Duration = .seconds(10)) async throws -> KafkaConfiguration {
        if isEmbeddedBroker != nil { return self }
        let properties = try librdkafkaProperties(for: .admin)
        let clusterID = try await runBlocking(named: "kafka-detect") {
            try ClientHandle(.producer, properties: properties, events: RD_KAFKA_EVENT_ERROR).clusterID(within: timeout)
        }
        var configuration = self
        configuration.isEmbeddedBroker = clusterID.hasPrefix(EmbeddedBroker.clusterIDPrefix)
        return configuration
    }
}

extension ClientHandle {
    /// The cluster's id.
    ///
    /// Blocks until it is known.
    func clusterID(within timeout: Duration) throws -> String {
        guard let text = rd_kafka_clusterid(pointer, timeout.inMillisecondsC) else {
            throw unreachable(after: timeout)
        }
        defer { rd_kafka_mem_free(pointer, text) }
        return String(cString: text)
    }

    /// Why no broker answered: the last error the client reported, if any, such as a refused password.
    func unreachable(after timeout: Duration) -> KafkaError {
        let fallback = KafkaError(.allBrokersDown, "No broker answered within \(timeout)", isRetriable: true)
        guard let queue = rd_kafka_queue_get_main(pointer) else { return fallback }
        defer { rd_kafka_queue_destroy(queue) }
        var found: KafkaError?
        while let event = rd_kafka_queue_poll(queue, 0) {
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { continue }
            let error = KafkaError(event: event, client: pointer)
            // "All brokers are down" only repeats what an earlier error says better.
            if found == nil || error.code != .allBrokersDown { found = error }
        }
        guard var found else { return fallback }
        found.reason = "No broker answered within \(timeout): \(found.reason)"
        return found
    }
}
