// Looks again for the topics on which a service tells of itself, where they were not there when it started.

import KafkaClient

/// Looks for the system topics from time to time until all of them are there.
struct SystemTopicLookout: Sendable {
    let topics: SystemTopics
    /// What was known at the start.
    let known: ProvisionedSystemTopics
    /// How long it waits before it looks the first time, 100 ms at least; each time twice as long, up to ten minutes.
    let firstPause: Duration
    let logger: Logger
    /// Makes what asks the broker, for one look; `nil` where it cannot be made.
    ///
    /// Its connections and threads go with the look.
    let makeProvisioner: @Sendable () -> TopicProvisioner?
    /// Waits.
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// Told of every look what is known now.
    let learned: @Sendable (ProvisionedSystemTopics) -> Void

    /// Looks until there is nothing left to be looked for, or its task is cancelled.
    ///
    /// What the broker denies after it had left it open is warned of, once.
    func run() async {
        var known = known
        var pause = max(firstPause, .milliseconds(100))
        let longest = max(pause, .seconds(600))
        while !known.isComplete {
            do { try await sleep(pause) } catch { return }
            pause = min(pause * 2, longest)
            guard let found = await makeProvisioner()?.provision(topics, after: known) else { continue }
            if Task.isCancelled { return }
            known = found.after(known)
            learned(known)
        }
        logger.notice(
            "The topics on which the service tells of itself are there",
            metadata: [LogKey.topic: "\(topics.services) \(topics.tasks)"])
    }
}
