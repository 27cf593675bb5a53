// Asks for what a consumer's group has committed without making its owner wait, for an owner that polls.

import CRDKafka
import Synchronization

/// Asks for what a consumer's group has committed without making its owner wait, for an owner that polls.
///
/// It asks through the consumer's own client, which knows its group's coordinator and finds it again when it moves: no
/// connection of its own. Each question waits for its answer in a thread of its own, since librdkafka only has a call
/// that blocks. Its admin request, which does not block, is no way around that: one that timed out while the
/// coordinator was looked for ends the process when the coordinator is found (seen in 2.0.2; an assertion in
/// `rd_kafka_enq_once_del_source_return`). Not thread-safe: one owner at a time.
package final class GroupOffsetsQuery {
    /// The answer to one question.
    package struct Answer: Sendable {
        /// The number given with the question.
        package let tag: UInt
        /// The group's offsets with their metadata, of the partitions that have one; or why they are not known.
        package let offsets: Result<[CommittedOffset], KafkaError>
    }

    private let shared: Shared
    private var pending: Set<UInt> = []

    /// Creates a query about a consumer's group, which wakes the consumer's owner when an answer is there.
    package init(of consumer: PolledConsumer) { shared = Shared(consumer.client, consumer.waker) }

    deinit { shared.abandon() }

    /// Whether no answer waits.
    package var isEmpty: Bool { shared.isEmpty }

    /// How many questions wait for their answer.
    package var pendingCount: Int { pending.count }

    /// Asks for the offsets the group has committed of partitions; the answer comes from `nextAnswer`.
    ///
    /// Of a consumer that reads committed records only, which is librdkafka's default, offsets that a transaction is
    /// about to commit are waited for (KIP-447); so the answer `.timedOut` may mean a transaction that stays open.
    ///
    /// - Parameters:
    ///   - partitions: The partitions, at least one and each once.
    ///   - timeout: When the answer is an error at the latest.
    ///   - tag: A number to know the answer by, not used by a question that waits for its answer.
    /// - Throws: `KafkaError` with `.invalidArgument`, or when there is no thread to be had; there is no answer then.
    package func start(partitions: [TopicPartition], within timeout: Duration = .seconds(10), tag: UInt) throws {
        guard !partitions.isEmpty, !pending.contains(tag) else {
            throw KafkaError(
                .invalidArgument, "A question about offsets needs a partition, and a tag that is not in use")
        }
        let deadline = ContinuousClock.now + timeout
        try startThread(named: "kafka-offsets") { [shared] in
            shared.publish(Answer(tag: tag, offsets: shared.ask(partitions, until: deadline)))
        }
        pending.insert(tag)
    }

    /// The next answer; `nil` when there is none now.
    package func nextAnswer() -> Answer? {
        guard let answer = shared.take() else { return nil }
        pending.remove(answer.tag)
        return answer
    }

    /// What the owner and the threads of its questions share.
    private final class Shared: Sendable {
        private struct State {
            var answers: [Answer] = []
            var isAbandoned = false
        }

        private let client: ClientHandle
        private let waker: Waker
        private let state = Mutex(State())

        init(_ client: ClientHandle, _ waker: Waker) {
            self.client = client
            self.waker = waker
        }

        var isEmpty: Bool { state.withLock { $0.answers.isEmpty } }

        func take() -> Answer? { state.withLock { $0.answers.isEmpty ? nil : $0.answers.removeFirst() } }

        func publish(_ answer: Answer) {
            state.withLock { $0.answers.append(answer) }
            waker.wake()
        }

        func abandon() { state.withLock { $0.isAbandoned = true } }

        /// Asks until there is an answer; blocks.
        ///
        /// In short turns, so that a thread whose owner has gone ends soon, and so that a call that waits for news of
        /// the brokers looks again when there are none.
        func ask(
            _ partitions: [TopicPartition], until deadline: ContinuousClock.Instant
        ) -> Result<[CommittedOffset], KafkaError> {
            while true {
                do {
                    let turn = max(.milliseconds(1), min(.milliseconds(250), deadline - .now))
                    return .success(Array(try client.committed(partitions, within: turn).values))
                } catch {
                    let mayGoOn = ContinuousClock.now < deadline && !state.withLock { $0.isAbandoned }
                    if error.code != .timedOut || !mayGoOn { return .failure(error) }
                }
            }
        }
    }
}
