// The registry as a value: what was declared and said, and what follows from it at a moment.

package import Troupe

/// What services declared and what their instances said, without a judgement.
///
/// Here is decided which declarations hold; whoever asks, a store or a tool, asks this.
package struct ServiceRegistry: Sendable, Equatable {
    /// A service and a type that it handles.
    struct RouteKey: Sendable, Hashable {
        var service: String
        var type: String

        /// By their bytes, as the store compares them: Swift also takes texts for equal that Unicode does.
        static func == (a: RouteKey, b: RouteKey) -> Bool {
            a.service.utf8.elementsEqual(b.service.utf8) && a.type.utf8.elementsEqual(b.type.utf8)
        }
    }

    /// How many heartbeats may be missing before an instance is taken for dead.
    static let missedHeartbeats: Int64 = 3

    var declarations: [String: [DeclarationEntry]] = [:]
    var heartbeats: [String: [InstanceHeartbeat]] = [:]
    /// Since when, in milliseconds since 1970, a service is known to handle a type.
    var since: [RouteKey: Int64] = [:]
    /// What the broker said of the lag of groups without instances.
    var lags: [String: Int] = [:]
    /// Until when, in milliseconds since 1970, reports of a service's attempts may be missing.
    var unreportedUntil: [String: Int64] = [:]

    /// A registry to which nobody has spoken.
    package init() {}

    /// The declarations that hold at `now`, in milliseconds since 1970, by service, version and group.
    package func declarations(at now: Int64) -> [ServiceDeclaration] { entries(at: now).currentDeclarations }

    /// The services by name, as they are at `now`.
    package func entries(at now: Int64) -> [ServiceEntry] {
        Set(declarations.keys).union(heartbeats.keys).sorted().map { name in
            let instances = (heartbeats[name] ?? []).map {
                InstanceEntry(heartbeat: $0, state: Self.state(of: $0, at: now))
            }
            .sorted { $0.heartbeat.instance < $1.heartbeat.instance }
            let live = instances.filter { $0.state == .live }
            let declared = current(of: name, live: live)
            let lag =
                live.isEmpty
                ? lags[name]
                : live.reduce(0) { sum, instance in
                    // What instances say comes from outside.
                    sum.flatMap { sum in
                        instance.heartbeat.status.lag.map { Int(Int64(sum).addingSaturated(Int64($0))) }
                    }
                }
            let lastSeen = max(
                declared.map(\.lastSeen).max() ?? 0, instances.map(\.heartbeat.time).max() ?? 0)
            return ServiceEntry(
                name: name, declarations: declared, instances: instances, lastSeen: lastSeen, lag: lag)
        }
    }

    /// How an instance is that said `heartbeat` last.
    static func state(of heartbeat: InstanceHeartbeat, at now: Int64) -> InstanceEntry.State {
        if heartbeat.status.phase == .stopped { return .stopped }
        let (bound, overflow) = max(1, heartbeat.intervalMilliseconds)
            .multipliedReportingOverflow(by: missedHeartbeats)
        return !overflow && now.subtractingSaturated(heartbeat.time) > bound ? .stale : .live
    }

    /// How long what a publisher said holds beside its newest word, in milliseconds: it speaks every hour that it publishes.
    static let publisherMemory: Int64 = 2 * 3_600_000

    /// The declarations that hold for a service, the newest first.
    ///
    /// Publishers have no heartbeats: what they said lately holds beside what the service declares.
    private func current(of service: String, live: [InstanceEntry]) -> [DeclarationEntry] {
        // An instance that names a declaration says it again.
        let said = (heartbeats[service] ?? []).reduce(into: [:]) { said, heartbeat in
            said[heartbeat.declaration] = max(said[heartbeat.declaration] ?? .min, heartbeat.time)
        }
        let all = (declarations[service] ?? []).map { entry in
            var entry = entry
            entry.lastSeen = max(entry.lastSeen, said[entry.fingerprint] ?? .min)
            return entry
        }.sorted { ($0.lastSeen, $0.fingerprint) > ($1.lastSeen, $1.fingerprint) }
        let publishers = all.filter(\.isOfPublisher)
        let lately = publishers.filter { (publishers.first?.lastSeen ?? 0) - $0.lastSeen < Self.publisherMemory }
        let own = all.filter { !$0.isOfPublisher }
        let named = Set(live.map(\.heartbeat.declaration))
        let used = own.filter { named.contains($0.fingerprint) }
        return (used.isEmpty ? Array(own.prefix(1)) : used) + lately
    }

    /// What follows at `now`: who handles what, and who is there to do it.
    func judged(at now: Int64) -> JudgedRegistry {
        JudgedRegistry(entries(at: now), since: since, unreportedUntil: unreportedUntil)
    }
}

extension [ServiceEntry] {
    /// What all of them declare now, by service, version and group.
    var currentDeclarations: [ServiceDeclaration] {
        flatMap(\.declarations).map(\.declaration).sorted {
            ($0.service, $0.version, $0.group) < ($1.service, $1.version, $1.group)
        }
    }
}

/// Who handles what at a moment, and who is there to do it.
struct JudgedRegistry: Sendable, Equatable {
    /// A route of a service.
    struct Duty: Sendable, Equatable {
        var service: String
        var route: RouteDeclaration
        /// Since when the service is known to handle the type, in milliseconds since 1970.
        var since: Int64
    }

    /// The services by name.
    let services: [String: ServiceEntry]
    /// The routes that take events of a type, one for a service, by the service's name.
    let duties: [String: [Duty]]
    /// The types that end a flow.
    let endings: [String: FlowEnding]
    /// Until when reports of a service's attempts may be missing; for ever of one that declares that it makes none.
    let unreportedUntil: [String: Int64]

    init(
        _ entries: [ServiceEntry], since: [ServiceRegistry.RouteKey: Int64] = [:],
        unreportedUntil: [String: Int64] = [:]
    ) {
        services = entries.reduce(into: [:]) { $0[$1.name] = $1 }
        var duties: [String: [Duty]] = [:]
        var endings: [String: FlowEnding] = [:]
        for entry in entries {
            // The newest declaration comes first and wins.
            for declaration in entry.declarations.map(\.declaration) {
                for route in declaration.routes where route.input != .foreign {
                    for type in Set([route.type] + route.acceptedTypes) {
                        let known = duties[type]?.contains {
                            $0.service == entry.name && $0.route.input == route.input
                        }
                        guard known != true else { continue }
                        let key = ServiceRegistry.RouteKey(service: entry.name, type: type)
                        duties[type, default: []].append(
                            Duty(service: entry.name, route: route, since: since[key] ?? 0))
                    }
                }
                for event in declaration.events {
                    if let ending = event.flowEnding, endings[event.type] == nil { endings[event.type] = ending }
                }
            }
        }
        self.duties = duties
        self.endings = endings
        self.unreportedUntil = entries.reduce(into: unreportedUntil) { until, entry in
            if entry.declarations.contains(where: { $0.declaration.reportsAttempts == false }) {
                until[entry.name] = .max
            }
        }
    }

    /// A number for what decides the statuses of flows: who handles what since when, and what ends a flow.
    ///
    /// It is the same in every process (FNV-1a), because the store keeps it.
    var digest: Int64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        for type in duties.keys.sorted() {
            for duty in duties[type] ?? [] {
                add(type)
                add(duty.service)
                add(duty.route.input.rawValue)
                add(duty.route.topic)
                add(duty.route.compensates ?? "")
                add(String(duty.route.withinMilliseconds))
                add(String(duty.since))
            }
        }
        for service in unreportedUntil.keys.sorted() {
            add(service)
            add(String(unreportedUntil[service] ?? 0))
        }
        for type in endings.keys.sorted() {
            add(type)
            add(endings[type]?.rawValue ?? "")
        }
        return Int64(bitPattern: hash)
    }

    /// The topics of events that anybody reads or publishes.
    var eventTopics: Set<String> {
        services.values.reduce(into: []) { topics, entry in
            for declaration in entry.declarations.map(\.declaration) {
                topics.formUnion(declaration.routes.map(\.topic))
                topics.formUnion(declaration.events.map(\.topic))
            }
        }
    }
}
