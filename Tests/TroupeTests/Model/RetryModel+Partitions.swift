// What a step changes: partitions and commits. Follows `EngineTakeover`, `EngineRebalance` and `EngineCommits`.

@testable import Troupe

extension RetryModel {
    // MARK: Coming and going

    /// The group gives a partition to a member.
    mutating func assign(_ partition: Int, to member: Int) {
        // An earlier assignment that was lost is noticed before this one, and with it what it has in a transaction.
        if owner[partition] != member, members[member].index(of: partition) != nil { notice(member) }
        owner[partition] = member
        if members[member].index(of: partition) != nil { forget(member, partition) }
        var view = newView(partition)
        if partition != scenario.retry { swap(&view.earlyEnd, &earlyEnd) }
        members[member].views.append(view)
        members[member].views.sort { $0.partition < $1.partition }
    }

    /// Forgets a partition and its records; what was sent for them may yet land.
    mutating func forget(_ member: Int, _ partition: Int) {
        var nodes: [Int32] = []
        members[member].lanes.forEach { node, record in if record.work.partition == partition { nodes.append(node) } }
        _ = members[member].lanes.drop(partition: Int32(partition)) { _ in true }
        for node in nodes {
            members[member].lanes.advance(node)
            members[member].lanes.remove(node)
        }
        let sent = members[member].outbox.filter { $0.partition == partition && $0.landed < 0 }
        members[member].outbox.removeAll { $0.partition == partition }
        send(late: sent)
        members[member].views.removeAll { $0.partition == partition }
    }

    private mutating func send(late messages: [Message]) {
        guard scenario.options.lateRecords else { return }
        for message in messages {
            // A second letter or publication changes nothing.
            if message.kind == .letter, lettered & 1 << UInt32(message.event) != 0 { continue }
            if message.kind == .publication, published & 1 << UInt32(message.event) != 0 { continue }
            var message = message
            message.node = -1
            late.append(message)
        }
    }

    mutating func crash(_ member: Int) {
        crashes -= 1
        send(late: members[member].outbox.filter { $0.landed < 0 })
        members[member] = Member()
        for index in transactions.indices where transactions[index].member == member { transactions[index].member = -1 }
        for partition in owner.indices where owner[partition] == member { assign(partition, to: 1 - member) }
    }

    mutating func lose(_ member: Int) {
        losses -= 1
        for partition in owner.indices where owner[partition] == member { assign(partition, to: 1 - member) }
    }

    mutating func notice(_ member: Int) {
        if let index = transaction(of: member), [.open, .offsetsSent].contains(transactions[index].phase) {
            if scenario.lacks(.ownedOffsetsOnly) {
                // What was done for the lost partition stays in the transaction, and its offsets with it.
                for view in members[member].views where owner[view.partition] != member && mayBeCommitted(view) {
                    transactions[index].offsets.append((view.partition, coded(view.ledger.snapshot)))
                }
            } else {
                abort(member)
                return
            }
        }
        for view in members[member].views where owner[view.partition] != member { forget(member, view.partition) }
    }

    mutating func revoke(_ member: Int, _ partition: Int) {
        revokes -= 1
        guard let view = members[member].index(of: partition) else { return }
        let wasActive = members[member].views[view].phase == .active
        members[member].views[view].phase = .draining
        if scenario.lacks(.endAfterLedger), partition != scenario.retry { earlyEnd = Int64(retry.count) }
        guard wasActive else {
            giveUp(member, partition)
            return
        }
        let dropped = members[member].lanes.drop(partition: Int32(partition)) { item in
            switch item.stage {
            case .queued, .waiting, .stranded: false
            case .running, .redirecting, .deadLettering, .publishing: true
            }
        }
        members[member].views[view].open -= dropped.count
    }

    mutating func giveUp(_ member: Int, _ partition: Int) {
        forget(member, partition)
        if owner[partition] == member { assign(partition, to: 1 - member) }
    }

    mutating func giveUpLate(_ member: Int, _ partition: Int) throws(Violation) {
        if let index = transaction(of: member), [.open, .offsetsSent].contains(transactions[index].phase) {
            abort(member)
        } else if scenario.lacks(.dropLostWork), let view = members[member].index(of: partition) {
            // As if all of it had ended in time.
            var open: [Int64] = []
            members[member].lanes.forEach { _, record in
                if record.work.partition == partition { open.append(record.work.offset) }
            }
            for offset in open { members[member].views[view].ledger.complete(offset) }
            commit(member, partition)
            try committed(member, partition)
        }
        giveUp(member, partition)
    }

    // MARK: Taking over

    /// The ledgers arrive, that of the retry partition with it.
    mutating func learn(_ member: Int, _ partition: Int) {
        guard let view = members[member].index(of: partition) else { return }
        var snapshot = committed[partition]
        if scenario.lacks(.ledgerWindow) { snapshot = LedgerSnapshot(base: snapshot.base) }
        members[member].views[view].committed = snapshot
        members[member].views[view].ledger =
            snapshot.base >= 0 ? OffsetLedger(snapshot, window: 64) : OffsetLedger(window: 64)
        if partition == scenario.retry {
            activate(member, view)
            for other in members[member].views.indices where members[member].views[other].partition != partition {
                liftAtOnce(member, other)
            }
        } else {
            members[member].views[view].retryLedger = committed[scenario.retry]
            members[member].views[view].phase = .reading
        }
    }

    /// What waits in the retry partition is read to its end.
    mutating func readRetries(_ member: Int, _ partition: Int) {
        guard let view = members[member].index(of: partition) else { return }
        let ledger = members[member].views[view].retryLedger
        var end = Int64(retry.count)
        if scenario.lacks(.highWatermark) { end = lastStableOffset }
        if members[member].views[view].earlyEnd >= 0 { end = members[member].views[view].earlyEnd }
        for offset in max(ledger.base, 0)..<max(end, ledger.base, 0) where !ledger.covers(offset) {
            if scenario.lacks(.marksFromRetryTopic) { break }
            members[member].views[view].marks.found(hash(event: retry[Int(offset)].event), at: offset)
        }
        activate(member, view)
        liftAtOnce(member, view)
    }

    private mutating func activate(_ member: Int, _ view: Int) {
        members[member].views[view].phase = .active
        members[member].views[view].retryLedger = LedgerSnapshot(base: -1)
        members[member].views[view].earlyEnd = -1
    }

    // MARK: Committing

    /// What is committed goes through the coding of commit metadata.
    func coded(_ snapshot: LedgerSnapshot) -> LedgerSnapshot {
        if snapshot.isContiguous { return snapshot }
        if let known = scenario.coded[snapshot] { return known }
        let read = (try? LedgerSnapshot(base: snapshot.base, metadata: snapshot.metadata)) ?? LedgerSnapshot(base: -1)
        scenario.coded[snapshot] = read
        return read
    }

    mutating func commit(_ member: Int, _ partition: Int) {
        guard let view = members[member].index(of: partition) else { return }
        members[member].views[view].committing = members[member].views[view].ledger.snapshot
    }

    mutating func committed(_ member: Int, _ partition: Int) throws(Violation) {
        guard let view = members[member].index(of: partition), let snapshot = members[member].views[view].committing
        else { return }
        members[member].views[view].committing = nil
        guard owner[partition] == member else {
            // Refused: another generation.
            notice(member)
            return
        }
        try apply(coded(snapshot), partition)
        members[member].views[view].committed = snapshot
        if partition == scenario.retry { liftAll(member, by: snapshot) }
    }

    mutating func liftAll(_ member: Int, by snapshot: LedgerSnapshot) {
        for view in members[member].views.indices where members[member].views[view].partition != scenario.retry {
            lift(member, view, by: snapshot)
        }
    }

    /// The broker has a commit: nothing that it says is done may be lost.
    mutating func apply(_ snapshot: LedgerSnapshot, _ partition: Int) throws(Violation) {
        committed[partition] = snapshot
        for offset in 0..<end(of: partition) where snapshot.covers(offset) {
            let event: Int
            if partition == scenario.retry {
                let entry = retry[Int(offset)]
                if entry.transaction == Entry.aborted { continue }
                event = entry.event
            } else {
                event = scenario.logs[partition][Int(offset)]
            }
            if event < 0 || isSafe(event, at: offset, of: partition) { continue }
            throw Violation(
                promise: .noLoss,
                description: "\(scenario.name(event: event)) is committed as done and was neither handled nor kept")
        }
    }

    /// Whether an event that is committed as done is handled, or lies where somebody will find it.
    private func isSafe(_ event: Int, at offset: Int64, of partition: Int) -> Bool {
        let bit = UInt32(1) << UInt32(event)
        if scenario.options.exactlyOnce {
            if effects[event] > 0 { return true }
        } else if (published & succeeded | lettered) & bit != 0 {
            return true
        }
        let from = partition == scenario.retry ? Int(offset) + 1 : 0
        return retry.dropFirst(from).contains { $0.event == event && $0.transaction != Entry.aborted }
    }
}
