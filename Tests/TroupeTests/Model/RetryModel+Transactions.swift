// What a step changes: transactions. Follows `EngineTransactions`, and Kafka's coordinator.

@testable import Troupe

extension RetryModel {
    /// The member's transaction, begun if there is none.
    mutating func openTransaction(_ member: Int) -> Int {
        if let index = transaction(of: member) { return index }
        transactions.append(Transaction(id: nextTransaction, member: member))
        nextTransaction += 1
        return transactions.count - 1
    }

    mutating func sendOffsets(_ member: Int) {
        let index = openTransaction(member)
        for view in members[member].views where mayBeCommitted(view) {
            transactions[index].offsets.append((view.partition, coded(view.ledger.snapshot)))
        }
        let isRefused = transactions[index].offsets.contains { owner[$0.partition] != member }
        if isRefused, !scenario.lacks(.ownedOffsetsOnly) {
            abort(member)
            return
        }
        transactions[index].phase = .offsetsSent
    }

    mutating func endTransaction(_ member: Int) throws(Violation) {
        guard let index = transaction(of: member) else { return }
        for event in transactions[index].effects {
            effects[event] += 1
            if effects[event] > 1 {
                throw Violation(promise: .once, description: "\(scenario.name(event: event)) took effect twice")
            }
            let before = scenario.events[event].earlier
            for earlier in effects.indices where before & 1 << UInt32(earlier) != 0 && effects[earlier] == 0 {
                throw Violation(
                    promise: .once,
                    description: "\(scenario.name(event: event)) took effect before \(scenario.name(event: earlier))")
            }
        }
        for (partition, snapshot) in transactions[index].offsets {
            guard let view = members[member].index(of: partition) else { continue }
            members[member].views[view].committed = snapshot
            if partition == scenario.retry { liftAll(member, by: snapshot) }
        }
        endTransaction(at: index, .committing)
    }

    /// A transaction's end is decided; its markers are still to be written.
    mutating func endTransaction(at index: Int, _ phase: Transaction.Phase) {
        transactions[index].phase = phase
        let id = transactions[index].id
        transactions[index].areOffsetsMarked = transactions[index].offsets.isEmpty
        transactions[index].isRetryMarked = !retry.contains { $0.transaction == id }
        removeEnded(index)
    }

    /// Kafka aborts the member's transaction: it goes back to what is committed.
    mutating func abort(_ member: Int) {
        guard let index = transaction(of: member) else { return }
        endTransaction(at: index, .aborting)
        if scenario.lacks(.restartAfterAbort) {
            for view in members[member].views where owner[view.partition] != member { forget(member, view.partition) }
            return
        }
        for view in members[member].views {
            forget(member, view.partition)
            guard owner[view.partition] == member else { continue }
            assign(view.partition, to: view.phase == .draining ? 1 - member : member)
        }
    }

    mutating func markOffsets(_ index: Int) throws(Violation) {
        transactions[index].areOffsetsMarked = true
        if transactions[index].phase == .committing {
            for (partition, snapshot) in transactions[index].offsets { try apply(snapshot, partition) }
        }
        removeEnded(index)
    }

    mutating func markRetry(_ index: Int) {
        let isCommitted = transactions[index].phase == .committing
        for entry in retry.indices where retry[entry].transaction == transactions[index].id {
            retry[entry].transaction = isCommitted ? Entry.visible : Entry.aborted
        }
        transactions[index].isRetryMarked = true
        removeEnded(index)
    }

    private mutating func removeEnded(_ index: Int) {
        if transactions[index].areOffsetsMarked, transactions[index].isRetryMarked { transactions.remove(at: index) }
    }
}
