// Looks again for the topics on which a service tells of itself, where they were not there when it started.

import KafkaClient

/// Looks for the system topics from time to time until all of them are there.
struct SystemTopicLookout: Sendable {
    let topics: SystemTopics
    let provisioner: TopicProvisioner
    /// How long it waits before it looks the first time; each time twice as long, up to ten minutes.
    let firstPause: Duration
    let logger: Logger
    /// Told of every look that found a topic.
    let found: @Sendable (ProvisionedSystemTopics) -> Void

    /// Looks until there is nothing left to be looked for, or its task is cancelled.
    func run() async {
        var pause = firstPause
        while true {
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 2, max(firstPause, .seconds(600)))
            let now = await provisioner.provision(topics, warns: false)
            if Task.isCancelled { return }
            if now.services == .present || now.tasks == .present { found(now) }
            guard !now.isComplete else {
                return logger.notice(
                    "The topics on which the service tells of itself are there",
                    metadata: [LogKey.topic: "\(topics.services) \(topics.tasks)"])
            }
        }
    }
}
