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

extension [FlowAttempt] {
    /// The attempt that says how the step stands.
    ///
    /// An event that an operator sent again begins a new round, which overrules the rounds before it. In one round,
    /// also when a crash made two instances try, a success holds over a failure and an end over a wait; among waits
    /// the last holds.
    var deciding: FlowAttempt? {
        self.max { a, b in
            (a.replays, a.outcome.weight, a.number, a.startedAt) < (b.replays, b.outcome.weight, b.number, b.startedAt)
        }
    }

    /// In the order in which they happened.
    var inOrder: [FlowAttempt] {
        sorted {
            ($0.replays, $0.startedAt, $0.number, $0.outcome.rawValue)
                < ($1.replays, $1.startedAt, $1.number, $1.outcome.rawValue)
        }
    }
}
