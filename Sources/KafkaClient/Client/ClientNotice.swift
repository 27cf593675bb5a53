// What a client has to say beside records and deliveries.

/// What a client has to say beside records and deliveries.
public enum ClientNotice: Sendable {
    /// Something is wrong; the client goes on by itself unless the error is fatal.
    case error(KafkaError)
    /// A log line of librdkafka's.
    case log(ClientLog)
    /// Statistics, when `KafkaConfiguration.statisticsInterval` is set.
    case statistics(KafkaStatistics)

    init?(_ event: ConsumerEvent) {
        switch event {
        case .error(let error): self = .error(error)
        case .log(let line): self = .log(line)
        case .statistics(let json):
            guard let statistics = try? KafkaStatistics(json: json) else { return nil }
            self = .statistics(statistics)
        case .assigned, .revoked, .lost, .committed, .transaction: return nil
        }
    }
}

/// A stream of notices that drops the oldest when nobody reads it.
struct NoticeStream: Sendable {
    /// How many notices wait to be read at most.
    static let capacity = 256

    let stream: AsyncStream<ClientNotice>
    private let continuation: AsyncStream<ClientNotice>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.capacity))
    }

    func yield(_ event: ConsumerEvent) {
        if let notice = ClientNotice(event) { continuation.yield(notice) }
    }

    func finish() { continuation.finish() }
}
