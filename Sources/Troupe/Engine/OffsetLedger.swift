// Which records of a partition are done: a base offset and a bitmap window behind it. Pure bookkeeping.

/// Which records of one partition are done.
///
/// Every offset below `base` is done; behind it lies a window in which records complete in any order. What may be
/// committed is `base`. Offsets that are never read (compacted ones, transaction markers) count as done.
struct OffsetLedger {
    /// The most records a partition may have taken and not completed contiguously.
    static let window: Int64 = 16_384

    /// The lowest offset that is not done, and so the next one to read after a crash; -1 before the first record.
    private(set) var base: Int64 = -1
    /// The offset behind the last record taken.
    private(set) var next: Int64 = -1
    /// One bit an offset, at `offset % window`; set when it is done.
    ///
    /// Bits below `base` are clear again.
    private var done = [UInt64](repeating: 0, count: Int(window / 64))

    /// The highest offset that was completed, or -1: below it may lie records that are not done.
    private(set) var highest: Int64 = -1

    /// Whether a record was taken yet.
    var isEmpty: Bool { base < 0 }

    /// Whether taking one more record would leave the window.
    var isFull: Bool { base >= 0 && next - base >= Self.window }

    /// The number of records taken and not done.
    var openCount: Int {
        guard base >= 0 else { return 0 }
        var count = Int(next - base)
        for word in done { count -= word.nonzeroBitCount }
        return count
    }

    /// Whether the record at `offset` can be taken now.
    func hasRoom(for offset: Int64) -> Bool {
        base < 0 || base == next || (offset >= next && offset - base < Self.window)
    }

    /// Notes that the record at `offset` was taken.
    ///
    /// The caller asks `isFull` first. A gap that reaches over the whole window moves the base behind it when
    /// nothing is open, and is refused otherwise: take it again once there is room.
    ///
    /// An offset that was taken before is the start of another log: the client reads a partition forwards only, unless
    /// the topic was made anew or the broker lost its end. It too is refused while anything is open, and then the
    /// ledger starts again there: dropping it would lose the records of the new log.
    mutating func take(_ offset: Int64) -> Taken {
        guard hasRoom(for: offset) else { return .noRoom }
        if base < 0 || offset < next {
            let restarts = base >= 0
            base = offset
            next = offset + 1
            highest = -1
            return restarts ? .restarted : .taken
        }
        if offset - base >= Self.window {
            base = offset
        } else {
            while next < offset {
                mark(next)
                next += 1
            }
        }
        next = offset + 1
        advance()
        return .taken
    }

    /// What became of taking a record.
    enum Taken {
        /// It is this partition's next record.
        case taken
        /// It is taken, and the partition's reading went back to it.
        case restarted
        /// There is no room for it now.
        case noRoom
    }

    /// Notes that the record at `offset` is done: it and all it published are acknowledged.
    mutating func complete(_ offset: Int64) {
        guard offset >= base, offset < next else { return }
        mark(offset)
        highest = max(highest, offset)
        if offset == base { advance() }
    }

    private mutating func mark(_ offset: Int64) {
        done[Self.word(offset)] |= 1 << UInt64(offset & 63)
    }

    private static func word(_ offset: Int64) -> Int { Int((offset & (window - 1)) >> 6) }

    /// Moves the base over the run of done offsets at its start, a word at a time.
    private mutating func advance() {
        while base < next {
            let word = Self.word(base)
            let bit = UInt64(base & 63)
            let run = (~(done[word] >> bit)).trailingZeroBitCount
            if run == 0 { return }
            let count = min(run, 64 - Int(bit))
            let mask: UInt64 = count == 64 ? ~0 : ((1 << UInt64(count)) - 1) << bit
            done[word] &= ~mask
            base += Int64(count)
            if count < 64 - Int(bit) { return }
        }
    }
}
