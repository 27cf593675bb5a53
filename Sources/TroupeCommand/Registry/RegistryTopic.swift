// Reads the topic of declarations and heartbeats, and tells which declarations hold now.

import EventJSON
import Foundation
import KafkaClient
import Troupe

/// What services and their instances have said of themselves, the last word of each.
struct RegistryRecords: Sendable, Equatable {
    /// A declaration and when it was last said, in milliseconds since 1970.
    struct Declared: Sendable, Equatable {
        let declaration: ServiceDeclaration
        let time: Int64
    }

    /// How many heartbeats may be missing before an instance is taken for dead.
    private static let missedHeartbeats: Int64 = 3
    /// How long what a publisher said holds beside its newest word, in milliseconds: it speaks every hour that it publishes.
    private static let publisherMemory: Int64 = 2 * 3_600_000

    /// By their keys.
    private(set) var declarations: [RegistryKey: Declared] = [:]
    private(set) var heartbeats: [RegistryKey: InstanceHeartbeat] = [:]

    /// Takes one record; what is none of the registry's is left out.
    mutating func take(key: String, value: [UInt8]?, time: Int64) {
        guard let key = RegistryKey(key) else { return }
        declarations[key] = nil
        heartbeats[key] = nil
        guard let value else { return }
        switch key {
        case .declaration:
            guard let declaration = try? EventJSONDecoder().decode(ServiceDeclaration.self, from: value) else { return }
            declarations[key] = Declared(declaration: declaration, time: time)
        case .instance:
            heartbeats[key] = try? EventJSONDecoder().decode(InstanceHeartbeat.self, from: value)
        }
    }

    /// The declarations that hold at `now`, in milliseconds since 1970.
    ///
    /// Those of live instances; of a service without any, the one that was said last. Publishers have no heartbeats, and
    /// what they said lately holds.
    func current(at now: Int64) -> [ServiceDeclaration] {
        let live = Set(
            heartbeats.values.filter { $0.isLive(at: now, missing: Self.missedHeartbeats) }
                .map { RegistryKey.declaration(service: $0.service, fingerprint: $0.declaration) })
        let services = Dictionary(grouping: declarations, by: \.value.declaration.service)
        return services.values.flatMap { entries in
            let publishers = entries.filter { $0.value.declaration.isOfPublisher }
            let newest = publishers.map(\.value.time).max() ?? 0
            let said = publishers.filter { newest - $0.value.time < Self.publisherMemory }.map(\.value.declaration)
            let all = entries.filter { !$0.value.declaration.isOfPublisher }
            let used = all.filter { live.contains($0.key) }
            guard used.isEmpty else { return used.map(\.value.declaration) + said }
            let last = all.max { ($0.value.time, $0.key.text) < ($1.value.time, $1.key.text) }
            return [last].compactMap { $0?.value.declaration } + said
        }.sorted { ($0.service, $0.version, $0.group) < ($1.service, $1.version, $1.group) }
    }
}

extension ServiceDeclaration {
    /// Whether it tells of an `EventPublisher`: what is published outside of handlings.
    fileprivate var isOfPublisher: Bool { routes.isEmpty && group.isEmpty }
}

extension InstanceHeartbeat {
    /// Whether the instance runs at `now`: it has not stopped, and its heartbeat is not overdue.
    func isLive(at now: Int64, missing: Int64) -> Bool {
        guard status.phase != .stopped else { return false }
        let (bound, overflow) = max(1, intervalMilliseconds).multipliedReportingOverflow(by: missing)
        return overflow || now.subtractingReportingOverflow(time).partialValue <= bound
    }
}

/// The topic `troupe.services` of a cluster.
struct RegistryTopic: Sendable {
    private let cluster: Cluster

    init(_ cluster: Cluster) { self.cluster = cluster }

    /// Reads the topic to its end.
    func read() async throws -> RegistryRecords {
        let topic = SystemTopics(namespace: cluster.namespace).services
        guard let description = try await cluster.topics()[topic] else { return RegistryRecords() }
        let watermarks = try await cluster.watermarks(of: description.topicPartitions)
        let records = Collected<(key: String, value: [UInt8]?, time: Int64)>()
        try await TopicReader(cluster).read(watermarks.mapValues { $0.low..<$0.high }) { record in
            if let key = record.key {
                let value = record.value.map { Array($0) }
                records.append((String(decoding: key, as: UTF8.self), value, record.timestamp.milliseconds))
            }
            return .goOn
        }
        var registry = RegistryRecords()
        // A key's records are in one partition: their order is that of their offsets.
        for record in records.all { registry.take(key: record.key, value: record.value, time: record.time) }
        return registry
    }

    /// The declarations that hold now.
    ///
    /// - Throws: `CommandFailure` with the code for "not found" when there are none.
    func declarations() async throws -> [ServiceDeclaration] {
        let declarations = try await read().current(at: Int64(Date().timeIntervalSince1970 * 1_000))
        guard !declarations.isEmpty else {
            let topic = SystemTopics(namespace: cluster.namespace).services
            throw CommandFailure.notFound(
                "No service has declared itself on the topic \(topic.printable). Services do when they run with tracking"
                    + (cluster.namespace.isEmpty ? "; with a namespace, give --namespace" : ""))
        }
        return declarations
    }
}
