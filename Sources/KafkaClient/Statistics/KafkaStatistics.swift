// librdkafka's statistics as a value.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a client measured of itself: queue depths, round-trip times, lag.
///
/// The field names of librdkafka's `STATISTICS.md` stand beside each property.
public struct KafkaStatistics: Sendable, Hashable {
    /// The client's name (`name`).
    public var clientName: String
    /// When the statistics were gathered: seconds since 1970 (`time`).
    public var time: Int64
    /// How long the client has lived, in microseconds (`age`).
    public var age: Int64
    /// The number of events and reports that wait for the application (`replyq`).
    public var replyQueueDepth: Int
    /// The number of records that wait to be sent or acknowledged (`msg_cnt`).
    public var queuedMessages: Int
    /// The bytes of these records (`msg_size`).
    public var queuedBytes: Int
    /// The number of records sent since the start (`txmsgs`).
    public var sentMessages: Int64
    /// The number of records received since the start (`rxmsgs`).
    public var receivedMessages: Int64
    /// The number of bytes of requests sent since the start (`tx_bytes`).
    public var sentBytes: Int64
    /// The number of bytes of responses received since the start (`rx_bytes`).
    public var receivedBytes: Int64
    /// The brokers the client knows, by name (`brokers`).
    public var brokers: [String: Broker]
    /// The partitions the client works with (`topics`).
    public var partitions: [TopicPartition: Partition]
    /// The consumer group, for a member of one (`cgrp`).
    public var group: Group?

    /// What a client measured of one broker.
    public struct Broker: Sendable, Hashable {
        /// The broker's id, or -1 for one that is known by its address alone (`nodeid`).
        public var id: Int32
        /// The state of the connection, such as `UP` (`state`).
        public var state: String
        /// The number of requests that wait to be sent (`outbuf_cnt`).
        public var queuedRequests: Int
        /// The number of requests that wait for their response (`waitresp_cnt`).
        public var pendingRequests: Int
        /// The number of requests that failed to be sent (`txerrs`).
        public var sendErrors: Int64
        /// The number of requests that timed out (`req_timeouts`).
        public var timeouts: Int64
        /// Round-trip times (`rtt`).
        public var roundTrip: Window
    }

    /// A measurement over the last interval, in microseconds.
    public struct Window: Sendable, Hashable {
        /// The smallest value.
        public var min: Int64
        /// The greatest value.
        public var max: Int64
        /// The mean.
        public var average: Int64
        /// The median.
        public var p50: Int64
        /// The 99th percentile.
        public var p99: Int64
        /// How many values there were.
        public var count: Int64
    }

    /// What a client measured of one partition.
    public struct Partition: Sendable, Hashable {
        /// The id of the broker that leads it (`leader`).
        public var leader: Int32
        /// The number of records that wait to be sent (`msgq_cnt` and `xmit_msgq_cnt`).
        public var queuedMessages: Int
        /// The number of records that were fetched and wait to be read (`fetchq_cnt`).
        public var prefetchedMessages: Int
        /// The offset of the oldest record, or a negative number when it is not known (`lo_offset`).
        public var lowWatermark: Int64
        /// The next offset, or a negative number when it is not known (`hi_offset`).
        public var highWatermark: Int64
        /// The committed offset, or a negative number when it is not known (`committed_offset`).
        public var committedOffset: Int64
        /// How far the committed offset is behind; `nil` when it is not known (`consumer_lag`).
        public var lag: Int64?
    }

    /// What a client measured of its group.
    public struct Group: Sendable, Hashable {
        /// The state of the membership, such as `up` (`state`).
        public var state: String
        /// The state of the join, such as `steady` (`join_state`).
        public var joinState: String
        /// The number of rebalances (`rebalance_cnt`).
        public var rebalances: Int64
        /// Milliseconds since the last one (`rebalance_age`).
        public var millisecondsSinceRebalance: Int64
        /// The number of partitions this member reads (`assignment_size`).
        public var assignedPartitions: Int
    }

    /// Reads the JSON librdkafka emits.
    ///
    /// - Throws: `KafkaError` when it is not that.
    public init(json: String) throws(KafkaError) {
        do {
            self.init(try JSONDecoder().decode(Emitted.self, from: Data(json.utf8)))
        } catch {
            throw KafkaError(.invalidArgument, "The statistics are not of librdkafka's form")
        }
    }
}

/// The statistics as librdkafka emits them.
private struct Emitted: Decodable {
    struct Broker: Decodable {
        var nodeid: Int32
        var state: String
        var outbuf_cnt: Int
        var waitresp_cnt: Int
        var txerrs: Int64
        var req_timeouts: Int64
        var rtt: Window
    }
    struct Window: Decodable {
        var min: Int64
        var max: Int64
        var avg: Int64
        var p50: Int64
        var p99: Int64
        var cnt: Int64
    }
    struct Topic: Decodable { var partitions: [String: Partition] }
    struct Partition: Decodable {
        var partition: Int32
        var leader: Int32
        var msgq_cnt: Int
        var xmit_msgq_cnt: Int
        var fetchq_cnt: Int
        var lo_offset: Int64
        var hi_offset: Int64
        var committed_offset: Int64
        var consumer_lag: Int64
    }
    struct Group: Decodable {
        var state: String
        var join_state: String
        var rebalance_cnt: Int64
        var rebalance_age: Int64
        var assignment_size: Int
    }
    var name: String
    var time: Int64
    var age: Int64
    var replyq: Int
    var msg_cnt: Int
    var msg_size: Int
    var txmsgs: Int64
    var rxmsgs: Int64
    var tx_bytes: Int64
    var rx_bytes: Int64
    var brokers: [String: Broker]
    var topics: [String: Topic]
    var cgrp: Group?
}

extension KafkaStatistics {
    fileprivate init(_ emitted: Emitted) {
        clientName = emitted.name
        time = emitted.time
        age = emitted.age
        replyQueueDepth = emitted.replyq
        queuedMessages = emitted.msg_cnt
        queuedBytes = emitted.msg_size
        sentMessages = emitted.txmsgs
        receivedMessages = emitted.rxmsgs
        sentBytes = emitted.tx_bytes
        receivedBytes = emitted.rx_bytes
        brokers = emitted.brokers.mapValues { broker in
            Broker(
                id: broker.nodeid, state: broker.state, queuedRequests: broker.outbuf_cnt,
                pendingRequests: broker.waitresp_cnt, sendErrors: broker.txerrs, timeouts: broker.req_timeouts,
                roundTrip: Window(
                    min: broker.rtt.min, max: broker.rtt.max, average: broker.rtt.avg, p50: broker.rtt.p50,
                    p99: broker.rtt.p99, count: broker.rtt.cnt))
        }
        partitions = [:]
        for (name, topic) in emitted.topics {
            // Partition -1 holds records that have no partition yet.
            for partition in topic.partitions.values where partition.partition >= 0 {
                partitions[TopicPartition(name, partition.partition)] = Partition(
                    leader: partition.leader, queuedMessages: partition.msgq_cnt + partition.xmit_msgq_cnt,
                    prefetchedMessages: partition.fetchq_cnt, lowWatermark: partition.lo_offset,
                    highWatermark: partition.hi_offset, committedOffset: partition.committed_offset,
                    lag: partition.consumer_lag >= 0 ? partition.consumer_lag : nil)
            }
        }
        group = emitted.cgrp.map { group in
            Group(
                state: group.state, joinState: group.join_state, rebalances: group.rebalance_cnt,
                millisecondsSinceRebalance: group.rebalance_age, assignedPartitions: group.assignment_size)
        }
    }
}
