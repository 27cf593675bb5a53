// A model of Kafka and two members of a service: the state of everything that matters to order through retries.
//
// The members' ledgers, marks and lanes are the product's own types, and what is committed passes through the product's
// coding of commit metadata. Around them stands a transcript of what the engine does with them (`RetryModel+Steps`).
// What commutes with everything else is done at once, to keep the search small: records are read as soon as they can be,
// and a handling begins as soon as it may, since it can last as long as any wait. (An attempt that
// would be out of order later is out of order now: that an earlier event has ended does not change any more.) Only a record whose
// key is marked waits for a step of its own: it follows, or the mark lifts first. While nothing can go wrong any more,
// commits that lift no mark wait until there is nothing else to do.

@testable import Troupe

/// A promise that was broken.
struct Violation: Error, CustomStringConvertible {
    /// What was promised.
    enum Promise: String {
        /// No event's first attempt comes before an earlier one of its key has succeeded or is dead-lettered.
        case order
        /// What is committed as done is handled, or waits in the retry topic, or lies in the dead-letter topic.
        case noLoss
        /// Everything comes to its end.
        case noStall
        /// What is committed as done is not handled again by the next owner.
        case notAgain
        /// Exactly-once: each event's effects are there once, and in order.
        case once
    }

    let promise: Promise
    let description: String
}

/// The state of Kafka and of all members.
struct RetryModel {
    /// A record of the retry topic.
    struct Entry {
        let event: Int
        /// How many attempts had failed.
        let failures: Int
        /// The transaction it was written in; `visible` or `aborted` once that has ended.
        var transaction: Int

        static let visible = -1
        static let aborted = -2
    }

    /// A record on its way to the broker or its acknowledgement on the way back.
    struct Message {
        enum Kind: Int { case redirect, letter, publication }

        var kind: Kind
        let event: Int
        let failures: Int
        /// The partition and offset it was made of.
        let partition: Int
        let offset: Int64
        /// The record in its member's lanes.
        var node: Int32
        /// Where it lies in the retry topic; -1 before it landed.
        var landed: Int64 = -1
    }

    /// A transaction of a member's, until its markers are written.
    struct Transaction {
        enum Phase: Int { case open, offsetsSent, committing, aborting }

        let id: Int
        /// -1 once its member is dead.
        var member: Int
        var phase = Phase.open
        var offsets: [(partition: Int, snapshot: LedgerSnapshot)] = []
        /// The events whose output or letter it holds, in order.
        var effects: [Int] = []
        var areOffsetsMarked = false
        var isRetryMarked = false
    }

    /// A record that a member has taken and not done.
    struct Item: LaneWork {
        enum Stage: Int { case queued, waiting, stranded, running, redirecting, deadLettering, publishing }

        let partition: Int
        let offset: Int64
        let event: Int
        var failures: Int
        var stage = Stage.queued
        /// Whether its key was marked when it was read.
        var wasMarked = false

        init(partition: Int, offset: Int64, event: Int, failures: Int) {
            self.partition = partition
            self.offset = offset
            self.event = event
            self.failures = failures
        }

        init() { self.init(partition: -1, offset: -1, event: -1, failures: 0) }

        mutating func clear() { self = Item() }
    }

    /// A partition as a member that holds it, or believes to, sees it.
    struct View {
        enum Phase: Int { case asking, reading, active, draining }

        let partition: Int
        var phase = Phase.asking
        var ledger: OffsetLedger
        var marks: KeyMarks
        var committed = LedgerSnapshot(base: -1)
        var committing: LedgerSnapshot?
        /// What was committed of the retry partition when this one was taken over.
        var retryLedger = LedgerSnapshot(base: -1)
        /// The end of the retry partition, where it was taken too early.
        var earlyEnd: Int64 = -1
        var open = 0

        var needsCommit: Bool {
            if ledger.isEmpty { return false }
            if ledger.base != committed.base { return true }
            return ledger.isContiguous ? !committed.isContiguous : ledger.snapshot != committed
        }
        /// The next offset to read.
        var position: Int64 { max(ledger.next, 0) }
    }

    struct Member {
        var views: [View] = []
        var lanes = LaneTable<Item>(buckets: 4)
        var outbox: [Message] = []

        func index(of partition: Int) -> Int? { views.firstIndex { $0.partition == partition } }
    }

    let scenario: Scenario

    // Kafka.
    var retry: [Entry] = []
    var committed: [LedgerSnapshot]
    var owner: [Int]
    /// Records sent by owners that are gone, which may land late.
    var late: [Message] = []
    var transactions: [Transaction] = []
    var nextTransaction = 0

    var members = [Member(), Member()]

    /// The end of the retry partition that the next owner took before the last one had given up; -1 by the rules.
    var earlyEnd: Int64 = -1

    // What happened to the events, one bit each.
    var succeeded: UInt32 = 0
    var published: UInt32 = 0
    var lettered: UInt32 = 0
    /// How often each event's effects were committed in a transaction.
    var effects: [Int]

    // What may yet go wrong.
    var crashes: Int
    var losses: Int
    var revokes: Int
    var falseFailures: Int
    var refusals: Int
    var aborts: Int

    init(_ scenario: Scenario) {
        self.scenario = scenario
        committed = [LedgerSnapshot](repeating: LedgerSnapshot(base: -1), count: scenario.retry + 1)
        owner = scenario.owners
        effects = [Int](repeating: 0, count: scenario.events.count)
        let options = scenario.options
        (crashes, losses, revokes) = (options.crashes, options.losses, options.revokes)
        (falseFailures, refusals, aborts) = (options.falseFailures, options.refusals, options.aborts)
        for partition in owner.indices { assign(partition, to: owner[partition]) }
        // A new group: nothing is committed, nothing waits.
        for member in members.indices {
            for view in members[member].views.indices { members[member].views[view].phase = .active }
            // Nothing can be broken yet.
            try? read(member)
        }
    }

    func newView(_ partition: Int) -> View {
        View(
            partition: partition, ledger: OffsetLedger(window: 64),
            marks: KeyMarks(bucketCount: scenario.options.buckets))
    }

    /// The offset behind the last record.
    func end(of partition: Int) -> Int64 {
        Int64(partition == scenario.retry ? retry.count : scenario.logs[partition].count)
    }

    /// The first record of the retry topic whose transaction is open, or its end.
    var lastStableOffset: Int64 { Int64(retry.firstIndex { $0.transaction >= 0 } ?? retry.count) }

    func transaction(of member: Int) -> Int? { transactions.firstIndex { $0.member == member } }

    func isDone(_ event: Int) -> Bool { (succeeded | lettered) & 1 << UInt32(event) != 0 }

    // MARK: Identity

    /// The same for states that cannot be told apart.
    var fingerprint: Fingerprint {
        var print = Fingerprint()
        print.add(retry.count)
        for entry in retry {
            let transaction = transactions.firstIndex { $0.id == entry.transaction } ?? entry.transaction
            print.add(entry.event << 8 | entry.failures << 4 | (transaction + 2))
        }
        for partition in owner.indices {
            add(committed[partition], to: &print)
            print.add(owner[partition])
        }
        add(late, to: &print)
        if scenario.options.publishes {
            print.add(Int(succeeded))
            print.add(Int(published) << 32 | Int(lettered))
        } else {
            // How an event ended makes no difference to what may follow.
            print.add(Int(succeeded | lettered))
        }
        print.add(crashes << 20 | losses << 16 | revokes << 12 | falseFailures << 8 | refusals << 4 | aborts)
        print.add(Int(earlyEnd))
        if scenario.options.exactlyOnce {
            for count in effects { print.add(count) }
            print.add(transactions.count)
            for transaction in transactions {
                print.add(transaction.member << 8 | transaction.phase.rawValue << 4)
                print.add((transaction.areOffsetsMarked ? 2 : 0) | (transaction.isRetryMarked ? 1 : 0))
                print.add(transaction.offsets.count)
                for (partition, snapshot) in transaction.offsets {
                    print.add(partition)
                    add(snapshot, to: &print)
                }
                for event in transaction.effects { print.add(event) }
            }
        }
        for member in members { add(member, to: &print) }
        return print
    }

    private func add(_ snapshot: LedgerSnapshot, to print: inout Fingerprint) {
        print.add(Int(snapshot.base) << 4 | snapshot.words.count)
        for word in snapshot.words { print.add(Int(truncatingIfNeeded: word)) }
    }

    private func add(_ messages: [Message], to print: inout Fingerprint) {
        print.add(messages.count)
        if messages.isEmpty { return }
        var packed: [Int] = []
        for message in messages {
            let place = (message.partition << 8 | Int(message.offset)) << 16
            packed.append(place | message.kind.rawValue << 12 | message.failures << 8 | Int(message.landed + 1))
        }
        packed.sort()
        for message in packed { print.add(message) }
    }

    private func add(_ member: Member, to print: inout Fingerprint) {
        print.add(member.views.count)
        for view in member.views {
            print.add(view.partition << 4 | view.phase.rawValue)
            print.add(Int(view.ledger.base) << 16 | Int(view.ledger.next) << 8 | Int(view.ledger.highest + 1))
            if !view.ledger.isContiguous { add(view.ledger.snapshot, to: &print) }
            add(view.committed, to: &print)
            if let committing = view.committing { add(committing, to: &print) } else { print.add(-7) }
            if view.phase == .reading { add(view.retryLedger, to: &print) }
            print.add(Int(view.earlyEnd))
            if !view.marks.isEmpty {
                for key in 0..<scenario.keys {
                    let mark = view.marks[UInt64(key)]
                    print.add(mark.unacknowledged << 16 | (mark.isShared ? 1 << 12 : 0) | Int(mark.last + 1))
                }
            }
        }
        var items: [Int] = []
        member.lanes.forEach { _, node in
            let item = node.work
            let place = (item.partition << 8 | Int(item.offset)) << 16
            let flags = (item.wasMarked ? 2 : 0) | (node.lane >= 0 ? 1 : 0)
            items.append(place | item.stage.rawValue << 8 | item.failures << 4 | flags)
        }
        items.sort()
        print.add(items.count)
        for item in items { print.add(item) }
        add(member.outbox, to: &print)
    }
}
