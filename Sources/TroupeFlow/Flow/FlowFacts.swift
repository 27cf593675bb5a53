// What was read of one flow, before any judgement.

import Troupe

/// What was read of one flow.
struct FlowFacts: Sendable, Equatable {
    /// An attempt and what it was made at.
    struct Attempt: Sendable, Equatable {
        var service: String
        var event: String
        var type: String
        var topic: String
        var partition: Int32
        var attempt: FlowAttempt
    }

    var id: String
    var events: [FlowEvent] = []
    var attempts: [Attempt] = []
    /// Whether there is more than was read: what seems to be owed may be done.
    var isTruncated = false
}

extension TaskReport.Outcome {
    /// Whether the service is done with the event by this outcome.
    var isFinal: Bool {
        switch self {
        case .handled, .fellBack, .ignored, .deadLettered: true
        case .retrying, .redirected: false
        }
    }

    /// The step's status that follows of this outcome.
    var stepStatus: StepStatus {
        switch self {
        case .handled, .fellBack: .handled
        case .ignored: .ignored
        case .deadLettered: .deadLettered
        case .retrying, .redirected: .waiting
        }
    }

    /// Which of two outcomes of one round holds: a success over a failure, an end over a wait.
    fileprivate var weight: Int {
        switch self {
        case .handled, .fellBack: 3
        case .ignored: 2
        case .deadLettered: 1
        case .retrying, .redirected: 0
        }
    }
}

extension FlowAttempt {
    /// What tells an attempt from others at the same event by the same service.
    fileprivate struct Identity: Hashable {
        var replays: Int
        var number: Int
        var instance: String
    }

    fileprivate var identity: Identity { Identity(replays: replays, number: number, instance: instance) }

    /// The outcome's weight; less than a dead letter's when the same attempt was dead-lettered afterwards.
    fileprivate func weight(_ refused: [Identity: Int64]) -> Int {
        guard outcome.weight > 1, !refused.isEmpty, let time = refused[identity], time >= startedAt else {
            return outcome.weight
        }
        return 0
    }
}

extension [FlowAttempt] {
    /// The attempt that says how the step stands.
    ///
    /// An event that an operator sent again begins a new round, which overrules the rounds before it. In one round,
    /// also when a crash made two instances try, a success holds over a failure and an end over a wait; among waits
    /// the last holds. An attempt that its instance dead-letters after it was handled is dead-lettered: the broker refuses
    /// what it published.
    var deciding: FlowAttempt? {
        let refused = refusals
        return self.max { a, b in
            let (aWeight, bWeight) = (a.weight(refused), b.weight(refused))
            return (a.replays, aWeight, a.number, a.startedAt) < (b.replays, bWeight, b.number, b.startedAt)
        }
    }

    /// When each attempt was dead-lettered; empty where none was handled as well.
    private var refusals: [FlowAttempt.Identity: Int64] {
        guard contains(where: { $0.outcome == .deadLettered }), contains(where: { $0.outcome.weight > 1 }) else {
            return [:]
        }
        return self.filter { $0.outcome == .deadLettered }
            .reduce(into: [:]) { $0[$1.identity] = Swift.max($0[$1.identity] ?? .min, $1.startedAt) }
    }

    /// In the order in which they happened.
    var inOrder: [FlowAttempt] {
        sorted {
            ($0.replays, $0.startedAt, $0.number, $0.outcome.rawValue)
                < ($1.replays, $1.startedAt, $1.number, $1.outcome.rawValue)
        }
    }
}
