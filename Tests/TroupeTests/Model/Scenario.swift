// What the model of the engine is asked to explore: who owns what, what is read, what goes wrong.

@testable import Troupe

/// A small service and what may happen to it.
///
/// Its input partitions share one partition of its retry topic, which comes last when partitions are numbered. Two
/// members share them.
final class Scenario: CustomStringConvertible {
    /// One event of an input partition.
    struct Event {
        let partition: Int
        let offset: Int64
        let key: Int
        /// The earlier events of its key and partition, one bit each.
        var earlier: UInt32 = 0
    }

    /// What may happen, which bounds the search.
    struct Options {
        /// How many attempts of one event may fail.
        var failures = 1
        /// Whether an attempt may fail so that no retry is wanted.
        var givesUpAtOnce = false
        /// Whether a failed attempt in an input partition may wait in place.
        var holdsInPlace = false
        /// Whether handlers publish something that has to be acknowledged.
        var publishes = false
        /// Events whose copy leaves no room for the retry topic's headers: they cannot follow, and fail in place.
        var unfollowable: Set<Int> = []
        /// Events that wait in the retry topic for ever.
        var endless: Set<Int> = []
        /// The number of marks a partition has: with one, all keys collide.
        var buckets = 16
        /// Members that end without a word.
        var crashes = 0
        /// Members that lose their partitions and do not know it yet.
        var losses = 0
        /// Partitions that are asked back.
        var revokes = 0
        /// Whether only the retry partition is asked back.
        var revokesRetriesOnly = false
        /// Deliveries that are reported as failed although the record landed.
        var falseFailures = 0
        /// Records for the retry topic that the broker refuses for good.
        var refusals = 0
        /// Transactions that Kafka aborts.
        var aborts = 0
        /// Whether a record's landing and its acknowledgement are two steps.
        var splitsDeliveries = false
        /// Whether a commit and the news of it are two steps.
        var splitsCommits = false
        /// Whether records that a member had sent when it died may land later.
        var lateRecords = true
        var exactlyOnce = false
        /// The rule that is not kept.
        var without: Rule?
    }

    let events: [Event]
    /// The event at each offset of each input partition; -1 for an offset that is never read.
    let logs: [[Int]]
    /// The first owner of each partition, the retry partition's last.
    let owners: [Int]
    let options: Options

    /// The number of the retry partition.
    var retry: Int { logs.count }
    /// The number of keys.
    let keys: Int
    /// Snapshots as they came back from commit metadata, so that each is coded once.
    var coded: [LedgerSnapshot: LedgerSnapshot] = [:]

    /// Describes a service.
    ///
    /// - Parameters:
    ///   - inputs: the keys of each input partition's events, in order; -1 for an offset that is never read.
    ///   - owners: the first owner of each partition, the retry partition's last.
    init(_ inputs: [[Int]], owners: [Int], _ change: (inout Options) -> Void = { _ in }) {
        var events: [Event] = []
        logs = inputs.enumerated().map { partition, keys in
            keys.enumerated().map { offset, key in
                guard key >= 0 else { return -1 }
                var event = Event(partition: partition, offset: Int64(offset), key: key)
                for (number, other) in events.enumerated() where other.partition == partition && other.key == key {
                    event.earlier |= 1 << UInt32(number)
                }
                events.append(event)
                return events.count - 1
            }
        }
        self.events = events
        self.owners = owners
        keys = (events.map(\.key).max() ?? 0) + 1
        var options = Options()
        change(&options)
        self.options = options
    }

    /// The same without one of the rules.
    func without(_ rule: Rule) -> Scenario {
        Scenario(logs.map { $0.map { $0 < 0 ? -1 : events[$0].key } }, owners: owners) {
            $0 = self.options
            $0.without = rule
        }
    }

    func lacks(_ rule: Rule) -> Bool { options.without == rule }

    var description: String { "\(logs.map { $0.map { $0 < 0 ? -1 : events[$0].key } }), owners \(owners), \(options)" }
}

/// The rules of order, each of which can be left out to see what it prevents.
///
/// The numbers are those of "Order through retries" in `docs/design.md`.
enum Rule: String, CaseIterable {
    /// 1: a redirect marks its key.
    case mark
    /// 1: the mark is looked at when a record is dispatched, not when it is read.
    case lookAtDispatch
    /// 2: a mark stays until the last redirect of its key is done, not the first.
    case liftByLast
    /// 2: the committed window lifts a mark too, not the base alone.
    case liftByWindow
    /// 2: a mark that keys share stays until all before its last redirect is done.
    case sharedMarks
    /// 3: one redirect of a key is under way at most.
    case oneRedirectAtATime
    /// 4: an offset is done once what was published for it is acknowledged.
    case acknowledgedFirst
    /// 5: a failure in the retry topic is held in place.
    case heldInPlace
    /// 5: records of the retry topic are handled in order, key by key.
    case retryLanes
    /// 6: a key waits for the acknowledgement of its letter.
    case letterHoldsLane
    /// 7d: what waits in the retry topic marks its keys before anything is handled.
    case marksFromRetryTopic
    /// 7c: the end of the retry topic is taken when nobody else writes there for this partition any more.
    case endAfterLedger
    /// 7a: what the last owner did out of order is not handled again.
    case ledgerWindow
    /// 8: what another member commits of the retry partition lifts marks.
    case liftFromAfar
    /// 9: work on a partition that was lost, or not ended in time, is not committed.
    case dropLostWork
    /// 10: committed offsets are read when no transaction is about to change them.
    case stableOffsets
    /// 10: the retry topic is read to its end, not to the last stable offset.
    case highWatermark
    /// 10: offsets of partitions that are not this member's stay out of its transaction.
    case ownedOffsetsOnly
    /// 10: after an abort everything begins again at what is committed.
    case restartAfterAbort
    /// 11: offsets that are never read count as done.
    case gapsAreDone
    /// Where one member owns both partitions: a mark whose redirect is committed as done already lifts at once.
    case liftAtOnce
}
