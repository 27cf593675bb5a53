// Which call about transactions may follow which, and what an error leads to: no broker.

import Testing

@testable import KafkaClient

@Suite struct TransactionStateTests {
    private let cause = KafkaError(.illegalGeneration, "The generation has passed")

    private func made(_ calls: TransactionCall...) throws -> TransactionState {
        var state = TransactionState()
        for call in calls {
            try state.start(call)
            state.end(nil)
        }
        return state
    }

    @Test func callsComeInTheirTurn() throws {
        let fits: [(before: [TransactionCall], next: Set<TransactionCall>)] = [
            ([], [.initialize]),
            ([.initialize], [.begin]),
            ([.initialize, .begin], [.sendOffsets, .commit, .abort]),
            ([.initialize, .begin, .sendOffsets], [.sendOffsets, .commit, .abort]),
            ([.initialize, .begin, .commit], [.begin]),
            ([.initialize, .begin, .abort], [.begin]),
        ]
        for (before, next) in fits {
            for call: TransactionCall in [.initialize, .begin, .sendOffsets, .commit, .abort] {
                var state = TransactionState()
                for earlier in before {
                    try state.start(earlier)
                    state.end(nil)
                }
                let phase = state.phase
                if next.contains(call) {
                    try state.start(call)
                    #expect(state.running == call)
                } else {
                    let error = try #require(throws: KafkaError.self) { try state.start(call) }
                    #expect(error.code == .invalidState)
                    #expect(state.phase == phase && state.running == nil)
                }
            }
        }
    }

    @Test func oneCallAtATime() throws {
        var state = try made(.initialize, .begin)
        try state.start(.commit)
        for call: TransactionCall in [.initialize, .begin, .sendOffsets, .commit, .abort] {
            let error = try #require(throws: KafkaError.self) { try state.start(call) }
            #expect(error.reason.contains("commit"))
        }
        state.end(nil)
        #expect(state.phase == .ready)
    }

    @Test func spoiltTransactionCanOnlyBeAborted() throws {
        var state = try made(.initialize, .begin)
        try state.start(.sendOffsets)
        state.end(.abortable(cause))
        #expect(state.isOpen)
        for call: TransactionCall in [.begin, .sendOffsets, .commit] {
            #expect(throws: TransactionError.abortable(cause)) { try state.start(call) }
        }
        try state.start(.abort)
        state.end(nil)
        #expect(!state.isOpen)
        try state.start(.begin)
    }

    @Test func nothingFollowsAFatalError() throws {
        var state = try made(.initialize, .begin)
        try state.start(.commit)
        state.end(.fatal(cause))
        #expect(!state.isOpen)
        for call: TransactionCall in [.initialize, .begin, .sendOffsets, .commit, .abort] {
            #expect(throws: TransactionError.fatal(cause)) { try state.start(call) }
        }
    }

    @Test func retriableErrorChangesNothing() throws {
        var state = TransactionState()
        try state.start(.initialize)
        state.end(.retriable(cause))
        #expect(state.phase == .uninitialized)
        try state.start(.initialize)
    }

    @Test func errorsAreJudgedByTheirFlagsAndTheirCall() {
        #expect(TransactionError(cause, [.fatal, .requiresAbort, .retriable], from: .commit) == .fatal(cause))
        #expect(TransactionError(cause, [.requiresAbort, .retriable], from: .commit) == .abortable(cause))
        #expect(TransactionError(cause, .retriable, from: .sendOffsets) == .retriable(cause))
        for code: KafkaError.Code in [.illegalGeneration, .unknownMemberID, .offsetMetadataTooLarge] {
            let error = KafkaError(code, "refused")
            #expect(TransactionError(error, [], from: .sendOffsets) == .abortable(error))
        }
        #expect(TransactionError(cause, [], from: .commit) == .fatal(cause))
    }

    @Test func onlyAFatalErrorCanBeAFence() {
        let fenced = KafkaError(.fenced, "another producer took over")
        #expect(TransactionError.fatal(fenced).isFenced)
        #expect(!TransactionError.abortable(fenced).isFenced)
        #expect(!TransactionError.fatal(cause).isFenced)
    }

    @Test func transactionalRoleSetsWhatItNeedsAndOthersNothingOfIt() throws {
        var configuration = KafkaConfiguration(bootstrapServers: "kafka:9092")
        configuration.transactionalID = "of the user's"
        configuration.transactionTimeout = .seconds(10)
        func properties(_ role: ClientRole) throws -> [String: String] {
            try Dictionary(configuration.librdkafkaProperties(for: role)) { $1 }
        }
        let transactional = try properties(.transactionalProducer(id: "slot-1"))
        #expect(transactional["transactional.id"] == "slot-1")
        #expect(transactional["transaction.timeout.ms"] == "10000")
        #expect(transactional["linger.ms"] == "5")
        #expect(transactional["retry.backoff.ms"] == "5")
        let plain = try properties(.producer)
        #expect(plain["transactional.id"] == nil)
        #expect(plain["linger.ms"] == "0")
        #expect(try properties(.consumer(group: "g"))["transactional.id"] == nil)
        let reader = try properties(.tailReader(.readUncommitted))
        #expect(reader["isolation.level"] == "read_uncommitted")
        #expect(reader["enable.partition.eof"] == "true")
        configuration.isEmbeddedBroker = true
        let refused = try #require(throws: KafkaError.self) { try properties(.transactionalProducer(id: "slot-1")) }
        #expect(refused.code == .unsupportedByEmbeddedBroker)
    }
}
