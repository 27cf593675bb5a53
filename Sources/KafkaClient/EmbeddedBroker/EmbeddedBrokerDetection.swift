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
        return knowing(clusterID)
    }

    /// The same, but brokers that refuse every connection are not waited for until the time-out.
    ///
    /// For those who ask once and have somebody waiting. A broker that has just been started refuses for a moment, hence
    /// the patience.
    ///
    /// - Parameter patience: How long every broker that is named must have refused, or must not have been found by its
    ///   name.
    /// - Throws: As `detectingEmbeddedBroker(within:)`; with `.allBrokersDown` when they refused, naming each and why.
    package func detectingEmbeddedBroker(
        within timeout: Duration = .seconds(10), givingUpOnRefusalAfter patience: Duration
    ) async throws -> KafkaConfiguration {
        if isEmbeddedBroker != nil { return self }
        let properties =
            try librdkafkaProperties(for: .admin) + [
                // All brokers are tried at once, not one a second, and the states of their connections are told.
                ("enable.sparse.connections", "false"), ("statistics.interval.ms", "100"),
                // Each machine that a name stands for is tried several times meanwhile.
                ("reconnect.backoff.ms", "50"), ("reconnect.backoff.max.ms", "250"),
            ]
        let refused = RefusedBrokers(of: bootstrapServers)
        let clusterID = try await runBlocking(named: "kafka-detect") {
            try ClientHandle(
                .producer, properties: properties, events: RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
            ).clusterID(within: timeout, givingUpAfter: patience, on: refused)
        }
        return knowing(clusterID)
    }

    private func knowing(_ clusterID: String) -> KafkaConfiguration {
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

    /// The cluster's id.
    ///
    /// Blocks until it is known, or until every broker has been refusing for a while.
    func clusterID(
        within timeout: Duration, givingUpAfter patience: Duration, on brokers: RefusedBrokers
    ) throws -> String {
        var brokers = brokers
        var found: KafkaError?
        let start = ContinuousClock.now
        while true {
            let elapsed = start.duration(to: .now)
            let slice = min(max(timeout - elapsed, .zero), .milliseconds(25))
            if let text = rd_kafka_clusterid(pointer, slice.inMillisecondsC) {
                defer { rd_kafka_mem_free(pointer, text) }
                return String(cString: text)
            }
            takeEvents(waiting: 5) { event in
                switch rd_kafka_event_type(event) {
                case RD_KAFKA_EVENT_ERROR:
                    let error = KafkaError(event: event, client: pointer)
                    brokers.note(error)
                    if found == nil || error.code != .allBrokersDown { found = error }
                case RD_KAFKA_EVENT_STATS:
                    let text = rd_kafka_event_stats(event).map { String(cString: $0) } ?? ""
                    if let statistics = try? KafkaStatistics(json: text) { brokers.note(statistics) }
                default: break
                }
            }
            if elapsed >= patience, let refusal = brokers.refusal { throw refusal }
            if elapsed >= timeout { throw Self.unreachable(after: timeout, found) }
        }
    }

    /// Why no broker answered: the last error the client reported, if any, such as a refused password.
    func unreachable(after timeout: Duration) -> KafkaError {
        var found: KafkaError?
        takeEvents { event in
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { return }
            let error = KafkaError(event: event, client: pointer)
            // "All brokers are down" only repeats what an earlier error says better.
            if found == nil || error.code != .allBrokersDown { found = error }
        }
        return Self.unreachable(after: timeout, found)
    }

    /// Takes the client's events that are there, waiting up to some milliseconds for the first.
    private func takeEvents(waiting milliseconds: Int32 = 0, _ body: (OpaquePointer) -> Void) {
        guard let queue = rd_kafka_queue_get_main(pointer) else { return }
        defer { rd_kafka_queue_destroy(queue) }
        var wait = milliseconds
        while let event = rd_kafka_queue_poll(queue, wait) {
            wait = 0
            body(event)
            rd_kafka_event_destroy(event)
        }
    }

    private static func unreachable(after timeout: Duration, _ cause: KafkaError?) -> KafkaError {
        guard var found = cause else {
            return KafkaError(.allBrokersDown, "No broker answered within \(timeout)", isRetriable: true)
        }
        found.reason = "No broker answered within \(timeout): \(found.reason)"
        return found
    }
}
