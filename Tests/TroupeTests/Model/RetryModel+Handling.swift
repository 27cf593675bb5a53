// What a step changes: records, their handling and what is sent for them. Follows `EngineHandling`, `EngineOrder` and
// `EnginePublishing`.

@testable import Troupe

extension RetryModel {
    /// Takes a step.
    mutating func take(_ step: Step) throws(Violation) {
        let member = step.member
        switch step.kind {
        case .start: break
        case .follow: follow(member, Int32(step.subject))
        case .succeed: succeed(member, Int32(step.subject))
        case .redirect: redirect(member, Int32(step.subject), failed: true)
        case .hold: hold(member, Int32(step.subject))
        case .deadLetter: deadLetter(member, Int32(step.subject))
        case .land:
            land(member, step.subject)
            if !scenario.options.splitsDeliveries { acknowledge(member, step.subject) }
        case .acknowledge: acknowledge(member, step.subject)
        case .failFalsely:
            falseFailures -= 1
            members[member].outbox[step.subject].landed = -1
        case .refuse: refuse(member, step.subject)
        case .learn: learn(member, step.partition)
        case .readRetries: readRetries(member, step.partition)
        case .commit:
            commit(member, step.partition)
            if !scenario.options.splitsCommits { try committed(member, step.partition) }
        case .committed: try committed(member, step.partition)
        case .liftFromAfar:
            if let view = members[member].index(of: step.partition) {
                lift(member, view, by: committed[scenario.retry])
            }
        case .giveUp: giveUp(member, step.partition)
        case .giveUpLate: try giveUpLate(member, step.partition)
        case .notice: notice(member)
        case .crash: crash(member)
        case .lose: lose(member)
        case .revoke: revoke(member, step.partition)
        case .landLate: arrive(late.remove(at: step.subject))
        case .sendOffsets: sendOffsets(member)
        case .endTransaction: try endTransaction(member)
        case .markOffsets: try markOffsets(step.subject)
        case .markRetry: markRetry(step.subject)
        case .expire: endTransaction(at: step.subject, .aborting)
        case .abort:
            aborts -= 1
            abort(member)
        }
        for member in members.indices { try read(member) }
    }

    // MARK: Taking

    /// Reads what can be read, into lanes, and begins with what is first in its lane.
    mutating func read(_ member: Int) throws(Violation) {
        for view in members[member].views.indices where members[member].views[view].phase == .active {
            let partition = members[member].views[view].partition
            let end = partition == scenario.retry ? lastStableOffset : end(of: partition)
            var offset = members[member].views[view].position
            while offset < end {
                take(member, view, partition, offset)
                offset += 1
            }
        }
        while let node = members[member].lanes.nextReady() { try begin(member, node) }
    }

    private mutating func take(_ member: Int, _ view: Int, _ partition: Int, _ offset: Int64) {
        let event: Int
        var failures = 0
        if partition == scenario.retry {
            let entry = retry[Int(offset)]
            event = entry.transaction == Entry.aborted ? -1 : entry.event
            failures = entry.failures
        } else {
            event = scenario.logs[partition][Int(offset)]
        }
        if event < 0 {
            if scenario.lacks(.gapsAreDone) { _ = members[member].views[view].ledger.take(offset) }
            return
        }
        guard case .taken = members[member].views[view].ledger.take(offset) else { return }
        var item = Item(partition: partition, offset: offset, event: event, failures: failures)
        var hash = UInt64(scenario.events[event].key)
        if partition == scenario.retry {
            if scenario.lacks(.retryLanes) { hash = 1_000 + UInt64(offset) }
        } else {
            item.wasMarked = scenario.lacks(.lookAtDispatch) && members[member].views[view].marks.contains(hash)
        }
        members[member].views[view].open += 1
        members[member].lanes.append(item, partition: Int32(partition), hash: hash)
    }

    // MARK: Handling

    func hash(_ item: Item) -> UInt64 { hash(event: item.event) }

    /// The hash by which an event's key is marked.
    func hash(event: Int) -> UInt64 { scenario.lacks(.sharedMarks) ? 0 : UInt64(scenario.events[event].key) }

    private mutating func begin(_ member: Int, _ node: Int32) throws(Violation) {
        let item = members[member].lanes[node]
        guard let view = members[member].index(of: item.partition) else { return }
        let waits =
            if item.partition == scenario.retry {
                scenario.options.endless.contains(item.event)
            } else if scenario.lacks(.lookAtDispatch) {
                item.wasMarked
            } else {
                members[member].views[view].marks.contains(hash(item))
            }
        if waits {
            let isStranded = item.partition != scenario.retry && scenario.options.unfollowable.contains(item.event)
            members[member].lanes[node].stage = isStranded ? .stranded : .waiting
            members[member].lanes.hold(node)
            return
        }
        // In exactly-once it shows in the effects.
        let isOwner = owner[item.partition] == member && !scenario.options.exactlyOnce
        if isOwner, committed[item.partition].covers(item.offset) {
            throw Violation(
                promise: .notAgain,
                description: "\(scenario.name(event: item.event)) is handled again though it is committed as done")
        }
        let event = scenario.events[item.event]
        // True of every attempt if it is of the first one: what has ended stays so.
        if event.earlier & ~(succeeded | lettered) != 0 {
            throw Violation(
                promise: .order,
                description: "\(scenario.name(event: item.event)) is tried before an earlier one has ended")
        }
        members[member].lanes[node].stage = .running
    }

    /// A record whose key is marked goes after the earlier one.
    private mutating func follow(_ member: Int, _ node: Int32) { redirect(member, node, failed: false) }

    private mutating func succeed(_ member: Int, _ node: Int32) {
        let item = members[member].lanes[node]
        succeeded |= 1 << UInt32(item.event)
        if scenario.options.exactlyOnce {
            transactions[openTransaction(member)].effects.append(item.event)
            end(member, node)
        } else if scenario.options.publishes {
            members[member].lanes.advance(node)
            members[member].lanes[node].stage = .publishing
            send(.publication, member, node)
        } else {
            published |= 1 << UInt32(item.event)
            end(member, node)
        }
    }

    private mutating func hold(_ member: Int, _ node: Int32) {
        let item = members[member].lanes[node]
        members[member].lanes[node].failures += 1
        if members[member].index(of: item.partition).map({ members[member].views[$0].phase == .draining }) ?? true {
            drop(member, node)
            return
        }
        if item.partition == scenario.retry, scenario.lacks(.heldInPlace) {
            // The first redirect's copy is done with; a second one is appended.
            members[member].lanes[node].stage = .redirecting
            members[member].lanes.hold(node)
            send(.redirect, member, node)
            return
        }
        // Its time comes.
        members[member].lanes[node].stage = .queued
        members[member].lanes.resume(node)
    }

    private mutating func redirect(_ member: Int, _ node: Int32, failed: Bool) {
        if failed { members[member].lanes[node].failures += 1 }
        let item = members[member].lanes[node]
        guard let view = members[member].index(of: item.partition) else { return }
        if scenario.options.exactlyOnce {
            // Its transaction keeps the order of what it holds, and an abort takes all of it back.
            let transaction = transactions[openTransaction(member)].id
            retry.append(Entry(event: item.event, failures: item.failures, transaction: transaction))
            members[member].views[view].marks.queued(hash(item))
            members[member].views[view].marks.acknowledged(hash(item), at: Int64(retry.count - 1))
            end(member, node)
            return
        }
        members[member].lanes[node].stage = .redirecting
        if !scenario.lacks(.mark) { members[member].views[view].marks.queued(hash(item)) }
        if scenario.lacks(.oneRedirectAtATime) {
            members[member].lanes.advance(node)
        } else {
            members[member].lanes.hold(node)
        }
        send(.redirect, member, node)
        if scenario.lacks(.acknowledgedFirst) { members[member].views[view].ledger.complete(item.offset) }
    }

    private mutating func deadLetter(_ member: Int, _ node: Int32) {
        let item = members[member].lanes[node]
        if scenario.options.exactlyOnce {
            lettered |= 1 << UInt32(item.event)
            transactions[openTransaction(member)].effects.append(item.event)
            end(member, node)
            return
        }
        members[member].lanes[node].stage = .deadLettering
        if scenario.lacks(.letterHoldsLane) {
            members[member].lanes.advance(node)
        } else {
            members[member].lanes.hold(node)
        }
        send(.letter, member, node)
    }

    /// A record is done.
    private mutating func end(_ member: Int, _ node: Int32) {
        let item = members[member].lanes[node]
        members[member].lanes.advance(node)
        members[member].lanes.remove(node)
        guard let view = members[member].index(of: item.partition) else { return }
        members[member].views[view].ledger.complete(item.offset)
        members[member].views[view].open -= 1
    }

    /// A record is left to the next owner.
    private mutating func drop(_ member: Int, _ node: Int32) {
        let item = members[member].lanes[node]
        members[member].lanes.advance(node)
        members[member].lanes.remove(node)
        if let view = members[member].index(of: item.partition) { members[member].views[view].open -= 1 }
    }

    // MARK: Sending

    private mutating func send(_ kind: Message.Kind, _ member: Int, _ node: Int32) {
        let item = members[member].lanes[node]
        members[member].outbox.append(
            Message(
                kind: kind, event: item.event, failures: item.failures, partition: item.partition, offset: item.offset,
                node: node))
    }

    private mutating func land(_ member: Int, _ index: Int) {
        members[member].outbox[index].landed = arrive(members[member].outbox[index])
    }

    /// The broker has a record.
    @discardableResult
    private mutating func arrive(_ message: Message) -> Int64 {
        switch message.kind {
        case .redirect:
            retry.append(Entry(event: message.event, failures: message.failures, transaction: Entry.visible))
            return Int64(retry.count - 1)
        case .letter: lettered |= 1 << UInt32(message.event)
        case .publication: published |= 1 << UInt32(message.event)
        }
        return 0
    }

    private mutating func acknowledge(_ member: Int, _ index: Int) {
        let message = members[member].outbox.remove(at: index)
        let item = members[member].lanes[message.node]
        if message.kind == .redirect, let view = members[member].index(of: item.partition) {
            if item.partition != scenario.retry, !scenario.lacks(.mark) {
                if scenario.lacks(.liftByLast), members[member].views[view].marks[hash(item)].last >= 0 {
                    members[member].views[view].marks.refused(hash(item))
                } else {
                    members[member].views[view].marks.acknowledged(hash(item), at: message.landed)
                }
            }
            end(member, message.node)
            liftAtOnce(member, view)
        } else {
            end(member, message.node)
        }
    }

    /// A redirect can never be delivered: the event is dead-lettered.
    private mutating func refuse(_ member: Int, _ index: Int) {
        refusals -= 1
        let message = members[member].outbox.remove(at: index)
        let item = members[member].lanes[message.node]
        if item.partition != scenario.retry, let view = members[member].index(of: item.partition) {
            members[member].views[view].marks.refused(hash(item))
            liftAtOnce(member, view)
        }
        deadLetter(member, message.node)
    }

    // MARK: Lifting

    mutating func lift(_ member: Int, _ view: Int, by snapshot: LedgerSnapshot) {
        guard members[member].views[view].marks.lift(by: lifting(snapshot)) else { return }
        var waiting: [Int32] = []
        let partition = members[member].views[view].partition
        members[member].lanes.forEach { node, record in
            let item = record.work
            if item.partition == partition, item.stage == .waiting || item.stage == .stranded { waiting.append(node) }
        }
        // Those that are marked still are held again.
        for node in waiting {
            members[member].lanes[node].stage = .queued
            members[member].lanes.resume(node)
        }
    }

    /// Lifts marks by what this member itself has committed of the retry partition.
    mutating func liftAtOnce(_ member: Int, _ view: Int) {
        guard !scenario.lacks(.liftAtOnce), !members[member].views[view].marks.isEmpty,
            let retry = members[member].index(of: scenario.retry), members[member].views[retry].phase != .asking
        else { return }
        lift(member, view, by: members[member].views[retry].committed)
    }
}
