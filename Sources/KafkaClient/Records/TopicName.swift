// What Kafka takes for a topic's name.

/// Kafka's rules for topic names.
public enum TopicName {
    /// The greatest length of a name, in characters.
    public static let maxLength = 249

    /// What is wrong with `name`, or `nil` when Kafka takes it.
    ///
    /// The rule is that of Apache Kafka's `Topic.validate`: ASCII letters, digits, `.`, `_` and `-`.
    public static func problem(with name: String) -> String? {
        if name.isEmpty { return "a topic's name must not be empty" }
        if name == "." || name == ".." { return "a topic cannot be named \"\(name)\"" }
        if name.utf8.count > maxLength { return "a topic's name has at most \(maxLength) characters" }
        let isLegal = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isLegal ? nil : "a topic's name takes only ASCII letters, digits, '.', '_' and '-'"
    }

    /// Throws `KafkaError` with `.invalidTopic` when Kafka would not take `name`.
    static func validate(_ name: String) throws(KafkaError) {
        if let problem = problem(with: name) {
            throw KafkaError(.invalidTopic, "The topic name is invalid: \(problem)", topic: name)
        }
    }
}
