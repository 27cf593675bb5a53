// Records behind those in flight are held and released in their order, whoever is first.

import Dispatch
import Synchronization
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(10))) struct PartitionWindowTests {
    /// A window that expectations can look at.
    ///
    /// `@unchecked Sendable`: the pointer is set once, and the window may be used from any thread.
    private final class Window: @unchecked Sendable {
        private let place: UnsafeMutablePointer<PartitionWindow<Int>>

        init(limit: Int) {
            place = .allocate(capacity: 1)
            place.initialize(to: PartitionWindow(limit: limit))
        }

        deinit {
            place.deinitialize(count: 1)
            place.deallocate()
        }

        var mustHold: Bool { place.pointee.mustHold }
        var isDue: Bool { place.pointee.isDue }
        var heldCount: Int { place.pointee.heldCount }
        var inFlightCount: Int { place.pointee.inFlightCount }

        func add() { place.pointee.add() }
        func settle() -> Bool { place.pointee.settle() }
        func hold(_ record: Int, bytes: Int, now: UInt64) -> Bool { place.pointee.hold(record, bytes: bytes, now: now) }
        func open(ifWaitingSince instant: UInt64) -> Bool { place.pointee.open(ifWaitingSince: instant) }
        func takeAll() -> (records: [Int], bytes: Int) { place.pointee.takeAll() }

        func release(_ batch: PartitionWindow<Int>.Batch, now: UInt64, _ send: (Int) -> Bool) -> (
            records: Int, bytes: Int, hadRoom: Bool
        ) {
            place.pointee.release(batch, now: now, send)
        }
    }

    private static let everything = PartitionWindow<Int>.Batch(records: .max, bytes: .max)

    @Test func aRecordIsHeldBehindTheLimitAndBehindThoseThatAreHeld() {
        let window = Window(limit: 2)
        #expect(!window.mustHold)
        window.add()
        #expect(!window.hold(1, bytes: 1, now: 0), "the window is open")
        window.add()
        #expect(window.mustHold)
        #expect(window.hold(1, bytes: 1, now: 0))
        #expect(!window.isDue)
        #expect(window.settle())
        #expect(window.mustHold, "nobody overtakes a record that is held")
        #expect(window.hold(2, bytes: 1, now: 0))
        var sent: [Int] = []
        let released = window.release(Self.everything, now: 0) { record in
            sent.append(record)
            window.add()
            return true
        }
        #expect(sent == [1, 2])
        #expect(released.records == 2)
        #expect(released.bytes == 2)
        #expect(window.heldCount == 0)
        #expect(window.inFlightCount == 3)
        #expect(!window.settle(), "nothing is held")
    }

    @Test func aBatchIsBoundedByRecordsAndByBytes() {
        let window = Window(limit: 1)
        window.add()
        for record in 0..<5 { #expect(window.hold(record, bytes: 10, now: 0)) }
        #expect(window.settle())
        var sent: [Int] = []
        func send(_ record: Int) -> Bool {
            sent.append(record)
            window.add()
            return true
        }
        #expect(window.release(PartitionWindow<Int>.Batch(records: 2, bytes: 100), now: 0, send).records == 2)
        #expect(sent == [0, 1])
        while window.inFlightCount > 0 { _ = window.settle() }
        #expect(window.release(PartitionWindow<Int>.Batch(records: 9, bytes: 25), now: 0, send).records == 2)
        while window.inFlightCount > 0 { _ = window.settle() }
        let last = window.release(PartitionWindow<Int>.Batch(records: 9, bytes: 1), now: 0, send)
        #expect(last.bytes == 10, "one goes whatever its size")
        #expect(sent == [0, 1, 2, 3, 4])
    }

    @Test func whatFindsNoRoomStaysFirst() {
        let window = Window(limit: 1)
        window.add()
        for record in 0..<4 { #expect(window.hold(record, bytes: 1, now: 0)) }
        _ = window.settle()
        var sent: [Int] = []
        let first = window.release(Self.everything, now: 0) { record in
            guard sent.count < 2 else { return false }
            sent.append(record)
            return true
        }
        #expect(first.records == 2)
        #expect(!first.hadRoom)
        #expect(window.heldCount == 2)
        #expect(window.isDue)
        let rest = window.release(Self.everything, now: 0) { record in
            sent.append(record)
            return true
        }
        #expect(rest.hadRoom)
        #expect(sent == [0, 1, 2, 3])
    }

    @Test func recordsThatNobodyCountedDoNotNarrowOrWidenTheWindow() {
        let window = Window(limit: 1)
        for _ in 0..<10 { #expect(!window.settle()) }
        #expect(window.inFlightCount == 0)
        window.add()
        #expect(window.mustHold)
    }

    @Test func whatHasWaitedTooLongGoesThoughNothingWasSettled() {
        let window = Window(limit: 1)
        window.add()
        #expect(!window.open(ifWaitingSince: 100), "nothing waits")
        #expect(window.hold(1, bytes: 1, now: 50))
        #expect(!window.open(ifWaitingSince: 49))
        #expect(!window.isDue)
        #expect(window.open(ifWaitingSince: 50))
        #expect(window.isDue)
        #expect(window.release(Self.everything, now: 60) { _ in true }.records == 1)
    }

    @Test func whatIsTakenOutIsNotHeldAnyMore() {
        let window = Window(limit: 1)
        window.add()
        for record in 0..<3 { _ = window.hold(record, bytes: 2, now: 0) }
        let (records, bytes) = window.takeAll()
        #expect(records == [0, 1, 2])
        #expect(bytes == 6)
        #expect(window.heldCount == 0)
        #expect(!window.settle())
        #expect(!window.mustHold)
    }

    /// One thread adds, another settles what is in flight: none is lost, none is overtaken, none stays.
    @Test(arguments: [1, 2, 5])
    func theOrderHoldsBetweenThreads(limit: Int) async throws {
        let count = 10_000
        final class World: Sendable {
            let window: Window
            let sent = Mutex<[Int]>([])
            /// Signalled for each record that is in flight.
            let inFlight = DispatchSemaphore(value: 0)

            init(limit: Int) { window = Window(limit: limit) }

            func send(_ record: Int) -> Bool {
                window.add()
                sent.withLock { $0.append(record) }
                inFlight.signal()
                return true
            }

            func release() { _ = window.release(PartitionWindow<Int>.Batch(records: 7, bytes: .max), now: 0, send) }
        }
        let world = World(limit: limit)
        async let settling: Void = runBlocking(named: "test-settles") {
            for _ in 0..<count {
                world.inFlight.wait()
                if world.window.settle() { world.release() }
            }
        }
        try await runBlocking(named: "test-adds") {
            for record in 0..<count {
                if world.window.mustHold, world.window.hold(record, bytes: 1, now: 0) {
                    if world.window.isDue { world.release() }
                } else {
                    _ = world.send(record)
                }
            }
        }
        try await settling
        #expect(world.window.heldCount == 0)
        #expect(world.sent.withLock { $0 == Array(0..<count) })
    }
}
