// Grants access rights on a Kafka of a test's own, which the client does not offer.

import CRDKafka
import KafkaClient

/// A right of a user's: an access control list's entry.
struct AccessRight {
    var operation: rd_kafka_AclOperation_t
    var resource: rd_kafka_ResourceType_t
    var name: String
    var isPrefix = false

    static func topic(_ name: String, _ operation: rd_kafka_AclOperation_t, isPrefix: Bool = false) -> AccessRight {
        AccessRight(operation: operation, resource: RD_KAFKA_RESOURCE_TOPIC, name: name, isPrefix: isPrefix)
    }

    static func group(_ name: String, _ operation: rd_kafka_AclOperation_t) -> AccessRight {
        AccessRight(operation: operation, resource: RD_KAFKA_RESOURCE_GROUP, name: name)
    }
}

/// Grants rights to a user; blocks until the broker has answered.
///
/// Raw pointers, because this is the thin layer over librdkafka's calls: each is destroyed in the function that made it.
func grant(_ rights: [AccessRight], to user: String, on bootstrapServers: String) throws {
    var text = [CChar](repeating: 0, count: 512)
    let configuration = rd_kafka_conf_new()
    rd_kafka_conf_set(configuration, "bootstrap.servers", bootstrapServers, &text, text.count)
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &text, text.count) else {
        rd_kafka_conf_destroy(configuration)
        throw Failure(description: "Making an admin client failed")
    }
    defer { rd_kafka_destroy(client) }
    guard let queue = rd_kafka_queue_new(client) else { throw Failure(description: "The client has no queue") }
    defer { rd_kafka_queue_destroy(queue) }
    var bindings: [OpaquePointer?] = rights.map { right in
        rd_kafka_AclBinding_new(
            right.resource, right.name,
            right.isPrefix ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:\(user)",
            "*", right.operation, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, &text, text.count)
    }
    defer { for case let binding? in bindings { rd_kafka_AclBinding_destroy(binding) } }
    guard !bindings.contains(nil) else { throw Failure(description: "A right was refused by the client") }
    rd_kafka_CreateAcls(client, &bindings, bindings.count, nil, queue)
    guard let event = rd_kafka_queue_poll(queue, 30_000) else { throw Failure(description: "No broker answered") }
    defer { rd_kafka_event_destroy(event) }
    guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR else {
        throw Failure(description: rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "refused")
    }
}
