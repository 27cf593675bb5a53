// The names of topics and services, and what makes one unusable.

/// Rules for names.
package enum NameRule {
    /// What is wrong with the name of a topic by Kafka's rules, or `nil` when it is usable.
    package static func defect(ofTopic name: String) -> String? {
        if name.isEmpty { return "it is empty" }
        if name == "." || name == ".." { return "Kafka refuses `.` and `..`" }
        let length = name.utf8.count
        if length > KafkaLimits.maxTopicNameBytes {
            return "it has \(length) characters; Kafka allows \(KafkaLimits.maxTopicNameBytes)"
        }
        guard name.utf8.allSatisfy(isNameByte) else {
            return "Kafka allows only letters a-z and A-Z, digits, `.`, `_` and `-`"
        }
        return nil
    }

    /// What is wrong with the name of a service, or `nil` when it is usable.
    package static func defect(ofService name: String) -> String? {
        if name == "troupe" { return "`troupe` is reserved" }
        guard (1...63).contains(name.utf8.count), name.utf8.allSatisfy(isServiceByte) else {
            return "a service's name has 1 to 63 of the letters a-z, digits and `-`"
        }
        return nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func isServiceByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}

/// The names a service goes by on the broker.
package struct ServiceNames: Sendable, Hashable {
    /// The service's name.
    package let service: String
    /// What is put before the name of every topic, group and transactional id.
    package let namespace: String
    /// The consumer group without the namespace: the service's name when nothing else is said.
    package let group: String

    /// Names a service.
    package init(service: String, namespace: String = "", consumerGroup: String? = nil) {
        self.service = service
        self.namespace = namespace
        group = consumerGroup ?? service
    }

    /// The topics on which services tell of themselves.
    package var systemTopics: SystemTopics { SystemTopics(namespace: namespace) }

    /// The consumer group on the broker.
    package var consumerGroup: String { namespace + group }

    /// The transactional id of one instance of the service, which must be the only one of that name at a time.
    package func transactionalID(instance: String) -> String { "\(consumerGroup).\(instance)" }

    /// The broker's name of an input topic.
    package func input(_ topic: Topic) -> String { namespace + topic.rawValue }

    /// The broker's name of the retry topic of `topic`.
    ///
    /// It begins with the group's name, because retry and dead-letter topics belong to one consumer group.
    package func retry(_ topic: Topic) -> String { "\(namespace)\(group).\(topic.rawValue).retry" }

    /// The broker's name of the dead-letter topic of `topic`.
    package func deadLetter(_ topic: Topic) -> String { "\(namespace)\(group).\(topic.rawValue).dlt" }
}
