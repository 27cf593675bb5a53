// Which reports are settled, and what becomes of them where their topic fails or is not there.

import Testing

@testable import Troupe

@Suite struct TaskJournalSettlingTests {
    @Test func aBatchIsSettledWhenItAndAllBeforeItAreAcknowledged() throws {
        let journal = TaskJournal.ofTest()
        #expect(journal.seal() == 0)
        #expect(journal.isSettled(through: 0))
        try journal.addHandled()
        #expect(journal.seal() == 1)
        try journal.addHandled()
        #expect(journal.seal() == 2)
        #expect(!journal.isSettled(through: 1))
        journal.sent(now: 0)
        journal.sent(now: 0)
        #expect(!journal.acknowledged(2))
        #expect(!journal.isSettled(through: 2))
        #expect(!journal.acknowledged(1))
        #expect(journal.isSettled(through: 2))
        #expect(journal.isEmpty)
        // What is collected meanwhile is nobody's concern before it is sealed.
        try journal.addHandled()
        #expect(journal.isSettled(through: journal.seal() - 1))
    }

    @Test func aBatchThatIsSentAgainKeepsItsPlaceAndItsDeadline() throws {
        let journal = TaskJournal.ofTest { $0.acknowledgementTimeout = .seconds(1) }
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 5)
        try journal.addHandled()
        journal.seal()
        journal.sendAgain(1)
        #expect(journal.next?.number == 1)
        journal.sent(now: 900)
        #expect(journal.deadline == 1_000_000_005)
        #expect(journal.next?.number == 2)
    }

    @Test func aBatchThatFindsNoRoomHasADeadline() throws {
        let journal = TaskJournal.ofTest { $0.acknowledgementTimeout = .seconds(1) }
        try journal.addHandled()
        let number = journal.seal()
        #expect(journal.deadline == nil)
        journal.delayed(now: 5)
        journal.delayed(now: 600)
        #expect(journal.deadline == 1_000_000_005)
        journal.sent(now: 900)
        #expect(journal.deadline == 1_000_000_005)
        #expect(!journal.acknowledged(number))
        #expect(journal.deadline == nil)
    }

    @Test func aStandstillIsNotCounted() throws {
        let journal = TaskJournal.ofTest { $0.acknowledgementTimeout = .seconds(1) }
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 5)
        try journal.addHandled()
        journal.seal()
        journal.postpone(by: 100)
        #expect(journal.deadline == 1_000_000_105)
        // The second was not offered yet.
        #expect(!journal.acknowledged(1))
        #expect(journal.deadline == nil)
    }

    /// No acknowledgement can come while the process is not let run, so that time does not count.
    @Test func aStandstillIsNoReasonToGiveReportsUp() throws {
        let second: UInt64 = 1_000_000_000
        let journal = TaskJournal.ofTest { $0.acknowledgementTimeout = .seconds(5) }
        try journal.addHandled()
        journal.seal()
        journal.sent(now: second)
        // Before its first round the process did not stand still, nor in one as they are on a busy machine.
        journal.beginRound(now: 2 * second, after: 0)
        journal.beginRound(now: 4 * second, after: 2 * second)
        #expect(journal.deadline == 6 * second)
        // Longer than reports may wait for their acknowledgement.
        journal.beginRound(now: 24 * second, after: 4 * second)
        #expect(journal.deadline == 26 * second)
        // A round is what ends a suspension whose time has passed.
        #expect(journal.suspend(now: 26 * second) == 30 * second)
        journal.beginRound(now: 56 * second - 1, after: 55 * second)
        #expect(journal.isSuspended)
        journal.beginRound(now: 56 * second, after: 55 * second)
        #expect(!journal.isSuspended)
    }

    /// As handlers do that block the service's thread for 2.5 s each: every round is a standstill.
    @Test func manyStandstillsKeepNoFailingTopicFromBeingGivenUp() throws {
        let second: UInt64 = 1_000_000_000
        let journal = TaskJournal.ofTest { $0.acknowledgementTimeout = .seconds(5) }
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 0)
        var now: UInt64 = 0
        while let deadline = journal.deadline, now < deadline {
            now += 5 * second / 2
            journal.postpone(by: 5 * second / 2)
            try #require(now <= 10 * second)
        }
        #expect(now == 15 * second / 2)
        #expect(journal.suspend(now: now) != nil && journal.deadline == nil)
        // A longer one counts as it is, and a shorter one after it adds nothing.
        journal.resume(now: .max - 1)
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 0)
        journal.postpone(by: 3 * second)
        journal.postpone(by: 600 * second)
        journal.postpone(by: 3 * second)
        #expect(journal.deadline == 605 * second)
        #expect(journal.next == nil && journal.isAwaited(2))
    }

    /// Whether the reports wait longer than the transaction, or the transaction longer than the reports.
    @Test(arguments: [(60, 10, 5), (3, 60, 3), (3, 4, 2)])
    func aTransactionThatFailsForItsReportsIsTold(_ timeout: Int, _ transaction: Int, _ patience: UInt64) throws {
        let journal = TaskJournal.ofTest(transactionTimeout: .seconds(transaction)) {
            $0.acknowledgementTimeout = .seconds(timeout)
        }
        #expect(!journal.isOverdue(now: .max))
        try journal.addHandled()
        let number = journal.seal()
        // Nobody has offered it yet.
        #expect(!journal.isOverdue(now: .max))
        journal.sent(now: 7)
        let due = 7 + patience * 1_000_000_000
        #expect(!journal.isOverdue(now: due - 1))
        #expect(journal.isOverdue(now: due))
        #expect(journal.deadline == 7 + UInt64(timeout) * 1_000_000_000)
        #expect(!journal.acknowledged(number))
        #expect(!journal.isOverdue(now: .max))
    }

    @Test func nothingIsReportedUntilATopicThatIsNotThereHasAppeared() throws {
        let journal = TaskJournal.ofTest(isTopicAbsent: true)
        try journal.addHandled()
        journal.resume(now: .max - 1)
        #expect(journal.isTopicAbsent && journal.isEmpty && journal.lost == 1)
        #expect(journal.isSettled(through: journal.seal()))
        journal.topicAppeared(limit: 1_000_000)
        try journal.addHandled()
        #expect(!journal.isTopicAbsent && !journal.isEmpty && journal.lost == 1)
        // A topic that fails is not one that is absent.
        #expect(journal.suspend(now: 0) != nil)
        journal.topicAppeared(limit: 1_000_000)
        #expect(journal.isSuspended && !journal.isTopicAbsent)
    }

    @Test func aTopicThatIsNotThereAfterAllSettlesEverything() throws {
        let journal = TaskJournal.ofTest()
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 0)
        try journal.addHandled()
        let last = journal.seal()
        try journal.addHandled()
        journal.topicVanished()
        #expect(journal.isTopicAbsent && journal.isEmpty && journal.isSettled(through: last))
        #expect(journal.lost == 3 && journal.strays == 1 && journal.deadline == nil)
        journal.resume(now: .max - 1)
        try journal.addHandled()
        #expect(journal.lost == 4 && journal.isEmpty)
        journal.topicAppeared(limit: 1_000_000)
        try journal.addHandled()
        #expect(journal.lost == 4 && !journal.isEmpty)
    }

    @Test func batchesStayBelowTheLimitOfATopicThatIsFoundLater() throws {
        let journal = TaskJournal.ofTest(isTopicAbsent: true)
        journal.topicAppeared(limit: 2_000)
        for _ in 1...200 { try journal.addHandled() }
        journal.seal()
        var count = 0
        while let batch = journal.next {
            #expect(batch.message.maxWireSize <= 2_000)
            count += try #require(try journal.takeNext()).tasks.count
        }
        #expect(count == 200 && journal.lost == 0)
    }

    @Test func aFailingTopicSettlesEverythingAndIsTriedAgainLaterAndLater() throws {
        let journal = TaskJournal.ofTest { $0.suspension = .seconds(30) }
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 0)
        try journal.addHandled()
        let last = journal.seal()
        try journal.addHandled()
        let second: UInt64 = 1_000_000_000
        #expect(journal.suspend(now: 0) == 30 * second)
        #expect(journal.isSettled(through: last) && journal.isEmpty && journal.strays == 1)
        #expect(journal.lost == 3)
        try journal.addHandled()
        #expect(journal.lost == 4 && journal.isEmpty)
        journal.resume(now: 30 * second - 1)
        #expect(journal.isSuspended)
        journal.resume(now: 30 * second)
        try journal.addHandled()
        #expect(!journal.isEmpty)
        // Told once.
        #expect(journal.suspend(now: 30 * second) == nil)
        journal.resume(now: 90 * second - 1)
        #expect(journal.isSuspended)
        journal.resume(now: 90 * second)
        try journal.addHandled()
        let number = journal.seal()
        journal.sent(now: 90 * second)
        #expect(journal.acknowledged(number))
        #expect(journal.suspend(now: 90 * second) == 30 * second)
    }

    @Test func whatAnAbortedTransactionToldIsForgottenAndNotLost() throws {
        let journal = TaskJournal.ofTest()
        try journal.addHandled()
        journal.seal()
        journal.sent(now: 0)
        try journal.addHandled()
        journal.abandon()
        #expect(journal.isEmpty && journal.lost == 0 && journal.strays == 1)
        journal.strayed()
        #expect(journal.strays == 0)
        try journal.addHandled()
        #expect(journal.seal() == 2)
    }

    @Test func tooMuchWithoutAcknowledgementHoldsHandlersBack() throws {
        let journal = TaskJournal.ofTest()
        let handling = try Handling.ofTest()
        while journal.hasRoom {
            journal.add(Attempt(outcome: .handled, number: 1, startedAt: 0), at: handling, now: 0)
            if let batch = journal.next, batch.number > 1_000 { break }
            if journal.next != nil { journal.sent(now: 0) }
        }
        #expect(!journal.hasRoom)
        for number in 1...1_000 { _ = journal.acknowledged(number) }
        #expect(journal.hasRoom)
    }
}
