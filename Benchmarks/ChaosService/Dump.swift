// What the topics hold and the groups have committed, as text for the account.

import Foundation
import KafkaClient
import Troupe

/// Makes topics; `name:partitions` and, separated by commas, settings as `name=value`.
func makeTopics(_ kafka: KafkaConfiguration, _ topics: [String]) async throws {
    let admin = try KafkaAdmin(kafka)
    for topic in topics {
        let parts = topic.split(separator: ":", maxSplits: 1)
        let settings = parts.count == 2 ? parts[1].split(separator: ",") : []
        guard let first = settings.first, let partitions = Int(first) else {
            throw UsageError("expected NAME:PARTITIONS, not \(topic)")
        }
        var configuration: [String: String] = [:]
        for setting in settings.dropFirst() {
            let pair = setting.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { throw UsageError("expected NAME=VALUE, not \(setting)") }
            configuration[String(pair[0])] = String(pair[1])
        }
        try await admin.createTopic(NewTopic(String(parts[0]), partitions: partitions, configuration: configuration))
    }
}

/// Writes every committed record of the topics to a file.
///
/// Fields, separated by tabs: topic, partition, offset, timestamp, key, sequence number, event id, attempts made.
func dump(_ kafka: KafkaConfiguration, topics: [String], to path: String) async throws {
    guard let file = fopen(path, "w") else { throw Unwritable(path: path, reason: String(cString: strerror(errno))) }
    try await forEachRecord(of: topics, kafka) { fputs(line($0), file) }
    guard fclose(file) == 0 else { throw Unwritable(path: path, reason: String(cString: strerror(errno))) }
}

/// Reads every committed record of the topics, to the end they have now.
func forEachRecord(
    of topics: [String], _ kafka: KafkaConfiguration, _ body: (KafkaRecord) -> Void
) async throws {
    var kafka = kafka
    kafka.properties["enable.partition.eof"] = "true"
    kafka.properties["isolation.level"] = "read_committed"
    let admin = try KafkaAdmin(kafka)
    let described = try await admin.describeTopics(topics)
    let partitions = try topics.flatMap { try described[$0]?.get().topicPartitions ?? [] }
    let properties = try kafka.librdkafkaProperties(for: .consumer(group: nil))
    let waker = try Waker()
    let consumer = try PolledConsumer(properties: properties, waker: waker)
    var queues = try consumer.assign(partitions.map { CommittedOffset($0, offset: 0) })
    while !queues.isEmpty {
        var progress = false
        while consumer.nextEvent() != nil { progress = true }
        queues.removeAll { queue in
            while true {
                switch queue.poll() {
                case .record(let record): body(record)
                case .end: return true
                case .failed, .empty: return false
                }
                progress = true
            }
        }
        guard !progress, !queues.isEmpty else { continue }
        waker.prepareToSleep()
        waker.sleep(milliseconds: 20)
    }
}

private func line(_ record: KafkaRecord) -> String {
    let key = record.key.map { String(decoding: $0, as: UTF8.self) } ?? "-"
    return """
        \(record.topic)\t\(record.partition)\t\(record.offset)\t\(record.timestamp.milliseconds)\t\(key)\
        \t\(record.header("ce_subject") ?? "-")\t\(record.header("ce_id") ?? "-")\
        \t\(record.header("troupe-attempt") ?? "-")\n
        """
}

/// Prints what the groups have committed of the topics they read.
///
/// Fields, separated by tabs: group, topic, partition, committed offset or -1, bytes of metadata, the partition's end.
func printCommitted(_ kafka: KafkaConfiguration, groups: [String]) async throws {
    let admin = try KafkaAdmin(kafka)
    for argument in groups {
        // GROUP=TOPIC,TOPIC
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { throw UsageError("expected GROUP=TOPIC,TOPIC, not \(argument)") }
        let described = try await admin.describeTopics(parts[1].split(separator: ",").map(String.init))
        let partitions = try described.values.flatMap { try $0.get().topicPartitions }.sorted()
        let offsets = try await admin.committedOffsets(ofGroup: String(parts[0]), partitions: partitions)
        let ends = try await admin.watermarks(of: partitions)
        for partition in partitions {
            let committed = offsets[partition]
            print(
                parts[0], partition.topic, partition.partition, committed?.offset ?? -1,
                committed?.metadata?.utf8.count ?? 0, try ends[partition]?.get().high ?? -1, separator: "\t")
        }
    }
}
