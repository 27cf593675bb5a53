// Which keys of an input partition have events waiting in the retry topic. Pure bookkeeping.

/// The keys of one input partition whose events must go through the retry topic, because an earlier one waits there.
///
/// A mark is made when a redirect is queued and lifts when no redirect of its keys is unacknowledged and the retry
/// partition's *committed* ledger covers the last acknowledged one. Keys share a fixed table by their hash: a collision
/// costs a redirect, and nothing overflows.
struct KeyMarks {
    /// The number of marks a table holds, a power of two.
    static let bucketCount = 4_096

    private struct Mark {
        /// Redirects that the broker has not acknowledged yet.
        var unacknowledged: Int32 = 0
        /// The offset in the retry partition of the last one it has; -1 for none, `Int64.max` when it is not known.
        var last: Int64 = -1

        var isSet: Bool { unacknowledged > 0 || last >= 0 }
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
    static let maxFound = 65_536

    /// Creates an empty table.
    init() {}

    /// Whether no key is marked.
    var isEmpty: Bool { marked.isEmpty }
    /// The number of marks.
    var count: Int { marked.count }

    /// Whether events of keys with this hash must be redirected.
    func contains(_ hash: UInt64) -> Bool { !marked.isEmpty && marks[Self.bucket(hash)].isSet }

    /// A redirect of a key was queued.
    mutating func queued(_ hash: UInt64) { set(hash) { $0.unacknowledged += 1 } }

    /// A redirect was acknowledged at `offset` of the retry partition, which is below zero when the broker did not say.
    ///
    /// Call it in the order of the acknowledgements: of two redirects the later one lies behind the earlier one.
    mutating func acknowledged(_ hash: UInt64, at offset: Int64) {
        set(hash) {
            $0.unacknowledged -= 1
            $0.last = offset >= 0 ? offset : .max
        }
    }

    /// A redirect that was queued will never be in the retry topic.
    mutating func refused(_ hash: UInt64) {
        set(hash) { $0.unacknowledged -= 1 }
        lift { _ in false }
    }

    /// An event of a key was found in the retry partition at `offset`, not done.
    mutating func found(_ hash: UInt64, at offset: Int64) {
        let isKept = foundCount < Self.maxFound
        set(hash) { $0.last = isKept ? max($0.last, offset) : .max }
        guard isKept else { return }
        found[Self.bucket(hash), default: []].append(offset)
        foundCount += 1
    }

    /// Lifts the marks whose last redirect `covers` says is done in what is committed of the retry partition.
    ///
    /// Returns whether any was lifted.
    @discardableResult
    mutating func lift(_ covers: (Int64) -> Bool) -> Bool {
        let before = marked.count
        marked.removeAll { bucket in
            guard marks[bucket].unacknowledged == 0, marks[bucket].last < 0 || covers(marks[bucket].last),
                found[bucket]?.allSatisfy(covers) ?? true
            else { return false }
            marks[bucket] = Mark()
            foundCount -= found.removeValue(forKey: bucket)?.count ?? 0
            return true
        }
        return marked.count < before
    }

    private static func bucket(_ hash: UInt64) -> Int { Int(hash & UInt64(bucketCount - 1)) }

    private mutating func set(_ hash: UInt64, _ change: (inout Mark) -> Void) {
        if marks.isEmpty { marks = [Mark](repeating: Mark(), count: Self.bucketCount) }
        let bucket = Self.bucket(hash)
        if !marks[bucket].isSet { marked.append(bucket) }
        change(&marks[bucket])
    }
}
