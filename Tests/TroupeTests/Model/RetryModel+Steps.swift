// The steps that are possible in a state of the model.

@testable import Troupe

/// One step: who, what, and with which of them.
struct Step {
    enum Kind: String {
        case start = "start"
        // What a member does.
        case learn = "learns what is committed of"
        case readRetries = "has read what waits in the retry topic for"
        case follow = "sends after the earlier one of its key"
        case succeed = "succeeds with"
        case redirect = "fails, to the retry topic, with"
        case hold = "fails, waiting in place, with"
        case deadLetter = "fails for good with"
        case land = "has its record reach the broker:"
        case acknowledge = "learns that it did:"
        case commit = "commits"
        case committed = "has committed"
        case liftFromAfar = "learns of others' commits for"
        case giveUp = "gives back, drained,"
        // Transactions.
        case sendOffsets = "sends its offsets to its transaction"
        case endTransaction = "commits its transaction"
        case markOffsets = "(the broker writes the marker of the offsets)"
        case markRetry = "(the broker writes the marker of the retry topic)"
        case expire = "(the broker aborts a dead member's transaction)"
        // What goes wrong.
        case crash = "is killed"
        case lose = "loses its partitions unawares"
        case notice = "notices that it lost"
        case revoke = "is asked to give back"
        case giveUpLate = "gives back, not drained,"
        case landLate = "(a record of an owner that is gone lands)"
        case failFalsely = "is told that its record failed, which landed:"
        case refuse = "has its record refused for good:"
        case abort = "has its transaction aborted"
    }

    let kind: Kind
    var member = 0
    /// The record's node, the partition, or the place of the message or transaction in its list.
    var subject = 0
    /// The event it is about, or -1.
    var event = -1
    /// The partition it is about, or -1.
    var partition = -1

    init(_ kind: Kind, _ member: Int = 0, _ subject: Int = 0, event: Int = -1, partition: Int = -1) {
        self.kind = kind
        self.member = member
        self.subject = subject
        self.event = event
        self.partition = partition
    }

    /// Whether it need not happen for everything to come to its end.
    var isFault: Bool {
        switch kind {
        case .crash, .lose, .revoke, .giveUpLate, .landLate, .failFalsely, .refuse, .abort: true
        default: false
        }
    }

    /// The step in words.
    func described(in scenario: Scenario) -> String {
        var text = kind.rawValue.hasPrefix("(") ? kind.rawValue : "\(member == 0 ? "A" : "B") \(kind.rawValue)"
        if event >= 0 { text += " \(scenario.name(event: event))" }
        if partition >= 0 { text += (event >= 0 ? " from " : " ") + scenario.name(partition: partition) }
        return text
    }
}

extension RetryModel {
    /// The steps that are possible now.
    func steps() -> [Step] {
        var steps: [Step] = []
        for member in members.indices {
            addHandling(member, &steps)
            addMessages(member, &steps)
            addPartitions(member, &steps)
            if scenario.options.exactlyOnce {
                addTransaction(member, &steps)
            } else {
                addCommits(member, &steps, .urgent)
            }
            addFaults(member, &steps)
        }
        if !scenario.options.exactlyOnce, steps.allSatisfy(\.isFault) {
            for member in members.indices { addCommits(member, &steps, .lazy) }
        }
        for index in late.indices { steps.append(Step(.landLate, 0, index, event: late[index].event)) }
        for index in transactions.indices {
            let transaction = transactions[index]
            if transaction.member < 0, transaction.phase == .open || transaction.phase == .offsetsSent {
                steps.append(Step(.expire, 0, index))
            }
            guard transaction.phase == .committing || transaction.phase == .aborting else { continue }
            if !transaction.areOffsetsMarked { steps.append(Step(.markOffsets, 0, index)) }
            if !transaction.isRetryMarked { steps.append(Step(.markRetry, 0, index)) }
        }
        return steps
    }

    private func addHandling(_ member: Int, _ steps: inout [Step]) {
        let options = scenario.options
        // Outputs queue while a transaction commits.
        let mayEnd = transaction(of: member).map { transactions[$0].phase == .open } ?? true
        members[member].lanes.forEach { node, record in
            let item = record.work
            let subject = Int(node)
            switch item.stage {
            case .waiting:
                if item.partition == scenario.retry || !mayEnd { return }
                steps.append(Step(.follow, member, subject, event: item.event, partition: item.partition))
            case .running:
                guard mayEnd else { return }
                steps.append(Step(.succeed, member, subject, event: item.event, partition: item.partition))
                if options.endless.contains(item.event), item.partition != scenario.retry {
                    steps.append(Step(.redirect, member, subject, event: item.event, partition: item.partition))
                    return
                }
                guard item.failures < options.failures + 1 else { return }
                let mayRetry = item.failures < options.failures
                if item.partition == scenario.retry {
                    steps.append(
                        Step(
                            mayRetry ? .hold : .deadLetter, member, subject, event: item.event,
                            partition: item.partition))
                } else {
                    let fits = !options.unfollowable.contains(item.event)
                    if mayRetry, fits {
                        steps.append(Step(.redirect, member, subject, event: item.event, partition: item.partition))
                    }
                    if mayRetry, options.holdsInPlace || !fits {
                        steps.append(Step(.hold, member, subject, event: item.event, partition: item.partition))
                    }
                    if options.givesUpAtOnce || !mayRetry {
                        steps.append(Step(.deadLetter, member, subject, event: item.event, partition: item.partition))
                    }
                }
            default: break
            }
        }
    }

    private func addMessages(_ member: Int, _ steps: inout [Step]) {
        for index in members[member].outbox.indices {
            let message = members[member].outbox[index]
            if message.landed < 0 {
                steps.append(Step(.land, member, index, event: message.event))
                if refusals > 0, message.kind == .redirect {
                    steps.append(Step(.refuse, member, index, event: message.event))
                }
            } else {
                steps.append(Step(.acknowledge, member, index, event: message.event))
                if falseFailures > 0, message.kind == .redirect {
                    steps.append(Step(.failFalsely, member, index, event: message.event))
                }
            }
        }
    }

    private func addPartitions(_ member: Int, _ steps: inout [Step]) {
        for view in members[member].views {
            let partition = view.partition
            switch view.phase {
            case .asking:
                if isStable(partition) { steps.append(Step(.learn, member, partition, partition: partition)) }
            case .reading: steps.append(Step(.readRetries, member, partition, partition: partition))
            case .active:
                if mayLiftFromAfar(member, view) {
                    steps.append(Step(.liftFromAfar, member, partition, partition: partition))
                }
            case .draining:
                let isInTransaction =
                    transaction(of: member).map { [.open, .offsetsSent].contains(transactions[$0].phase) } ?? false
                if view.open == 0, view.committing == nil, !view.needsCommit, !isInTransaction {
                    steps.append(Step(.giveUp, member, partition, partition: partition))
                }
                steps.append(Step(.giveUpLate, member, partition, partition: partition))
            }
        }
        if members[member].views.contains(where: { owner[$0.partition] != member }) {
            steps.append(Step(.notice, member))
        }
    }

    private enum Urgency { case urgent, lazy }

    /// Adds commits: those that can make a difference, or the others.
    private func addCommits(_ member: Int, _ steps: inout [Step], _ urgency: Urgency) {
        let mayGoWrong = crashes + losses + revokes > 0
        let areMarked = members.contains { $0.views.contains { !$0.marks.isEmpty } }
        for view in members[member].views where view.phase == .active || view.phase == .draining {
            let isUrgent = mayGoWrong || view.phase == .draining || view.partition == scenario.retry && areMarked
            if view.committing != nil {
                if urgency == .urgent {
                    steps.append(Step(.committed, member, view.partition, partition: view.partition))
                }
            } else if view.needsCommit, isUrgent == (urgency == .urgent) {
                steps.append(Step(.commit, member, view.partition, partition: view.partition))
            }
        }
    }

    private func addTransaction(_ member: Int, _ steps: inout [Step]) {
        guard let index = transaction(of: member) else {
            if members[member].views.contains(where: { mayBeCommitted($0) }) {
                steps.append(Step(.sendOffsets, member))
            }
            return
        }
        switch transactions[index].phase {
        case .open: steps.append(Step(.sendOffsets, member))
        case .offsetsSent: steps.append(Step(.endTransaction, member))
        case .committing, .aborting: return
        }
        if aborts > 0 { steps.append(Step(.abort, member)) }
    }

    private func addFaults(_ member: Int, _ steps: inout [Step]) {
        let owned = owner.indices.filter { owner[$0] == member }
        guard !owned.isEmpty else { return }
        if crashes > 0 { steps.append(Step(.crash, member)) }
        if losses > 0 { steps.append(Step(.lose, member)) }
        guard revokes > 0 else { return }
        for partition in owned where partition == scenario.retry || !scenario.options.revokesRetriesOnly {
            guard let view = members[member].index(of: partition), members[member].views[view].phase != .draining else {
                continue
            }
            steps.append(Step(.revoke, member, partition, partition: partition))
        }
    }

    func mayBeCommitted(_ view: View) -> Bool {
        (view.phase == .active || view.phase == .draining) && view.needsCommit
    }

    /// Whether what is committed can be read: no transaction is about to change it.
    private func isStable(_ partition: Int) -> Bool {
        if scenario.lacks(.stableOffsets) { return true }
        return !transactions.contains { transaction in
            !transaction.areOffsetsMarked && transaction.phase != .open
                && transaction.offsets.contains { $0.partition == partition || $0.partition == scenario.retry }
        }
    }

    /// Whether another member has committed what lifts a mark.
    private func mayLiftFromAfar(_ member: Int, _ view: View) -> Bool {
        if view.marks.isEmpty || scenario.lacks(.liftFromAfar) { return false }
        if hasRetryPartition(member) { return false }
        var marks = view.marks
        return marks.lift(by: lifting(committed[scenario.retry]))
    }

    /// Whether the member has the retry partition, and with it learns of every commit there.
    func hasRetryPartition(_ member: Int) -> Bool {
        members[member].views.contains { $0.partition == scenario.retry && $0.phase != .asking }
    }

    /// What of a commit of the retry partition lifts marks.
    func lifting(_ snapshot: LedgerSnapshot) -> LedgerSnapshot {
        scenario.lacks(.liftByWindow) ? LedgerSnapshot(base: snapshot.base) : snapshot
    }
}

extension Scenario {
    func name(partition: Int) -> String { partition == retry ? "the retry partition" : "input \(partition)" }

    func name(event: Int) -> String {
        let event = events[event]
        return "event \(event.partition)/\(event.offset) of key \(event.key)"
    }
}
