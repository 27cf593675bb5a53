// What gateways ask the registry: which events end a flow, and which topics carry events.

package import Troupe

extension ServiceRegistry {
    /// The types that end a flow, as the declarations that hold at `now`, in milliseconds since 1970, say.
    package func endings(at now: Int64) -> [String: FlowEnding] { judged(at: now).endings }

    /// The broker's names of the topics of events that are published, as the declarations that hold at `now` say.
    package func publishedTopics(at now: Int64) -> Set<String> {
        Set(declarations(at: now).flatMap { $0.events.map(\.topic) })
    }

    /// Forgets instances that spoke last before `time`, in milliseconds since 1970.
    package mutating func forgetInstances(before time: Int64) {
        heartbeats = heartbeats.mapValues { $0.filter { $0.time >= time } }.filter { !$0.value.isEmpty }
    }
}
