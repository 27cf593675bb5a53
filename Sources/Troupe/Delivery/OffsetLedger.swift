// Which records of a partition are done: a base offset and a bitmap window behind it. Pure bookkeeping.

/// Which records of one partition are done.
///
/// Every offset below `base` is done; behind it lies a window in which records complete in any order. Both are
/// committed (`snapshot`), so that the next owner takes up exactly there. Offsets that are never read (compacted ones,
/// transaction markers) count as done.
package struct OffsetLedger {
    /// The most records a partition may have taken and not completed contiguously.
    package static let window: Int64 = 16_384

    /// The lowest offset that is not done, and so the next one to read after a crash; -1 before the first record.
    package private(set) var base: Int64 = -1
    /// The offset behind the last record taken.
    package private(set) var next: Int64 = -1
    /// The highest offset that is known to be done, or -1: below it may lie records that are not.
    package private(set) var highest: Int64 = -1
    /// Counts what has become done, so that it can be told whether there is something to commit.
    package private(set) var revision: UInt64 = 0
    /// One bit an offset, at `offset % window`; set when it is done.
    ///
    /// Bits below `base` are clear again.
    private var done: [UInt64]

    /// A ledger that knows nothing: it begins at the first record taken.
    ///
    /// - Parameter window: the length of the window, a power of two of at least 64.
    package init(window: Int64 = OffsetLedger.window) { done = [UInt64](repeating: 0, count: Int(window / 64)) }

    /// A ledger that goes on from what was committed.
    package init(_ snapshot: LedgerSnapshot, window: Int64 = OffsetLedger.window) {
        self.init(window: window)
        base = snapshot.base
        next = snapshot.base
        for (index, word) in snapshot.words.prefix(done.count).enumerated() {
            var rest = word
            while rest != 0 {
                let offset = base + Int64(index * 64 + rest.trailingZeroBitCount)
                rest &= rest - 1
                mark(offset)
                highest = offset
            }
        }
    }

    /// Whether nothing is known yet: no record was taken and nothing was committed before.
    package var isEmpty: Bool { base < 0 }

    /// The length of the window.
    private var window: Int64 { Int64(done.count * 64) }

    /// Whether taking one more record would leave the window.
    package var isFull: Bool { base >= 0 && next - base >= window }

    /// Whether every record below `highest` is done.
    package var isContiguous: Bool { highest < base }

    /// What is done now, to be committed.
    package var snapshot: LedgerSnapshot {
        guard !isContiguous, base >= 0 else { return LedgerSnapshot(base: base) }
        let count = Int(highest - base) / 64 + 1
        let shift = UInt64(base & 63)
        let first = word(base)
        let words = (0..<count).map { index -> UInt64 in
            let low = done[(first + index) % done.count] >> shift
            // The window is as long as the bitmap, so the word behind the last one is the first one again.
            let high = shift == 0 ? 0 : done[(first + index + 1) % done.count] << (64 - shift)
            return low | high
        }
        return LedgerSnapshot(base: base, words: words)
    }

    /// Whether the record at `offset` can be taken now.
    package func hasRoom(for offset: Int64) -> Bool {
        base < 0 || base == next || (offset >= next && offset - base < window)
    }

    /// Notes that the record at `offset` was read.
    ///
    /// The caller asks `isFull` first. A gap that reaches over the whole window moves the base behind it when
    /// nothing is open, and is refused otherwise: take it again once there is room.
    ///
    /// An offset that was taken before is the start of another log: the client reads a partition forwards only, unless
    /// the topic was made anew or the broker lost its end. It too is refused while anything is open, and then the
    /// ledger starts again there: dropping it would lose the records of the new log.
    package mutating func take(_ offset: Int64) -> Taken {
        guard hasRoom(for: offset) else { return .noRoom }
        if base < 0 || offset < next {
            let restarts = base >= 0
            start(at: offset)
            next = offset + 1
            return restarts ? .restarted : .taken
        }
        if offset - base >= window {
            start(at: offset)
        } else {
            while next < offset {
                mark(next)
                next += 1
            }
        }
        next = offset + 1
        let isDone = isMarked(offset)
        if isDone || base < offset { advance() }
        return isDone ? .alreadyDone : .taken
    }

    /// Notes that there is no record before `offset` that was not taken: what lies between are markers of transactions,
    /// aborted records and what compaction removed.
    ///
    /// It is not worth a commit of its own, so `revision` does not count it.
    package mutating func skip(to offset: Int64) {
        guard base >= 0, offset > next, hasRoom(for: offset) else { return }
        let before = revision
        if offset - base >= window {
            start(at: offset)
        } else {
            while next < offset {
                mark(next)
                next += 1
            }
            advance()
        }
        next = offset
        revision = before
    }

    /// What became of taking a record.
    package enum Taken {
        /// It is this partition's next record.
        case taken
        /// An earlier owner has done it, out of order: it is not to be handled again.
        case alreadyDone
        /// It is taken, and the partition's reading went back to it.
        case restarted
        /// There is no room for it now.
        case noRoom
    }

    /// Notes that the record at `offset` is done: it and all it published are acknowledged.
    package mutating func complete(_ offset: Int64) {
        guard offset >= base, offset < next else { return }
        mark(offset)
        revision &+= 1
        highest = max(highest, offset)
        if offset == base { advance() }
    }

    private mutating func start(at offset: Int64) {
        base = offset
        highest = -1
        revision &+= 1
        for word in done.indices { done[word] = 0 }
    }

    private mutating func mark(_ offset: Int64) { done[word(offset)] |= 1 << UInt64(offset & 63) }

    private func isMarked(_ offset: Int64) -> Bool { done[word(offset)] & (1 << UInt64(offset & 63)) != 0 }

    private func word(_ offset: Int64) -> Int { Int(truncatingIfNeeded: offset >> 6) & (done.count - 1) }

    /// Moves the base over the run of done offsets at its start, a word at a time.
    private mutating func advance() {
        while base < next {
            let index = word(base)
            let bit = UInt64(base & 63)
            let run = (~(done[index] >> bit)).trailingZeroBitCount
            if run == 0 { return }
            // What an earlier owner did lies beyond what was taken: the base waits for it to be read.
            let count = min(run, 64 - Int(bit), Int(next - base))
            let mask: UInt64 = count == 64 ? ~0 : ((1 << UInt64(count)) - 1) << bit
            done[index] &= ~mask
            base += Int64(count)
            revision &+= 1
            if count < 64 - Int(bit) { return }
        }
    }
}
