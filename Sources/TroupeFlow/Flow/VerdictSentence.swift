// The sentence that says how a flow stands and why.

import Troupe

extension Verdict {
    /// Says how a flow stands, of a judgement whose steps are explained.
    init(_ judgement: FlowJudgement, at now: Int64) {
        switch judgement.status {
        case .stuck: self.init(stuck: judgement, at: now)
        case .deadLettered: self.init(deadLettered: judgement, at: now)
        case .running, .compensating: self.init(open: judgement, at: now)
        case .completed, .failed, .compensated: self.init(ended: judgement)
        }
        let notKnown = judgement.steps.filter { $0.status == .notKnown }
        guard let step = notKnown.first else { return }
        sentence += "; whether \(step.service) handled \(step.type) is not known"
        if let delay = step.delay { sentence += ": \(delay.text)" }
        if notKnown.count > 1 { sentence += "; \(Self.more(notKnown.count - 1)) not known" }
    }

    private init(stuck judgement: FlowJudgement, at now: Int64) {
        let late = judgement.steps.filter { $0.status.isOwed && $0.owedAt.map { $0 <= now } ?? false }
            .sorted { ($0.owedAt ?? 0, $0.service, $0.event) < ($1.owedAt ?? 0, $1.service, $1.event) }
        guard let step = late.first, let since = step.owedAt else {
            self.init(status: .stuck, sentence: "STUCK")
            return
        }
        var sentence = "STUCK \(TimeText.length(now.subtractingSaturated(since))): "
        sentence += "\(step.service) has not handled \(step.type)"
        if let delay = step.delay { sentence += "; \(delay.text)" }
        if late.count > 1 { sentence += "; \(Self.more(late.count - 1)) late" }
        self.init(
            status: .stuck, sentence: sentence, since: since, service: step.service, event: step.event,
            delay: step.delay)
    }

    private init(deadLettered judgement: FlowJudgement, at now: Int64) {
        let dead = judgement.steps.filter { $0.status == .deadLettered }
            .sorted { ($0.endedAt ?? 0, $0.service, $0.event) < ($1.endedAt ?? 0, $1.service, $1.event) }
        guard let step = dead.first else {
            self.init(status: .deadLettered, sentence: "DEAD-LETTERED")
            return
        }
        let last = step.attempts.deciding
        var sentence = "DEAD-LETTERED"
        if let since = step.endedAt { sentence += " \(TimeText.length(now.subtractingSaturated(since)))" }
        sentence += ": \(step.service) gave up on \(step.type)"
        if let last, last.number > 1 { sentence += " at attempt \(last.number)" }
        if let failure = last?.failure { sentence += " (\(failure.type): \(failure.message))" }
        if let delay = step.delay { sentence += "; \(delay.text)" }
        if dead.count > 1 { sentence += "; \(Self.more(dead.count - 1)) dead-lettered" }
        self.init(
            status: .deadLettered, sentence: sentence, since: step.endedAt, service: step.service, event: step.event,
            delay: step.delay)
    }

    private init(open judgement: FlowJudgement, at now: Int64) {
        let word = judgement.status == .compensating ? "COMPENSATING" : "RUNNING"
        var sentence = "\(word) \(TimeText.length(now.subtractingSaturated(judgement.startedAt))): "
        let owed = judgement.steps.filter(\.status.isOwed)
            .sorted { ($0.owedAt ?? 0, $0.service, $0.event) < ($1.owedAt ?? 0, $1.service, $1.event) }
        guard let step = owed.first, let due = step.owedAt else {
            if !judgement.unread.isEmpty {
                let events =
                    judgement.unread.count == 1 ? "1 event that was" : "\(judgement.unread.count) events that were"
                sentence += "services published \(events) not read yet"
            } else if let type = judgement.type {
                sentence += "no service owes a step, and no event has ended the flow that \(type) started"
            } else {
                sentence += "services handled events of the flow that were not read"
            }
            self.init(status: judgement.status, sentence: sentence, since: judgement.startedAt)
            return
        }
        sentence += "\(step.service) is to handle \(step.type) within \(TimeText.length(due.subtractingSaturated(now)))"
        if step.status == .waiting, let delay = step.delay { sentence += "; \(delay.text)" }
        if owed.count > 1 { sentence += "; \(Self.more(owed.count - 1)) owed" }
        self.init(
            status: judgement.status, sentence: sentence, since: judgement.startedAt, service: step.service,
            event: step.event, delay: step.delay)
    }

    private init(ended judgement: FlowJudgement) {
        let end = judgement.endedAt ?? judgement.updatedAt
        let time = TimeText.length(end.subtractingSaturated(judgement.startedAt))
        let sentence: String
        switch judgement.status {
        case .completed: sentence = "COMPLETED in \(time): \(judgement.ending?.type ?? "an event") ended the flow"
        case .compensated:
            let undone = judgement.steps.filter { $0.compensates != nil && $0.status == .handled }
            let what = undone.map { "\($0.service) undid \($0.compensates ?? "")" }.joined(separator: ", ")
            let cause = judgement.ending.map { " after \($0.type)" } ?? ""
            sentence = "COMPENSATED in \(time): \(what)\(cause)"
        default: sentence = "FAILED in \(time): \(judgement.ending?.type ?? "an event") ended the flow"
        }
        self.init(status: judgement.status, sentence: sentence, since: end)
    }

    private static func more(_ count: Int) -> String { count == 1 ? "1 more step is" : "\(count) more steps are" }
}
