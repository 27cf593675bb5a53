// What bounds the engine: counts of records and bytes, and what waits for the producer's queue.

import KafkaClient

/// How much may be taken and not be done.
struct FlowBudget {
    private let maxCount: Int
    private let maxBytes: Int
    private(set) var count = 0
    private(set) var bytes = 0

    init(maxCount: Int, maxBytes: Int) {
        self.maxCount = maxCount
        self.maxBytes = maxBytes
    }

    var hasRoom: Bool { count < maxCount && bytes < maxBytes }

    mutating func add(_ byteCount: Int) {
        count += 1
        bytes += byteCount
    }

    mutating func remove(_ byteCount: Int) {
        count -= 1
        bytes -= byteCount
    }
}

/// Records to be published that the producer's queue had no room for, in order.
struct Backlog {
    private var entries: [(message: PackedMessage, node: Int32)] = []
    private var head = 0

    var isEmpty: Bool { head == entries.count }

    var count: Int { entries.count - head }

    var first: (message: PackedMessage, node: Int32)? { head < entries.count ? entries[head] : nil }

    mutating func append(_ message: PackedMessage, for node: Int32) { entries.append((message, node)) }

    mutating func removeFirst() {
        head += 1
        // What was sent is let go now and then, also when the backlog never becomes empty.
        if head == entries.count || head >= 1_024 {
            entries.removeFirst(head)
            head = 0
        }
    }
}
