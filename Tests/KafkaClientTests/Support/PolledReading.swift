// What the tests of the polled layer share: an owner that sleeps on its waker until something is as it should be.

import Testing

@testable import KafkaClient

/// Serves what a test owns until `isDone`, sleeping on the waker in between.
///
/// - Throws: `KafkaError` with `.timedOut` when that takes too long.
func serve(
    _ waker: Waker, within timeout: Duration = .seconds(120), _ isEmpty: () -> Bool, _ round: () throws -> Bool,
    until isDone: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + timeout
    while try !isDone() {
        guard ContinuousClock.now < deadline else { throw KafkaError(.timedOut, "The test waited in vain") }
        if try round() { continue }
        waker.prepareToSleep()
        if isEmpty() { waker.sleep(milliseconds: 100) } else { waker.cancelSleep() }
    }
}

/// Reads a partition from an offset to its present end.
func readToEnd(
    _ partition: TopicPartition, from offset: Int64 = 0, isolation: KafkaConfiguration.Isolation,
    on cluster: TestCluster = .kafka
) async throws -> (records: [KafkaRecord], end: Int64) {
    let properties = try cluster.configuration.librdkafkaProperties(for: .tailReader(isolation))
    return try await runBlocking(named: "test-tail") {
        let waker = try Waker()
        let reader = try TailReader(properties: properties, waker: waker)
        try reader.read(from: [partition: offset])
        var records: [KafkaRecord] = []
        var end: Int64?
        try serve(waker, { reader.isEmpty }) {
            var failure: KafkaError?
            let count = reader.drain { event in
                switch event {
                case .record(let record): records.append(record)
                case .end(_, let offset): end = offset
                case .failed(let error): failure = error.isRetriable ? failure : error
                }
            }
            if let failure { throw failure }
            return count > 0
        } until: {
            end != nil
        }
        #expect(reader.partitions.isEmpty)
        return (records, try #require(end))
    }
}

/// Reads what is committed of a partition, up to its end.
///
/// A commit is decided when the call returns, and its marker written to each partition a little later: what lies behind
/// is waited for.
func readCommitted(_ topic: String, _ partition: Int32 = 0) async throws -> [KafkaRecord] {
    let partition = TopicPartition(topic, partition)
    let deadline = ContinuousClock.now + .seconds(120)
    while true {
        let end = try await readToEnd(partition, isolation: .readUncommitted).end
        let seen = try await readToEnd(partition, isolation: .readCommitted)
        if seen.end >= end { return seen.records }
        guard ContinuousClock.now < deadline else { throw KafkaError(.timedOut, "A transaction stays open") }
    }
}

/// The values of records as text.
func texts(_ records: [KafkaRecord]) -> [String] {
    records.map { record in record.value.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}

/// Waits for every outcome, and returns why those records failed that did.
func failures(of receipts: [DeliveryReceipt]) async throws -> [KafkaError] {
    var failures: [KafkaError] = []
    for receipt in receipts {
        do { _ = try await receipt.delivery() } catch let error as KafkaError { failures.append(error) }
    }
    return failures
}

/// Waits until `condition` holds, looking every few milliseconds.
///
/// - Throws: `KafkaError` with `.timedOut` when that takes too long.
func eventually(within timeout: Duration = .seconds(120), _ condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + timeout
    while !condition() {
        guard ContinuousClock.now < deadline else { throw KafkaError(.timedOut, "The test waited in vain") }
        try await Task.sleep(for: .milliseconds(5))
    }
}
