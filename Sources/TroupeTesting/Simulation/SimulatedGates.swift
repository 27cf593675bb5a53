// The bounds of routes in a simulation: places, circuit breakers and rate limits, by the simulation's clock.

import KafkaClient
import Troupe

/// The gates of one service's routes.
struct SimulatedGates {
    private let routes: [Route]
    private var gates: [RouteGate?]
    /// Handlers under way, by the numbers of their runs.
    private var passes: [Int: (route: Int, pass: RoutePass, start: UInt64)] = [:]

    init(_ routes: [Route]) {
        self.routes = routes
        gates = routes.map { RouteGate(of: $0) }
    }

    /// A killed service begins again with closed circuits and full buckets.
    mutating func reset() { self = SimulatedGates(routes) }

    /// Whether a handling of `route` may start.
    func admission(_ route: Route, at now: UInt64) -> RouteGate.Admission {
        gates[route.index]?.admission(at: now) ?? .admitted
    }

    /// The run of a handler started.
    mutating func began(_ run: Int, _ route: Route, at now: UInt64) {
        guard let pass = gates[route.index]?.start(at: now) else { return }
        passes[run] = (route.index, pass, now)
    }

    /// The run of a handler ended.
    mutating func ended(_ run: Int, _ outcome: CallOutcome, at now: UInt64) {
        guard let (route, pass, start) = passes.removeValue(forKey: run) else { return }
        gates[route]?.end(pass, outcome, took: now - start, at: now)
    }
}

extension SimulatedWorld {
    /// Whether the route of the head of a lane lets it start; if not the lane waits for another handling or for a time.
    func mayBegin(_ number: Int, _ handling: Handling, _ service: Int) -> Bool {
        switch services[service].gates.admission(handling.route, at: clock.nanoseconds) {
        case .admitted: return true
        case .afterAnother: services[service].parked.append(number)
        case .later(let due): clock.add(.lane(number), at: .nanoseconds(Int64(clamping: due)))
        }
        return false
    }

    /// The run of a handler ended: its route may let others start.
    func ended(_ run: HandlerRun, _ result: Result<[PackedMessage], any Error>, _ service: Int) {
        let processor = services[service].processor
        let outcome: CallOutcome =
            switch result {
            case .success: run.failure.map { processor.callOutcome(of: $0, run.handling) } ?? .succeeded
            case .failure(let error): processor.callOutcome(of: error, run.handling)
            }
        services[service].gates.ended(run.number, outcome, at: clock.nanoseconds)
    }
}
