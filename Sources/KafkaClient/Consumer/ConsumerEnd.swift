// How a consumer ends that its owner has let go of: it leaves its group, answering what it is asked, and is destroyed.

import CRDKafka

/// What the end of a consumer depends on.
struct GroupMembership: Sendable {
    /// Whether the group moves partitions a few at a time (KIP-429).
    let isCooperative: Bool
    /// Whether the member keeps its place in the group when it goes (KIP-345).
    let isStatic: Bool
    /// Whether it joins a group at all.
    var isSubscribed = false
    /// Whether partitions have come or gone.
    var hasRebalanced = false
    /// Whether it has begun to leave.
    var isClosing = false

    init(_ properties: [(String, String)]) {
        isCooperative = properties.contains {
            $0.0 == "partition.assignment.strategy" && $0.1.contains("cooperative")
        }
        isStatic = properties.contains { $0.0 == "group.instance.id" && !$0.1.isEmpty }
    }
}

/// Ends a consumer whose owner has let go of it, on a thread of its own.
///
/// A member whose group waits for an answer must not be destroyed. librdkafka's main thread then waits for that answer
/// with its timers stopped, which is a loop that takes a whole core, and nothing ends it any more (2.0.2, seen:
/// `rd_kafka_thread_main` until `rd_kafka_cgrp_try_terminate`). It comes to that by a revocation that a close asked for, and
/// under cooperative assignors by any assignment. Before it is told to destroy the client the same thread waits idly, so
/// this has no deadline: the member is led out of its group as its owner would have done, and destroyed when nothing is
/// waited for.
struct ConsumerEnd {
    /// How long the group is waited for where ending without it is only unlikely to go wrong.
    private static let patience = Duration.seconds(30)

    private let client: ClientHandle
    private let queue: EventQueue
    private var membership: GroupMembership

    /// Ends a consumer, of which `request` is not answered yet.
    static func start(_ client: ClientHandle, _ membership: GroupMembership, _ request: RebalanceRequest?) {
        if client.isClosed { return }
        let run: @Sendable () -> Void = {
            guard let pointer = rd_kafka_queue_get_consumer(client.pointer) else { return }
            var end = ConsumerEnd(
                client: client, queue: EventQueue(owning: pointer, of: client, waker: nil), membership: membership)
            end.run(request)
        }
        do { try startThread(named: "kafka-end", run) } catch { run() }
    }

    private mutating func run(_ request: RebalanceRequest?) {
        if let request { try? request.answer(by: client) }
        if membership.isSubscribed, membership.isCooperative, !membership.isClosing { leaveCooperatively() }
        if !membership.isClosing {
            if let error = rd_kafka_consumer_close_queue(client.pointer, queue.pointer) {
                // A fatal error was raised: librdkafka asks for no answers any more.
                rd_kafka_error_destroy(error)
                return
            }
            membership.isClosing = true
        }
        while !client.isClosed { serve() }
    }

    /// Leaves a cooperative group before the consumer is closed, which older versions get wrong in two ways.
    private mutating func leaveCooperatively() {
        let deadline = ContinuousClock.now + Self.patience
        if Workaround.closeAfterFirstAssignment.isNeeded() {
            while ContinuousClock.now < deadline, hasNoAssignorState { serve() }
        }
        if Workaround.leaveBeforeClose.isNeeded(), !membership.isStatic {
            rd_kafka_unsubscribe(client.pointer)
            while ContinuousClock.now < deadline, client.memberID != nil { serve() }
        }
        if Workaround.closeAfterFirstAssignment.isNeeded(), hasNoAssignorState { client.outlivesItsOwners() }
    }

    /// Whether the member has an assignor and no assignment yet: librdkafka's sticky assignor then ends the process when
    /// the client is destroyed (confluentinc/librdkafka#4312).
    private var hasNoAssignorState: Bool { !membership.hasRebalanced && client.rebalanceProtocol == .cooperative }

    /// Waits for the next event a moment, and answers it.
    private mutating func serve() {
        guard let event = queue.poll(milliseconds: 50) else { return }
        defer { rd_kafka_event_destroy(event) }
        guard let request = RebalanceRequest(event) else { return }
        membership.hasRebalanced = true
        if membership.isClosing {
            // Every answer gives all partitions up now.
            rd_kafka_assign(client.pointer, nil)
        } else {
            // What fails here is asked for again by the close.
            try? request.answer(by: client)
        }
    }
}

extension ClientHandle {
    /// Whether the group was left and nothing more will arrive.
    var isClosed: Bool { rd_kafka_consumer_closed(pointer) != 0 }
}
