// How long the work of an instance that was killed hard lies idle, at most.

import KafkaClient

extension ServiceConfiguration {
    /// The longest time until another instance goes on with the work of one that was killed hard, while brokers answer.
    ///
    /// That is the time until the group knows (`kafka.sessionTimeout`, 45 s), until the other members know (a heartbeat,
    /// 3 s), and until they have ended what they must give up for the new order of things (`engine.drainTimeout`,
    /// `engine.closeTimeout`). With `.exactlyOnce` the next owner also waits for the end of the transaction that the
    /// dead one left open (`kafka.transactionTimeout`, 10 s, looked after by the broker every 10 s), unless the instance
    /// comes back under its name before: the longer one of the two counts, since both begin with the kill. What waits in
    /// the retry topic is read after that; it takes as long as reading takes.
    ///
    /// - Throws: `StartupError` or `KafkaError` that name the variable or property that is wrong.
    public func takeoverBound() throws -> Duration {
        let settings = try resolved()
        let kafka = settings.kafka
        let heartbeat = kafka.properties["heartbeat.interval.ms"].flatMap { Int($0) } ?? 3_000
        let group =
            (kafka.sessionTimeout ?? .seconds(45)) + .milliseconds(heartbeat) + settings.engine.drainTimeout
            + settings.engine.closeTimeout
        guard settings.delivery == .exactlyOnce else { return group }
        return max(group, (kafka.transactionTimeout ?? .seconds(10)) + Self.transactionSweepInterval)
    }

    /// How often brokers look for transactions that have timed out, unless they are told otherwise
    /// (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
    static let transactionSweepInterval = Duration.seconds(10)
}
