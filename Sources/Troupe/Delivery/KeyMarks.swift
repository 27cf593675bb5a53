// Which keys of an input partition have events waiting in the retry topic. Pure bookkeeping.

/// The keys of one input partition whose events must go through the retry topic, because an earlier one waits there.
///
/// A mark is made when a redirect is queued and lifts when no redirect of its keys is unacknowledged and the retry
/// partition's *committed* ledger covers the last acknowledged one. Keys share a fixed table by their hash: a collision
/// costs redirects, and nothing overflows. The retry topic ends events of different keys in any order, so a mark that
/// keys share lifts only once everything up to its last redirect is done.
package struct KeyMarks {
    /// The number of marks a table holds unless another is given.
    package static let bucketCount = 4_096

    private struct Mark {
        /// The hash of the key that set it.
        var hash: UInt64 = 0
        /// Whether other keys are behind it too.
        var isShared = false
        /// Redirects that the broker has not acknowledged yet.
        var unacknowledged: Int32 = 0
        /// The offset in the retry partition of the last one it has; -1 for none, `Int64.max` when it is not known.
        var last: Int64 = -1

        var isSet: Bool { unacknowledged > 0 || last >= 0 }

        func isLifted(by committed: LedgerSnapshot) -> Bool {
            guard unacknowledged == 0 else { return false }
            return last < 0 || (isShared ? last < committed.base : committed.covers(last))
        }
    }

    /// Empty until the first mark.
    private var marks: [Mark] = []
    /// The buckets with a mark, in no order.
    private var marked: [Int] = []

    /// What was found waiting, by bucket: all of it must be done, not the last one alone.
    ///
    /// The last one may belong to a transaction that is aborted, and then counts as done while earlier ones wait.
    private var found: [Int: [Int64]] = [:]
    private var foundCount = 0
    /// The most offsets that are kept of what was found; marks of more stay for as long as the partition is owned.
    package static let maxFound = 65_536

    private let bucketCount: Int

    /// Creates an empty table of `bucketCount` marks, a power of two.
    package init(bucketCount: Int = KeyMarks.bucketCount) { self.bucketCount = bucketCount }

    /// Whether no key is marked.
    package var isEmpty: Bool { marked.isEmpty }
    /// The number of marks.
    package var count: Int { marked.count }

    /// Whether events of keys with this hash must be redirected.
    package func contains(_ hash: UInt64) -> Bool { !marked.isEmpty && marks[bucket(hash)].isSet }

    /// What keeps keys with this hash: redirects that are not acknowledged, the offset to be covered, or -1, and whether
    /// keys share the mark.
    package subscript(hash: UInt64) -> (unacknowledged: Int, last: Int64, isShared: Bool) {
        guard !marks.isEmpty else { return (0, -1, false) }
        let mark = marks[bucket(hash)]
        return (Int(mark.unacknowledged), mark.last, mark.isShared)
    }

    /// A redirect of a key was queued.
    package mutating func queued(_ hash: UInt64) { set(hash) { $0.unacknowledged += 1 } }

    /// A redirect was acknowledged at `offset` of the retry partition, which is below zero when the broker did not say.
    ///
    /// Call it in the order of the acknowledgements: of two redirects of a key the later one lies behind the earlier one.
    package mutating func acknowledged(_ hash: UInt64, at offset: Int64) {
        set(hash) {
            $0.unacknowledged -= 1
            let place = offset >= 0 ? offset : .max
            // Of one key the later one lies behind the earlier one; of several, either may.
            $0.last = $0.isShared && $0.last < .max ? max($0.last, place) : place
        }
    }

    /// A redirect that was queued will never be in the retry topic.
    package mutating func refused(_ hash: UInt64) {
        set(hash) { $0.unacknowledged -= 1 }
        lift(by: .unknown)
    }

    /// An event of a key was found in the retry partition at `offset`, not done.
    package mutating func found(_ hash: UInt64, at offset: Int64) {
        let isKept = foundCount < Self.maxFound
        set(hash) { $0.last = isKept ? max($0.last, offset) : .max }
        guard isKept else { return }
        found[bucket(hash), default: []].append(offset)
        foundCount += 1
    }

    /// Lifts the marks whose redirects are done by what is committed of the retry partition.
    ///
    /// Returns whether any was lifted.
    @discardableResult
    package mutating func lift(by committed: LedgerSnapshot) -> Bool {
        let before = marked.count
        marked.removeAll { bucket in
            guard marks[bucket].isLifted(by: committed), found[bucket]?.allSatisfy(committed.covers) ?? true else {
                return false
            }
            marks[bucket] = Mark()
            foundCount -= found.removeValue(forKey: bucket)?.count ?? 0
            return true
        }
        return marked.count < before
    }

    private func bucket(_ hash: UInt64) -> Int { Int(hash & UInt64(bucketCount - 1)) }

    private mutating func set(_ hash: UInt64, _ change: (inout Mark) -> Void) {
        if marks.isEmpty { marks = [Mark](repeating: Mark(), count: bucketCount) }
        let bucket = bucket(hash)
        if !marks[bucket].isSet {
            marked.append(bucket)
            marks[bucket] = Mark(hash: hash)
        } else if marks[bucket].hash != hash {
            marks[bucket].isShared = true
        }
        change(&marks[bucket])
    }
}
