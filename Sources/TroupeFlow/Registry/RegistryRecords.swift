// Takes the records of the registry's topic, for whoever keeps no store.

package import KafkaClient
package import Troupe

extension ServiceRegistry {
    /// Takes a record of the topic `troupe.services`, in the order of offsets; what is none of the registry's changes nothing.
    package mutating func take(_ record: KafkaRecord, _ topics: SystemTopics) {
        switch Observation(record, topics) {
        case .declaration(let service, let fingerprint, let declaration):
            declarations[service]?.removeAll { $0.fingerprint == fingerprint }
            guard let declaration else { return }
            declarations[service, default: []].append(
                DeclarationEntry(
                    fingerprint: fingerprint, declaration: declaration, lastSeen: max(0, record.timestamp.milliseconds))
            )
        case .instance(let service, let instance, let heartbeat):
            heartbeats[service]?.removeAll { $0.instance == instance }
            if let heartbeat { heartbeats[service, default: []].append(heartbeat) }
        case .event, .tasks, .nothing: return
        }
    }
}
