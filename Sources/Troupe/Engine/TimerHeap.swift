// What is due when: a binary heap over monotonic time. Pure bookkeeping.

/// Entries ordered by the monotonic time at which they are due, in nanoseconds; equal times keep their order.
struct TimerHeap<Payload> {
    private struct Entry {
        var due: UInt64
        var sequence: UInt64
        var payload: Payload
    }

    private var entries: [Entry] = []
    private var sequence: UInt64 = 0

    /// The time of the earliest entry.
    var earliest: UInt64? { entries.first?.due }

    /// The number of entries.
    var count: Int { entries.count }

    /// Adds an entry due at `due`.
    mutating func add(_ payload: Payload, due: UInt64) {
        sequence += 1
        entries.append(Entry(due: due, sequence: sequence, payload: payload))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isEarlier(child, parent) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the earliest entry that is due at `now`.
    mutating func popDue(at now: UInt64) -> Payload? {
        guard let first = entries.first, first.due <= now else { return nil }
        let last = entries.count - 1
        entries.swapAt(0, last)
        entries.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && isEarlier(child, smallest) {
                smallest = child
            }
            if smallest == parent { break }
            entries.swapAt(parent, smallest)
            parent = smallest
        }
        return first.payload
    }

    private func isEarlier(_ a: Int, _ b: Int) -> Bool {
        (entries[a].due, entries[a].sequence) < (entries[b].due, entries[b].sequence)
    }
}
