// The asynchronous sequences of records.

/// The records a consumer reads, one by one.
///
/// The loop's body runs where the loop runs: records are handed over in batches, and no executor is changed for a
/// record that is there already. Several loops share the records; each record goes to one of them. The sequence ends
/// when the consumer is closed or the task is cancelled, and throws only a fatal error.
public struct KafkaRecords: AsyncSequence, Sendable {
    let core: ConsumerCore

    /// Begins a loop.
    public func makeAsyncIterator() -> Iterator { Iterator(rest: Rest(core)) }

    /// Hands out the records one by one.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let rest: Rest

        /// The next record; `nil` at the end.
        public mutating func next() async throws -> KafkaRecord? { try await next(isolation: nil) }

        /// The next record; `nil` at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> KafkaRecord? {
            while true {
                if let record = rest.next() { return record }
                guard let batch = try await rest.core.nextBatch() else { return nil }
                rest.refill(batch)
            }
        }
    }

    /// The batch a loop is in.
    ///
    /// A loop that is left gives back what it did not get to.
    fileprivate final class Rest {
        let core: ConsumerCore
        private var batch: ConsumerCore.Batch = ([], 0)
        private var index = 0

        init(_ core: ConsumerCore) { self.core = core }

        deinit { if index < batch.records.count { core.putBack(unread) } }

        private var unread: ConsumerCore.Batch { (Array(batch.records[index...]), batch.generation) }

        func refill(_ batch: ConsumerCore.Batch) {
            self.batch = batch
            index = 0
        }

        func next() -> KafkaRecord? {
            if index < batch.records.count, batch.generation != core.generation { refill(core.revalidate(unread)) }
            guard index < batch.records.count else { return nil }
            defer { index += 1 }
            return batch.records[index]
        }
    }
}

@available(*, unavailable)
extension KafkaRecords.Iterator: Sendable {}

/// The records a consumer reads, in the batches they are handed over in.
///
/// It ends as `KafkaRecords` does.
public struct KafkaRecordBatches: AsyncSequence, Sendable {
    let core: ConsumerCore

    /// Begins a loop.
    public func makeAsyncIterator() -> Iterator { Iterator(core: core) }

    /// Hands out the batches.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let core: ConsumerCore

        /// The next batch, which is never empty; `nil` at the end.
        public mutating func next() async throws -> [KafkaRecord]? { try await next(isolation: nil) }

        /// The next batch, which is never empty; `nil` at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> [KafkaRecord]? {
            try await core.nextBatch()?.records
        }
    }
}
