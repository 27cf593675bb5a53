// What the services said last of themselves.

import Foundation
import Synchronization
import Troupe

/// The last status of each service, with the counts of processes that have ended added to those of their successors.
final class StatusBoard: Sendable {
    private struct Entry {
        /// The sums over earlier processes.
        var earlier = ServiceStatus()
        var current: ServiceStatus?
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// Takes in a line that a service told; what is no status is left alone.
    func take(_ line: Data, from service: String) {
        guard let status = try? JSONDecoder().decode(ServiceStatus.self, from: line) else { return }
        entries.withLock { $0[service, default: Entry()].current = status }
    }

    /// Notes that a service's process has ended: its counts stay, what it was doing is gone.
    func processEnded(_ service: String) {
        entries.withLock { entries in
            guard let current = entries[service]?.current else { return }
            entries[service]?.earlier.add(countsOf: current)
            entries[service]?.current = nil
        }
    }

    /// The status of a service over all its processes; `nil` before it said anything.
    func status(of service: String) -> ServiceStatus? {
        entries.withLock { entries in
            guard let entry = entries[service] else { return nil }
            var status = entry.current ?? ServiceStatus()
            status.add(countsOf: entry.earlier)
            if entry.current == nil { status.phase = .stopped }
            return status
        }
    }

    /// What the running process of a service said last; `nil` before it said anything.
    func current(of service: String) -> ServiceStatus? { entries.withLock { $0[service]?.current } }
}

extension ServiceStatus {
    /// Adds what another process of the service has done.
    fileprivate mutating func add(countsOf other: ServiceStatus) {
        handled += other.handled
        skipped += other.skipped
        retriedInPlace += other.retriedInPlace
        redirected += other.redirected
        deadLettered += other.deadLettered
        ignored += other.ignored
        published += other.published
    }
}
