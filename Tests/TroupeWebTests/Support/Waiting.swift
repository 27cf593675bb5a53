// Waiting for conditions, and gates for handlers.

import Foundation
import Synchronization
import TroupeWeb

/// A condition did not come true in time.
struct TimedOut: Error {}

/// Waits until a condition is true; at most two minutes.
func eventually(within seconds: Double = 120, _ condition: () async throws -> Bool) async throws {
    let deadline = Date() + seconds
    while try await !condition() {
        guard Date() < deadline else { throw TimedOut() }
        try await Task.sleep(for: .milliseconds(5))
    }
}

extension HTTPLimits {
    /// Limits that no machine reaches by holding threads up for 15 s: what a test is not about does not end it.
    static var patient: HTTPLimits {
        var limits = HTTPLimits()
        limits.headerTimeout = .seconds(120)
        limits.bodyTimeout = .seconds(120)
        limits.idleTimeout = .seconds(120)
        limits.writeTimeout = .seconds(120)
        limits.handlerTimeout = .seconds(120)
        limits.gracePeriod = .seconds(60)
        return limits
    }
}

/// A gate that handlers wait at until it is opened; who is cancelled passes too.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var arrived = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }
    private let state = Mutex(State())

    /// How many have come to the gate.
    var arrived: Int { state.withLock { $0.arrived } }

    func pass() async {
        let number = state.withLock { state in
            state.arrived += 1
            return state.arrived
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    if !state.isOpen, !Task.isCancelled { state.waiting[number] = continuation }
                    return state.waiting[number] == nil
                }
                if isOpen { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting.values.map { $0 }
        }
        for continuation in waiting { continuation.resume() }
    }
}
