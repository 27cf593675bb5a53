// What one partition has in flight and what waits behind it: without I/O, and safe from several threads.

import Synchronization

/// How many records of a partition are in flight, and those that are held until there are fewer.
///
/// One thread adds at the end. Any thread settles and releases, one at a time, so that records keep their order.
struct PartitionWindow<Record: Sendable>: ~Copyable, Sendable {
    /// What may be released at once: as much as goes into one request.
    struct Batch: Sendable {
        var records: Int
        var bytes: Int
    }

    private struct Queue {
        /// Those before `first` were released.
        var entries: [(record: Record?, bytes: Int)] = []
        var first = 0
        var isReleasing = false
        /// When records began to wait, or some were released last; nanoseconds of a monotonic clock.
        var since: UInt64 = 0

        var count: Int { entries.count - first }

        /// Takes out the first records, at least one.
        mutating func take(_ limit: Batch) -> [(record: Record?, bytes: Int)] {
            var bytes = 0
            var end = first
            while end < entries.count, end - first < limit.records {
                guard end == first || bytes + entries[end].bytes <= limit.bytes else { break }
                bytes += entries[end].bytes
                end += 1
            }
            let taken = Array(entries[first..<end])
            for index in first..<end { entries[index].record = nil }
            first = end
            if first == entries.count {
                entries.removeAll(keepingCapacity: true)
                first = 0
            } else if first > 1_024, first > entries.count / 2 {
                entries.removeFirst(first)
                first = 0
            }
            return taken
        }
    }

    private let limit: Int
    private let inFlight = Atomic<Int>(0)
    /// Includes those that are just being released, so that nobody overtakes them.
    private let held = Atomic<Int>(0)
    private let queue = Mutex(Queue())

    /// Creates the window of a partition that may have `limit` records in flight before others are held.
    init(limit: Int) { self.limit = limit }

    /// How many records are held.
    var heldCount: Int { held.load(ordering: .sequentiallyConsistent) }

    /// How many records are in flight.
    var inFlightCount: Int { inFlight.load(ordering: .relaxed) }

    /// Whether a record must wait behind others.
    var mustHold: Bool {
        held.load(ordering: .acquiring) > 0 || inFlight.load(ordering: .relaxed) >= limit
    }

    /// Whether records wait that may go.
    var isDue: Bool { inFlight.load(ordering: .sequentiallyConsistent) < limit && heldCount > 0 }

    /// Holds a record of `bytes`, unless it may go after all: then it returns `false`.
    func hold(_ record: Record, bytes: Int, now: @autoclosure () -> UInt64) -> Bool {
        queue.withLock { queue in
            let isOpen = inFlight.load(ordering: .sequentiallyConsistent) < limit
            if isOpen, held.load(ordering: .relaxed) == 0 { return false }
            if queue.count == 0 { queue.since = now() }
            queue.entries.append((record, bytes))
            held.add(1, ordering: .sequentiallyConsistent)
            return true
        }
    }

    /// A record goes.
    func add() { inFlight.add(1, ordering: .sequentiallyConsistent) }

    /// A record is settled, whichever way.
    ///
    /// Returns whether records wait that may go now. Never falls below nothing in flight: records of which nobody knew
    /// that they go to this partition are settled too.
    func settle() -> Bool {
        var count = inFlight.load(ordering: .relaxed)
        while count > 0 {
            let (exchanged, found) = inFlight.weakCompareExchange(
                expected: count, desired: count - 1, ordering: .sequentiallyConsistent)
            count = exchanged ? count - 1 : found
            if exchanged { break }
        }
        return count < limit && heldCount > 0
    }

    /// Sends what is held, in order, a batch at a time for as long as the window is open.
    ///
    /// `send` says whether there was room for the record. Returns how many were sent, with their bytes, and whether there was
    /// room for all of them. Does nothing while another thread does this: that one looks again when it has done.
    func release(
        _ batch: Batch, now: UInt64, _ send: (Record) -> Bool
    ) -> (records: Int, bytes: Int, hadRoom: Bool) {
        var total = (records: 0, bytes: 0, hadRoom: true)
        repeat {
            let taken: [(record: Record?, bytes: Int)] = queue.withLock { queue in
                guard !queue.isReleasing, queue.count > 0 else { return [] }
                queue.isReleasing = true
                return queue.take(batch)
            }
            if taken.isEmpty { return total }
            var sent = 0
            for entry in taken {
                guard let record = entry.record else { continue }
                guard send(record) else { break }
                total.bytes += entry.bytes
                sent += 1
            }
            total.records += sent
            total.hadRoom = sent == taken.count
            queue.withLock { queue in
                if sent < taken.count { queue.entries.insert(contentsOf: taken[sent...], at: queue.first) }
                queue.since = now
                queue.isReleasing = false
                held.subtract(sent, ordering: .sequentiallyConsistent)
            }
        } while total.hadRoom && isDue
        return total
    }

    /// Opens the window where records have waited since before `instant`, as if nothing were in flight.
    ///
    /// Returns whether it did.
    func open(ifWaitingSince instant: UInt64) -> Bool {
        queue.withLock { queue in
            guard queue.count > 0, !queue.isReleasing, queue.since <= instant else { return false }
            inFlight.store(0, ordering: .sequentiallyConsistent)
            return true
        }
    }

    /// Takes out all that is held.
    func takeAll() -> (records: [Record], bytes: Int) {
        queue.withLock { queue in
            let taken = queue.entries[queue.first...]
            queue.entries = []
            queue.first = 0
            held.subtract(taken.count, ordering: .sequentiallyConsistent)
            return (taken.compactMap(\.record), taken.reduce(0) { $0 + $1.bytes })
        }
    }
}
