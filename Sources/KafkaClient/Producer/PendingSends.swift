// The records whose outcome is owed: a value without I/O.

/// The promises of records that are not acknowledged yet, by slot, and how many of each flush are left.
///
/// A flush waits for the records that were sent before it and for no others: each record belongs to the epoch it was
/// sent in, and every flush begins a new one.
struct PendingSends {
    private struct Slot {
        var promise: DeliveryPromise?
        var epoch = 0
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    /// The numbers of pending records of the epochs from `firstEpoch` to the current one.
    private var counts = [0]
    private var firstEpoch = 0

    /// How many records are pending.
    private(set) var count = 0

    /// Registers a record and returns its number, which is never 0.
    mutating func add(_ promise: DeliveryPromise) -> UInt {
        let epoch = firstEpoch + counts.count - 1
        counts[counts.count - 1] += 1
        count += 1
        if let index = free.popLast() {
            slots[Int(index)] = Slot(promise: promise, epoch: epoch)
            return UInt(index) + 1
        }
        slots.append(Slot(promise: promise, epoch: epoch))
        return UInt(slots.count)
    }

    /// Takes out the record with this number; `nil` when there is none.
    mutating func take(_ number: UInt) -> DeliveryPromise? {
        guard number > 0, number <= UInt(slots.count) else { return nil }
        let index = Int(number - 1)
        // Moved out, not copied: a copy costs a retain and a release under the lock.
        guard let promise = slots[index].promise.take() else { return nil }
        free.append(UInt32(index))
        count -= 1
        counts[slots[index].epoch - firstEpoch] -= 1
        while counts.count > 1, counts[0] == 0 {
            counts.removeFirst()
            firstEpoch += 1
        }
        return promise
    }

    /// Takes out everything.
    mutating func takeAll() -> [DeliveryPromise] {
        let all = (1...UInt(max(slots.count, 1))).compactMap { take($0) }
        return all
    }

    /// Begins a flush and returns the epoch to wait for.
    mutating func beginFlush() -> Int {
        let epoch = firstEpoch + counts.count - 1
        counts.append(0)
        while counts.count > 1, counts[0] == 0 {
            counts.removeFirst()
            firstEpoch += 1
        }
        return epoch
    }

    /// Whether no record of `epoch` or an earlier one is pending.
    func isDone(_ epoch: Int) -> Bool { epoch < firstEpoch }
}
