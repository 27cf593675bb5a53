// The bookkeeping of records whose outcome is owed.

import Testing

@testable import KafkaClient

@Suite struct PendingSendsTests {
    @Test func everyRecordIsOwedUntilItIsSettled() {
        var pending = PendingSends()
        let tickets = send(150, &pending)
        #expect(Set(tickets.map(\.number)).count == 150)
        #expect(!tickets.contains { $0.number.opaque == 0 })
        #expect(pending.count == 150)
        for ticket in tickets { #expect(pending.settle(1, ofBlock: ticket.number.block) === ticket.block) }
        #expect(pending.count == 0)
    }

    @Test func aRecordThatWasNotSentGivesItsNumberBack() {
        var pending = PendingSends()
        let first = pending.next()
        #expect(pending.next().number == first.number)
        #expect(pending.count == 0)
    }

    @Test func blocksAreUsedAgainButNotBeforeAllTheirRecordsAreSettled() {
        var pending = PendingSends()
        let first = send(DeliveryBlock.size, &pending)
        let second = send(DeliveryBlock.size, &pending)
        _ = pending.settle(DeliveryBlock.size - 1, ofBlock: first[0].number.block)
        #expect(pending.next().number.block == 2)
        _ = pending.settle(1, ofBlock: first[0].number.block)
        _ = send(DeliveryBlock.size, &pending)
        #expect(pending.next().number.block == first[0].number.block)
        #expect(pending.next().block !== first[0].block)
        #expect(pending.settle(DeliveryBlock.size, ofBlock: second[0].number.block) === second[0].block)
    }

    @Test func aFlushWaitsForWhatWasSentBeforeItAlone() {
        var pending = PendingSends()
        let before = send(3, &pending)
        let flush = pending.beginFlush()
        let after = send(3, &pending)
        #expect(before[0].number.block != after[0].number.block)
        _ = pending.settle(3, ofBlock: after[0].number.block)
        #expect(!pending.isDone(flush))
        _ = pending.settle(3, ofBlock: before[0].number.block)
        #expect(pending.isDone(flush))
    }

    @Test func aFlushOfNothingIsDone() {
        var pending = PendingSends()
        let first = pending.beginFlush()
        #expect(pending.isDone(first))
        _ = pending.next()
        let second = pending.beginFlush()
        #expect(pending.isDone(second))
    }

    @Test func whatIsReportedTwiceIsSettledOnce() {
        var pending = PendingSends()
        let ticket = send(1, &pending)[0]
        _ = pending.beginFlush()
        #expect(pending.settle(1, ofBlock: ticket.number.block) != nil)
        #expect(pending.settle(1, ofBlock: ticket.number.block) == nil)
        #expect(pending.settle(1, ofBlock: 17) == nil)
        #expect(pending.count == 0)
    }

    @Test func allThatIsOwedCanBeTakenOut() {
        var pending = PendingSends()
        let tickets = send(130, &pending)
        let flush = pending.beginFlush()
        let blocks = pending.takeAll()
        #expect(blocks.map(ObjectIdentifier.init) == [0, 64, 128].map { ObjectIdentifier(tickets[$0].block) })
        #expect(pending.count == 0)
        #expect(pending.blockCount == 0)
        #expect(pending.isDone(flush))
    }

    @Test func aBlockThatWasOnlyBegunIsNotKept() {
        var pending = PendingSends()
        // Begun, and not sent; sent and settled, with room left; sent and owed.
        for sent in [0, 1, 3] {
            let ticket = sent == 0 ? [pending.next()] : send(sent, &pending)
            if sent == 1 { _ = pending.settle(1, ofBlock: ticket[0].number.block) }
            #expect(pending.blockCount == 1)
            #expect(pending.takeAll().count == (sent == 3 ? 1 : 0))
            #expect(pending.blockCount == 0)
        }
    }

    private func send(_ count: Int, _ pending: inout PendingSends) -> [PendingSends.Ticket] {
        (0..<count).map { _ in
            let ticket = pending.next()
            pending.confirm()
            return ticket
        }
    }
}

@Suite struct DeliveryBlockTests {
    private let place = DeliveredPlace(partition: 1, offset: 7, timestamp: .none)

    @Test func anOutcomeIsSeenByWhoAsksLater() throws {
        let block = DeliveryBlock()
        block.resolve([delivered(3)])
        guard case .delivered(let seen) = try block.look(at: 3) else {
            Issue.record("no outcome")
            return
        }
        #expect(seen.offset == 7)
    }

    @Test func anOutcomeWakesWhoAskedBefore() async throws {
        let block = DeliveryBlock()
        guard case .pending(let waiter) = try block.look(at: 3) else {
            Issue.record("an outcome too early")
            return
        }
        block.resolve([delivered(3), delivered(4)])
        #expect(try await waiter.value().offset == 7)
    }

    @Test func aFailureIsThrownAtWhoAsksAndAtWhoWaits() async throws {
        let block = DeliveryBlock()
        guard case .pending(let waiter) = try block.look(at: 5) else {
            Issue.record("an outcome too early")
            return
        }
        block.fail(5, KafkaError.producerClosed)
        block.resolve([delivered(5)])
        await #expect(throws: KafkaError.self) { try await waiter.value() }
        #expect(throws: KafkaError.self) { _ = try block.look(at: 5) }
    }

    @Test func theFirstOutcomeStays() throws {
        let block = DeliveryBlock()
        block.resolve([delivered(0)])
        block.fail(0, KafkaError.producerClosed)
        guard case .delivered = try block.look(at: 0) else {
            Issue.record("the outcome changed")
            return
        }
    }

    private func delivered(_ slot: Int) -> DeliveredRecord {
        DeliveredRecord(number: SendNumber(block: 0, slot: slot), place: place)
    }
}
