// Topics and groups by the names people type.

import KafkaClient
import Troupe

extension Cluster {
    /// The broker's name of a topic or group that was named on the command line.
    ///
    /// The namespace may be left out, or be there as in the tool's own output.
    func brokerName(of name: String) -> String { name.hasPrefix(namespace) ? name : namespace + name }

    /// The description of a topic that was named on the command line.
    ///
    /// - Throws: `CommandFailure` with the code for "not found", suggesting what may have been meant.
    func topic(named name: String) async throws -> TopicDescription {
        let topics = try await topics()
        let full = brokerName(of: name)
        if let topic = topics[full] { return topic }
        // A topic of that name in some namespace is likelier than a typing error.
        let names = topics.keys.sorted()
        let meant = names.first { $0.hasSuffix("." + name) } ?? Suggestion.closest(to: full, among: names)
        let hint = meant.map { "Did you mean \($0.printable)?" }
        throw CommandFailure.notFound(
            "There is no topic \(full.printable). \(hint ?? "'troupe topics list' shows those there are.")")
    }
}

extension TopicPlan.Purpose: Encodable {
    /// What a topic is for, by Troupe's names; `nil` for a topic of events.
    init?(ofTopic name: String) {
        if name.hasSuffix(".retry") {
            self = .retry
        } else if name.hasSuffix(DeadLetter.topicSuffix) {
            self = .deadLetter
        } else if name.hasSuffix("troupe.services") || name.hasSuffix("troupe.tasks") {
            self = .system
        } else {
            return nil
        }
    }

    /// The purpose in words.
    var words: String {
        switch self {
        case .input: "input"
        case .retry: "retry"
        case .deadLetter: "dead letters"
        case .output: "output"
        case .system: "tracking"
        }
    }
}
