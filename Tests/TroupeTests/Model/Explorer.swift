// An exhaustive search through the states of the model, breadth first.

/// What a search saw.
struct Exploration {
    /// The number of different states.
    var states = 0
    /// The number of steps between them.
    var steps = 0
    /// The number of states in which everything has come to its end.
    var ends = 0
    /// Whether there was no state left to look at.
    var isComplete = false
    /// The first promise that was broken, and the shortest way there.
    var violation: Violation?
    var trace: [String] = []

    /// What went wrong and how, to be read in a failed test.
    var story: String {
        guard let violation else { return "\(states) states, \(steps) steps, \(ends) ends" }
        return "\(violation)\n" + trace.enumerated().map { "  \($0 + 1). \($1)" }.joined(separator: "\n")
    }
}

/// A state's identity in 128 bits.
struct Fingerprint: Hashable {
    private var low: UInt64 = 0x243F_6A88_85A3_08D3
    private var high: UInt64 = 0x1319_8A2E_0370_7344

    @inline(__always)
    mutating func add(_ value: Int) {
        let word = UInt64(truncatingIfNeeded: value)
        let first = (low ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        low = first.low ^ first.high
        let second = (high ^ word &+ 0x632B_E59B_D9B4_E019).multipliedFullWidth(by: 0xD1B5_4A32_D192_ED03)
        high = second.low ^ second.high &+ low
    }

    func hash(into hasher: inout Hasher) { hasher.combine(low) }
}

/// Visits every state that can be reached, until a promise is broken or `limit` states were seen.
///
/// Of a state that was seen only its fingerprint is kept, and eight bytes for the way there; of those to be looked at next
/// everything.
func explore(_ scenario: Scenario, limit: Int = .max) -> Exploration {
    /// The state before, and the number of the step that leads from there.
    struct Origin {
        let state: Int32
        let step: Int32
    }
    var result = Exploration()
    var seen: Set<Fingerprint> = []
    var origins: [Origin] = []

    /// The steps that lead to a state, and perhaps one more, in words.
    func story(_ index: Int32, _ last: Int?) -> [String] {
        var numbers = last.map { [$0] } ?? []
        var index = index
        while index > 0 {
            numbers.append(Int(origins[Int(index)].step))
            index = origins[Int(index)].state
        }
        var state = RetryModel(scenario)
        return numbers.reversed().map { number in
            let step = state.steps()[number]
            try? state.take(step)
            return step.described(in: scenario)
        }
    }

    let start = RetryModel(scenario)
    seen.insert(start.fingerprint)
    origins.append(Origin(state: -1, step: 0))
    var frontier: [(index: Int32, state: RetryModel)] = [(0, start)]
    while !frontier.isEmpty {
        var next: [(index: Int32, state: RetryModel)] = []
        // A state that was looked at is given up at once.
        while let (index, state) = frontier.popLast() {
            var mayEnd = true
            for (number, step) in state.steps().enumerated() {
                if !step.isFault { mayEnd = false }
                var successor = state
                do throws(Violation) { try successor.take(step) } catch {
                    result.violation = error
                    result.trace = story(index, number)
                    result.states = seen.count
                    return result
                }
                result.steps += 1
                guard seen.insert(successor.fingerprint).inserted else { continue }
                origins.append(Origin(state: index, step: Int32(number)))
                next.append((Int32(origins.count - 1), successor))
            }
            guard mayEnd else { continue }
            result.ends += 1
            if let stall = state.whatIsLeftUndone {
                result.violation = stall
                result.trace = story(index, nil)
                result.states = seen.count
                return result
            }
        }
        // The shortest stories come first.
        frontier = next.reversed()
        if seen.count >= limit, !frontier.isEmpty {
            result.states = seen.count
            return result
        }
    }
    result.states = seen.count
    result.isComplete = true
    return result
}
