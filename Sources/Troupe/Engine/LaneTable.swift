// Lanes: records of one key of one partition in order, different keys side by side. Pure bookkeeping.

/// What is to be done with a record in a lane.
protocol LaneWork {
    /// Nothing.
    init()

    /// Lets go of what it holds: the record is done, and its node free.
    mutating func clear()
}

/// The lanes of a service and the records in them.
///
/// Both lie in pools of plain values linked by indices: a record that passes through allocates nothing. A lane lives
/// as long as it has records. A record's node lives on behind its lane until all it published is acknowledged.
struct LaneTable<Work: LaneWork> {
    typealias NodeIndex = Int32
    typealias LaneIndex = Int32
    /// The index that stands for "none".
    static var none: Int32 { -1 }

    /// One record, from being taken to being done.
    struct Node {
        /// What is to be done; the owner's business.
        var work: Work
        /// The lane the record waits in or is at the head of, or none.
        var lane: LaneIndex
        fileprivate var next: NodeIndex
        /// Whether the record is not done; a dead node waits in the free list.
        fileprivate var isLive = true

        fileprivate mutating func begin(_ lane: LaneIndex) {
            self.lane = lane
            next = -1
            isLive = true
        }

        fileprivate mutating func end() {
            work.clear()
            lane = -1
            next = -1
            isLive = false
        }
    }

    /// What a lane is doing.
    enum LaneState {
        /// It has a record to run and stands in the ready list.
        case ready
        /// Its first record is being handled.
        case running
        /// Its first record waits: for its time, or for an acknowledgement.
        case held
    }

    private struct Lane {
        var hash: UInt64
        var partition: Int32
        var head: NodeIndex
        var tail: NodeIndex
        var state: LaneState
        var nextInBucket: LaneIndex
        var nextReady: LaneIndex
    }

    private var nodes: [Node] = []
    private var freeNodes: [NodeIndex] = []
    private var lanes: [Lane] = []
    private var freeLanes: [LaneIndex] = []
    private var buckets: [LaneIndex]
    private let mask: UInt64
    private var readyHead: LaneIndex = -1
    private var readyTail: LaneIndex = -1

    /// The number of records that are not done.
    private(set) var count = 0

    /// Creates an empty table.
    ///
    /// `buckets`, a power of two, should be about the number of keys in flight.
    init(buckets: Int = 4_096) {
        self.buckets = [LaneIndex](repeating: -1, count: buckets)
        mask = UInt64(buckets - 1)
    }

    // MARK: Records

    /// The work of a record that is not done.
    subscript(node: NodeIndex) -> Work {
        _read { yield nodes[Int(node)].work }
        _modify { yield &nodes[Int(node)].work }
    }

    /// Calls `body` with each record that is not done.
    func forEach(_ body: (NodeIndex, Node) -> Void) {
        for (index, node) in nodes.enumerated() where node.isLive { body(NodeIndex(index), node) }
    }

    /// Appends a record to the lane of `hash` in `partition`.
    @discardableResult
    mutating func append(_ work: Work, partition: Int32, hash: UInt64) -> NodeIndex {
        let node = append(partition: partition, hash: hash)
        self[node] = work
        return node
    }

    /// Appends a record to the lane of `hash` in `partition`; its work is the caller's to put there.
    mutating func append(partition: Int32, hash: UInt64) -> NodeIndex {
        let lane = findLane(partition: partition, hash: hash)
        let node: NodeIndex
        if let free = freeNodes.popLast() {
            node = free
            nodes[Int(free)].begin(lane)
        } else {
            node = NodeIndex(nodes.count)
            nodes.append(Node(work: Work(), lane: lane, next: -1))
        }
        count += 1
        if lanes[Int(lane)].tail >= 0 {
            nodes[Int(lanes[Int(lane)].tail)].next = node
        } else {
            lanes[Int(lane)].head = node
        }
        lanes[Int(lane)].tail = node
        return node
    }

    /// Ends a record that has left its lane.
    mutating func remove(_ node: NodeIndex) {
        nodes[Int(node)].end()
        freeNodes.append(node)
        count -= 1
    }

    // MARK: Lanes

    /// Whether a lane has a record to run.
    var hasReady: Bool { readyHead >= 0 }

    /// Takes the next record to run; its lane is `running` from here on.
    mutating func nextReady() -> NodeIndex? {
        let lane = readyHead
        guard lane >= 0 else { return nil }
        readyHead = lanes[Int(lane)].nextReady
        if readyHead < 0 { readyTail = -1 }
        lanes[Int(lane)].state = .running
        return lanes[Int(lane)].head
    }

    /// Holds the lane of its first record `node`: nothing of the lane runs until `resume` or `advance`.
    mutating func hold(_ node: NodeIndex) {
        let lane = nodes[Int(node)].lane
        if lane >= 0 { lanes[Int(lane)].state = .held }
    }

    /// Makes a held lane ready again, with the same first record.
    mutating func resume(_ node: NodeIndex) {
        let lane = nodes[Int(node)].lane
        if lane >= 0 { makeReady(lane) }
    }

    /// Takes `node`, the first of its lane, out of it; the lane goes on with the next record or ends.
    mutating func advance(_ node: NodeIndex) {
        let lane = nodes[Int(node)].lane
        guard lane >= 0 else { return }
        let next = nodes[Int(node)].next
        nodes[Int(node)].lane = -1
        lanes[Int(lane)].head = next
        if next >= 0 {
            makeReady(lane)
        } else {
            lanes[Int(lane)].tail = -1
            endLane(lane)
        }
    }

    /// The hash of the lane that the record is in.
    func hash(of node: NodeIndex) -> UInt64 {
        let lane = nodes[Int(node)].lane
        return lane >= 0 ? lanes[Int(lane)].hash : 0
    }

    /// Drops the records of `partition` that no handler has begun with, and returns them as they were.
    ///
    /// A lane keeps its running record. One that `isOutstanding` leaves its lane and lives on.
    mutating func drop(partition: Int32, isOutstanding: (Work) -> Bool) -> [Work] {
        var dropped: [Work] = []
        for lane in lanes.indices where lanes[lane].partition == partition && lanes[lane].head >= 0 {
            var node = lanes[lane].head
            if lanes[lane].state == .running {
                lanes[lane].tail = node
                let first = Int(node)
                node = nodes[first].next
                nodes[first].next = -1
            } else {
                lanes[lane].head = -1
                lanes[lane].tail = -1
            }
            while node >= 0 {
                let next = nodes[Int(node)].next
                if isOutstanding(nodes[Int(node)].work) {
                    nodes[Int(node)].lane = -1
                    nodes[Int(node)].next = -1
                } else {
                    dropped.append(nodes[Int(node)].work)
                    remove(node)
                }
                node = next
            }
            guard lanes[lane].head < 0 else { continue }
            if lanes[lane].state == .ready { unlinkReady(LaneIndex(lane)) }
            endLane(LaneIndex(lane))
        }
        return dropped
    }

    private mutating func findLane(partition: Int32, hash: UInt64) -> LaneIndex {
        let bucket = Int(hash & mask)
        var lane = buckets[bucket]
        while lane >= 0 {
            if lanes[Int(lane)].hash == hash, lanes[Int(lane)].partition == partition { return lane }
            lane = lanes[Int(lane)].nextInBucket
        }
        let fresh = Lane(
            hash: hash, partition: partition, head: -1, tail: -1, state: .ready, nextInBucket: buckets[bucket],
            nextReady: -1)
        if let free = freeLanes.popLast() {
            lane = free
            lanes[Int(free)] = fresh
        } else {
            lane = LaneIndex(lanes.count)
            lanes.append(fresh)
        }
        buckets[bucket] = lane
        makeReady(lane)
        return lane
    }

    private mutating func makeReady(_ lane: LaneIndex) {
        lanes[Int(lane)].state = .ready
        lanes[Int(lane)].nextReady = -1
        if readyTail >= 0 { lanes[Int(readyTail)].nextReady = lane } else { readyHead = lane }
        readyTail = lane
    }

    private mutating func unlinkReady(_ lane: LaneIndex) {
        var previous: LaneIndex = -1
        var current = readyHead
        while current >= 0, current != lane {
            previous = current
            current = lanes[Int(current)].nextReady
        }
        guard current == lane else { return }
        let next = lanes[Int(lane)].nextReady
        if previous >= 0 { lanes[Int(previous)].nextReady = next } else { readyHead = next }
        if readyTail == lane { readyTail = previous }
    }

    private mutating func endLane(_ lane: LaneIndex) {
        let bucket = Int(lanes[Int(lane)].hash & mask)
        if buckets[bucket] == lane {
            buckets[bucket] = lanes[Int(lane)].nextInBucket
        } else {
            var previous = buckets[bucket]
            while previous >= 0, lanes[Int(previous)].nextInBucket != lane {
                previous = lanes[Int(previous)].nextInBucket
            }
            if previous >= 0 { lanes[Int(previous)].nextInBucket = lanes[Int(lane)].nextInBucket }
        }
        lanes[Int(lane)].head = -1
        lanes[Int(lane)].partition = -1
        freeLanes.append(lane)
    }
}
