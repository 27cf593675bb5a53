// Which events lead to which: reach, ends and loops of flows, as plain sets.

import Troupe

/// What follows from what in a choreography.
struct FlowReach {
    private let steps: [String: [ChoreographyGraph.Step]]
    private let endings: Set<String>
    let types: [String]

    init(_ graph: ChoreographyGraph) {
        steps = Dictionary(grouping: graph.steps, by: \.type)
        endings = Set(graph.events.filter { $0.ending != nil }.map(\.type))
        types = graph.events.map(\.type)
    }

    func steps(of type: String) -> [ChoreographyGraph.Step] { steps[type] ?? [] }

    /// The types that follow from `type`, itself included.
    func reached(from type: String) -> Set<String> {
        var reached: Set<String> = [type]
        var waiting = [type]
        while let next = waiting.popLast() {
            for follower in steps(of: next).flatMap(\.publishes) where reached.insert(follower).inserted {
                waiting.append(follower)
            }
        }
        return reached
    }

    /// Whether an ending follows from `type` in at least one way.
    func canEnd(_ type: String) -> Bool { !reached(from: type).isDisjoint(with: endings) }

    func isEnding(_ type: String) -> Bool { endings.contains(type) }

    /// The loops that nothing leaves: each type in one is always followed by another of it.
    ///
    /// A set of types of which each has a route that publishes one of the set whatever happens, found by taking away
    /// those that have none until nothing changes.
    var endlessLoops: [[String]] {
        var endless = Set(types)
        func goesOn(_ type: String) -> Bool {
            steps(of: type).contains { step in
                switch step.cardinality {
                case .one, .all: step.publishes.contains { endless.contains($0) }
                case .oneOf: !step.publishes.isEmpty && step.publishes.allSatisfy { endless.contains($0) }
                case .none, .optional, .many, .manyOf: false
                }
            }
        }
        while true {
            let left = endless.filter { goesOn($0) }
            if left.count == endless.count { break }
            endless = left
        }
        // What merely leads to a loop is no part of it.
        var loops: [[String]] = []
        var seen: Set<String> = []
        for type in types where endless.contains(type) && !seen.contains(type) {
            let followers = Set(steps(of: type).flatMap(\.publishes)).intersection(endless)
            guard followers.contains(where: { reached(from: $0).contains(type) }) else { continue }
            let loop = endless.filter { reached(from: type).contains($0) && reached(from: $0).contains(type) }
            seen.formUnion(loop)
            loops.append(loop.sorted())
        }
        return loops
    }
}
