// Where handlers run and how many at once: bounds of routes, partitions and the service, and threads of a route's own.

import Foundation
import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct ExecutionTests {
    /// Handlers that wait until the test lets them go, and how many there are.
    final class Gate: Sendable {
        private struct State {
            var waiting: [CheckedContinuation<Void, Never>] = []
            var isOpen = false
            var most = 0
            var current = 0
            var numbers: [Int] = []
        }
        private let state = Mutex(State())

        /// A handler waits here.
        func pass(_ number: Int = 0) async {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    state.current += 1
                    state.most = max(state.most, state.current)
                    state.numbers.append(number)
                    if !state.isOpen { state.waiting.append(continuation) }
                    return state.isOpen
                }
                if goesOn { continuation.resume() }
            }
            state.withLock { $0.current -= 1 }
        }

        /// Lets one go.
        func release() { state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }?.resume() }

        /// Lets all go, and those to come.
        func open() {
            let waiting = state.withLock { state in
                state.isOpen = true
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }

        var current: Int { state.withLock { $0.current } }
        var most: Int { state.withLock { $0.most } }
        var numbers: [Int] { state.withLock { $0.numbers } }
    }

    /// Counts what another route handled.
    final class Counter: Sendable {
        private let count = Atomic(0)
        func add() { count.add(1, ordering: .relaxed) }
        var value: Int { count.load(ordering: .relaxed) }
    }

    private func reserved(_ space: TestSpace, _ number: Int) -> KafkaMessage {
        var message = space.placed("r\(number)", number: number)
        message.topic = space.name(Reserved.topic)
        message.headers.removeAll { $0.name == "ce_type" }
        message.headers.append(KafkaHeader("ce_type", Reserved.type.rawValue))
        return message
    }

    @Test func aBulkheadIsNeverExceededAndOtherRoutesGoOnWhileItIsFull() async throws {
        let space = try await TestSpace(partitions: 2) { $0.engine.maxRecordsInFlight = 64 }
        let gate = Gate()
        let others = Counter()
        var router = EventRouter()
        router.on(Placed.self, execution: .inline(maxConcurrent: 3)) { placed, _ in await gate.pass(placed.number) }
        router.on(Reserved.self) { _, _ in others.add() }
        let service = space.service("stock", router: router)
        // More than may be in flight: what waits for its route must leave room for the others.
        try await TestCluster.produce((0..<200).map { space.placed("k\($0)", number: $0) })
        try await withService(service) {
            try await wait(for: "the bulkhead to be full, and its share of what is in flight") {
                gate.current == 3 && service.status.routes.first?.inFlight == 32
            }
            try await TestCluster.produce((0..<500).map { reserved(space, $0) })
            try await wait(for: "the other route's events") { others.value == 500 }
            #expect(gate.current == 3)
            #expect(service.status.routes.count == 1)
            #expect(service.status.routes.first?.running == 3)
            #expect(service.status.routes.first?.waiting == 29)
            for done in 1...20 {
                gate.release()
                try await wait(for: "the next one") { gate.numbers.count == 3 + done && gate.current == 3 }
            }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 700 }
        }
        #expect(gate.most == 3)
        #expect(Set(gate.numbers).count == 200 && gate.numbers.count == 200)
    }

    @Test func waitingLanesAreLetThroughInOrder() async throws {
        let space = try await TestSpace(partitions: 1)
        let gate = Gate()
        var router = EventRouter()
        router.on(Placed.self, execution: .inline(maxConcurrent: 1)) { placed, _ in await gate.pass(placed.number) }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<100).map { space.placed("k\($0)", number: $0) })
        try await withService(service) {
            try await wait(for: "the others to wait") { service.status.routes.first?.waiting == 99 }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 100 }
        }
        #expect(gate.numbers == Array(0..<100))
        #expect(gate.most == 1)
    }

    @Test func theServicesBoundHoldsExactly() async throws {
        let space = try await TestSpace(partitions: 4) { $0.engine.maxConcurrentHandlers = 7 }
        let gate = Gate()
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in await gate.pass(placed.number) }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<300).map { space.placed("k\($0)", number: $0) })
        try await withService(service) {
            for done in 0..<30 {
                try await wait(for: "the bound") { gate.current == 7 && gate.numbers.count == 7 + done }
                gate.release()
            }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 300 }
        }
        #expect(gate.most == 7)
    }

    @Test func aPartitionsBoundHoldsExactly() async throws {
        let space = try await TestSpace(partitions: 2) { $0.engine.maxRecordsInFlightPerPartition = 5 }
        let gate = Gate()
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in await gate.pass(placed.number) }
        let service = space.service("stock", router: router)
        try await TestCluster.produce(
            (0..<100).map {
                var message = space.placed("k\($0)", number: $0)
                message.partition = Int32($0 % 2)
                return message
            })
        try await withService(service) {
            try await wait(for: "both partitions' bounds") { gate.current == 10 && service.status.inFlight == 10 }
            #expect(Set(gate.numbers) == Set(0..<10))
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 100 }
        }
        #expect(gate.most == 10)
    }

    // MARK: Threads of a route's own

    /// Blocks its thread, as a call into a library does, until it is let go.
    final class Blocker: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let state = Mutex((current: 0, most: 0, threads: Set<UInt>()))

        func block() {
            state.withLock {
                $0.current += 1
                $0.most = max($0.most, $0.current)
                $0.threads.insert(UInt(bitPattern: ObjectIdentifier(Thread.current)))
            }
            semaphore.wait()
            state.withLock { $0.current -= 1 }
        }

        func release(_ count: Int) { for _ in 0..<count { semaphore.signal() } }

        var current: Int { state.withLock { $0.current } }
        var most: Int { state.withLock { $0.most } }
        var threads: Int { state.withLock { $0.threads.count } }
    }

    @Test func anOffloadedHandlerThatBlocksItsThreadStopsNoOtherRoute() async throws {
        let space = try await TestSpace(partitions: 2)
        let blocker = Blocker()
        let others = Counter()
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self), execution: .offloaded(threads: 2)) { placed, _ in
            blocker.block()
            return Reserved(order: placed.order, number: placed.number)
        }
        router.on(Reserved.self) { _, _ in others.add() }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<20).map { space.placed("k\($0)", number: $0) })
        try await withService(service) {
            try await wait(for: "both threads to be blocked") { blocker.current == 2 }
            try await TestCluster.produce((0..<300).map { reserved(space, $0) })
            try await wait(for: "the other route's events") { others.value == 300 }
            #expect(blocker.current == 2)
            blocker.release(20)
            try await wait(for: "all that they published") { service.status.handled == 340 }
        }
        #expect(blocker.most == 2)
        #expect(blocker.threads == 2)
        #expect(others.value == 320)
        #expect(service.status.published == 20)
    }

    @Test func aRebalanceGoesOnWhileAnOffloadedHandlerBlocks() async throws {
        let space = try await TestSpace(partitions: 2) { $0.engine.drainTimeout = .milliseconds(500) }
        let blocker = Blocker()
        let others = Counter()
        var router = EventRouter()
        router.on(Placed.self, execution: .offloaded(threads: 1)) { _, _ in blocker.block() }
        router.on(Reserved.self) { _, _ in others.add() }
        let (first, second) = (space.service("stock", router: router), space.service("stock", router: router))
        try await TestCluster.produce([space.placed("a")])
        try await withService(first) {
            try await wait(for: "the thread to be blocked") { blocker.current == 1 }
            try await withService(second) {
                try await wait(for: "the partitions to be shared") {
                    first.status.partitions > 0 && second.status.partitions > 0
                }
                try await TestCluster.produce((0..<100).map { reserved(space, $0) })
                try await wait(for: "the other route's events") { others.value >= 100 }
                // Once for each instance that may have it: the first may have lost the partition meanwhile.
                blocker.release(2)
                try await wait(for: "the blocked one to be handled") {
                    first.status.handled + second.status.handled == 101
                }
            }
        }
        #expect(others.value == 100)
    }

    @Test func aStopGoesOnWhileAnOffloadedHandlerBlocksAndItsEventIsHandledAgain() async throws {
        let log = CapturingLog()
        let space = try await TestSpace(partitions: 1) {
            $0.engine.drainTimeout = .milliseconds(300)
            $0.logger = Logger(label: "test", level: .warning, handler: log)
        }
        let blocker = Blocker()
        var router = EventRouter()
        router.on(Placed.self, execution: .offloaded(threads: 1)) { _, _ in blocker.block() }
        let first = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("a"), space.placed("b")])
        let running = Task { try await first.run() }
        try await wait(for: "the thread to be blocked") { blocker.current == 1 }
        running.cancel()
        try await running.value
        #expect(blocker.current == 1, "the handler has outlasted its service")
        #expect(first.status.handled == 0)
        #expect(log.lines.contains { $0.message == "Handlers ignored their cancellation" })
        let second = space.service("stock", router: router)
        blocker.release(3)
        try await withService(second) {
            try await wait(for: "both to be handled by the next owner") { second.status.handled == 2 }
        }
    }

    @Test func anOffloadedHandlerKeepsTheOrderOfAKeyAndReturnsToItsThreadsAfterWaiting() async throws {
        let space = try await TestSpace(partitions: 1)
        let seen = Mutex<[String: [Int]]>([:])
        let names = Mutex<Set<String>>([])
        var router = EventRouter()
        router.on(Placed.self, execution: .offloaded(threads: 3, maxConcurrent: 8)) { placed, _ in
            names.withLock { _ = $0.insert(Self.threadName) }
            try await Task.sleep(for: .microseconds(50))
            names.withLock { _ = $0.insert(Self.threadName) }
            seen.withLock { $0[placed.order, default: []].append(placed.number) }
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<2_000).map { space.placed("k\($0 % 20)", number: $0) })
        try await withService(service) {
            try await wait(for: "all to be handled") { service.status.handled == 2_000 }
        }
        for key in 0..<20 {
            #expect(seen.withLock { $0["k\(key)"] } == Array(stride(from: key, to: 2_000, by: 20)))
        }
        #if os(Linux)
            #expect(names.withLock { $0 } == ["troupe-route-1"])
        #endif
    }

    private static var threadName: String {
        #if os(Linux)
            (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))?
                .trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
        #else
            Thread.current.name ?? ""
        #endif
    }

    #if os(Linux)
        @Test func theThreadsOfARouteEndWithTheService() async throws {
            let space = try await TestSpace(partitions: 1)
            var router = EventRouter()
            router.on(Reserved.self) { _, _ in }
            router.on(Placed.self, execution: .inline(maxConcurrent: 1)) { _, _ in }
            // Its threads have a name that no other test's have.
            router.on(tombstonesOf: Reserved.self) { _, _ in }
            router.on(tombstonesOf: Placed.self, execution: .offloaded(threads: 4)) { _, _ in }
            let service = space.service("stock", router: router)
            func threads() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count {
                    (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8))?
                        .hasPrefix("troupe-route-4") ?? false
                }
            }
            try await withService(service) {
                try await wait(for: "the threads") { try threads() == 4 }
            }
            try await wait(for: "the threads' end") { try threads() == 0 }
        }
    #endif
}
