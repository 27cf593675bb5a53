// Reads committed offsets for an owner that must not block.

import Synchronization

/// Reads what a consumer's group has committed while the consumer's owner goes on; the answer wakes it.
///
/// librdkafka has the question as a blocking call only, with the consumer's own isolation level, which an open
/// transaction's offsets need: each question has a thread for as long as it takes.
package final class CommittedOffsetsReader<Ticket: Sendable>: Sendable {
    private let client: ClientHandle
    private let waker: Waker
    private let timeout: Duration
    private let answers = Mutex<[(ticket: Ticket, answer: Result<[CommittedOffset], KafkaError>)]>([])

    /// Makes a reader for the group of `consumer`; a question takes `timeout` at most.
    package init(_ consumer: PolledConsumer, waker: Waker, within timeout: Duration = .seconds(10)) {
        client = consumer.client
        self.waker = waker
        self.timeout = timeout
    }

    /// Asks what is committed of `partitions`.
    ///
    /// Those without a committed offset are left out of the answer. Returns `false` when the system has no thread left.
    package func ask(for partitions: [TopicPartition], ticket: Ticket) -> Bool {
        let thread: Void? = try? startThread(named: "troupe-offsets") { [self] in
            let answer: Result<[CommittedOffset], KafkaError>
            do {
                answer = .success(Array(try client.committed(partitions, within: timeout).values))
            } catch let error as KafkaError {
                answer = .failure(error)
            } catch {
                answer = .failure(KafkaError(.invalidState, "Asking for committed offsets failed: \(error)"))
            }
            answers.withLock { $0.append((ticket, answer)) }
            waker.wake()
        }
        return thread != nil
    }

    /// Whether no answer waits.
    package var isEmpty: Bool { answers.withLock { $0.isEmpty } }

    /// Takes the next answer; `nil` when there is none now.
    package func next() -> (ticket: Ticket, answer: Result<[CommittedOffset], KafkaError>)? {
        answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}
