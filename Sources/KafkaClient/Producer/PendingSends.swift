// The records whose outcome is owed: a value without I/O.

/// The blocks of records that are not acknowledged yet, and how many of each flush are left.
///
/// A flush waits for the records that were sent before it and for no others: each block belongs to the epoch its records
/// were sent in, and every flush begins a new one.
struct PendingSends {
    /// A record's place before it is sent.
    struct Ticket {
        let number: SendNumber
        let block: DeliveryBlock
    }

    private struct Entry {
        var block: DeliveryBlock?
        /// How many of its records were sent and are not settled.
        var owed = 0
        var epoch = 0
    }

    private var entries: [Entry] = []
    private var free: [Int] = []
    /// The block that takes the next record, if it was begun.
    private var current: DeliveryBlock?
    /// Where that block is among `entries`, and how many records it has.
    private var currentIndex = 0
    private var used = 0
    /// The numbers of pending records of the epochs from `firstEpoch` to the current one.
    private var counts = [0]
    private var firstEpoch = 0

    /// How many records are pending.
    private(set) var count = 0
    /// How many blocks are kept.
    var blockCount: Int { entries.count - free.count }

    /// The place of the next record; the same again until it is confirmed.
    mutating func next() -> Ticket {
        if let current { return Ticket(number: SendNumber(block: currentIndex, slot: used), block: current) }
        let block = DeliveryBlock()
        let entry = Entry(block: block, epoch: firstEpoch + counts.count - 1)
        let index: Int
        if let known = free.popLast() {
            index = known
            entries[index] = entry
        } else {
            index = entries.count
            entries.append(entry)
        }
        current = block
        currentIndex = index
        used = 0
        return Ticket(number: SendNumber(block: index, slot: 0), block: block)
    }

    /// The record at the next place was sent.
    mutating func confirm() {
        guard current != nil else { return }
        entries[currentIndex].owed += 1
        counts[counts.count - 1] += 1
        count += 1
        used += 1
        if used == DeliveryBlock.size { current = nil }
    }

    /// Some records of a block are settled.
    ///
    /// Returns the block; `nil` when it has none to settle.
    mutating func settle(_ settled: Int, ofBlock index: Int) -> DeliveryBlock? {
        guard entries.indices.contains(index), let block = entries[index].block else { return nil }
        let number = min(settled, entries[index].owed)
        entries[index].owed -= number
        count -= number
        counts[entries[index].epoch - firstEpoch] -= number
        if entries[index].owed == 0, current == nil || currentIndex != index { release(index) }
        forgetDoneEpochs()
        return block
    }

    /// Takes out everything: the blocks with records that are not settled.
    mutating func takeAll() -> [DeliveryBlock] {
        endCurrent()
        return entries.indices.compactMap { index in
            entries[index].owed > 0 ? settle(entries[index].owed, ofBlock: index) : nil
        }
    }

    /// Begins a flush and returns the epoch to wait for.
    mutating func beginFlush() -> Int {
        let epoch = firstEpoch + counts.count - 1
        endCurrent()
        counts.append(0)
        forgetDoneEpochs()
        return epoch
    }

    /// Whether no record of `epoch` or an earlier one is pending.
    func isDone(_ epoch: Int) -> Bool { epoch < firstEpoch }

    /// The block that was begun takes no more records.
    private mutating func endCurrent() {
        if current != nil, entries[currentIndex].owed == 0 { release(currentIndex) }
        current = nil
    }

    private mutating func release(_ index: Int) {
        entries[index].block = nil
        free.append(index)
    }

    private mutating func forgetDoneEpochs() {
        while counts.count > 1, counts[0] == 0 {
            counts.removeFirst()
            firstEpoch += 1
        }
    }
}
