// What librdkafka could not send yet is held back: nothing is lost, nothing is overtaken, and its thread may sleep.

import CRDKafka
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(10))) struct SendWindowTests {
    /// A producer of the polled layer and what became of its records.
    private final class Owner {
        let waker: Waker
        let producer: ProducerQueue
        var delivered: [(number: UInt, partition: Int32, offset: Int64)] = []
        var failed: [(number: UInt, error: KafkaError)] = []

        init(_ broker: EmbeddedBroker, _ properties: KafkaProperties = [:]) throws {
            var configuration = broker.configuration
            configuration.properties.merge(properties)
            waker = try Waker()
            producer = try ProducerQueue(
                properties: configuration.librdkafkaProperties(for: .producer), waker: waker)
        }

        func drain() -> Bool {
            producer.drain { report in
                if let error = report.error {
                    failed.append((report.opaque, error))
                } else {
                    delivered.append((report.opaque, report.partition, report.offset))
                }
            } > 0
        }

        func serve(until isDone: () throws -> Bool) throws {
            try KafkaClientTests.serve(waker, { producer.isEmpty }, drain, until: isDone)
        }

        /// The number of records that librdkafka has.
        var given: Int { Int(rd_kafka_outq_len(producer.client.pointer)) }

        func enqueue(_ number: Int, key: [UInt8]? = [1], partition: Int32? = nil) -> Bool {
            let message = KafkaMessage(topic: "t", partition: partition, key: key, value: Array("\(number)".utf8))
            // Both ways in take turns.
            let result =
                number % 2 == 0
                ? producer.enqueue(message, opaque: UInt(number + 1))
                : producer.enqueue(PackedMessage(message), opaque: UInt(number + 1))
            if case .queued = result { return true }
            return false
        }

        /// Expects that nothing is left of the records, neither to wait for nor to do.
        func expectRest() {
            #expect(producer.outstanding == 0)
            #expect(producer.window?.inFlightCount == 0)
            #expect(producer.isEmpty)
        }

        /// Makes the topic known and its partitions counted.
        func start() throws {
            #expect(enqueue(0))
            try serve { delivered.count == 1 }
        }
    }

    @Test func librdkafkaHasNoMoreRecordsThanItCanSend() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 3])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker)
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(500))
            for number in 1...1_000 { #expect(owner.enqueue(number)) }
            #expect(owner.given <= 1 + SendWindow.limit, "nothing is acknowledged yet")
            #expect(owner.producer.outstanding == 1_000)
            try owner.serve { owner.delivered.count == 1_001 }
            #expect(owner.failed.isEmpty)
            #expect(owner.delivered.map(\.number) == (1...1_001).map { UInt($0) })
            #expect(owner.delivered.map(\.offset) == (0..<1_001).map { Int64($0) })
            owner.expectRest()
        }
    }

    @Test func eachPartitionHasAWindowOfItsOwn() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 4])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker)
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(200))
            for number in 1...400 { #expect(owner.enqueue(number, partition: Int32(number % 4))) }
            #expect(owner.given <= 1 + 4 * SendWindow.limit)
            try owner.serve { owner.delivered.count == 401 }
            for partition: Int32 in 0..<4 {
                let numbers = owner.delivered.dropFirst().filter { $0.partition == partition }.map(\.number)
                #expect(numbers == (1...400).filter { $0 % 4 == Int(partition) }.map { UInt($0 + 1) })
            }
        }
    }

    @Test func keyedRecordsOfManyPartitionsKeepTheirOrderAmongOthersWithoutKeys() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 8])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker)
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(5))
            var offered = 1
            try owner.serve {
                while offered <= 5_000, owner.enqueue(offered, key: offered % 7 == 0 ? nil : [UInt8(offered % 20)]) {
                    offered += 1
                }
                return owner.delivered.count == 5_001
            }
            var last: [Int: (number: UInt, partition: Int32, offset: Int64)] = [:]
            for record in owner.delivered.dropFirst() where (record.number - 1) % 7 != 0 {
                let key = Int(record.number - 1) % 20
                if let last = last[key] {
                    #expect(last.partition == record.partition)
                    #expect(last.number < record.number)
                    #expect(last.offset < record.offset)
                }
                last[key] = record
            }
            #expect(last.count == 20)
        }
    }

    @Test func givingUpTellsOfEveryRecordOnce() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker)
            try owner.start()
            try broker.setRoundTripTime(.seconds(60))
            for number in 1...100 { #expect(owner.enqueue(number)) }
            owner.producer.purge()
            try owner.serve { owner.failed.count == 100 }
            #expect(Set(owner.failed.map(\.number)) == Set((2...101).map { UInt($0) }))
            #expect(owner.failed.allSatisfy { $0.error.code.isPurge && $0.error.topic == "t" })
            owner.expectRest()
        }
    }

    @Test func theQueueIsFullAtItsBoundWhetherHeldOrNot() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker, ["queue.buffering.max.messages": "50"])
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(300))
            let taken = (1...80).filter { owner.enqueue($0) }
            #expect(taken == Array(1...50))
            try owner.serve { owner.delivered.count == 51 }
            #expect(owner.enqueue(90))
            try owner.serve { owner.delivered.count == 52 }
        }
    }

    /// Errors are told where librdkafka may hold locks: what is held goes on from the owner's thread.
    @Test func recordsBehindOnesThatTimeOutGoOn() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker, ["delivery.timeout.ms": "1500"])
            try owner.start()
            try broker.takeDown()
            for number in 1...20 { #expect(owner.enqueue(number)) }
            try owner.serve { owner.failed.count >= SendWindow.limit }
            for number in 21...40 { #expect(owner.enqueue(number)) }
            try broker.bringUp()
            try owner.serve { owner.failed.count + owner.delivered.count == 41 }
            #expect(Set(owner.failed.map(\.number)).union(owner.delivered.map(\.number)).count == 41)
            owner.expectRest()
        }
    }

    @Test func retriedRequestsKeepTheOrderOfWhatWaitsBehindThem() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker)
            try owner.start()
            broker.failNext(.produce, with: [.notLeader, .requestTimedOut, .notLeader])
            for number in 1...500 { #expect(owner.enqueue(number)) }
            try owner.serve { owner.delivered.count == 501 }
            #expect(owner.delivered.map(\.offset) == (0..<501).map { Int64($0) })
            #expect(owner.delivered.map(\.number) == (1...501).map { UInt($0) })
            owner.expectRest()
        }
    }

    /// Librdkafka holds the partition's lock when it tells of a record that a later one's acknowledgement settled.
    @Test func recordsThatALaterAcknowledgementSettlesLetOthersGo() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            // A request for each record: the first is refused and its successors are acknowledged.
            let owner = try Owner(broker, ["batch.num.messages": "1"])
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(100))
            broker.failNext(.produce, with: [.requestTimedOut])
            for number in 1...30 { #expect(owner.enqueue(number)) }
            try owner.serve { owner.delivered.count == 31 }
            #expect(owner.failed.isEmpty)
            #expect(Set(owner.delivered.map(\.number)) == Set((1...31).map { UInt($0) }))
            owner.expectRest()
        }
    }

    /// The time of delivery begins when a record is enqueued, not anew for each batch that is held.
    @Test func whatIsHeldLongerThanItsTimeIsGivenUp() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker, ["delivery.timeout.ms": "1500", "batch.num.messages": "2"])
            try owner.start()
            try broker.takeDown()
            for number in 1...20 { #expect(owner.enqueue(number)) }
            try owner.serve { owner.failed.count == 20 }
            #expect(owner.failed.allSatisfy { $0.error.code == .messageTimedOut })
            // A first batch may have been released the moment before.
            #expect(owner.failed.filter { $0.error.partition == nil }.count >= 20 - SendWindow.limit - 2)
            owner.expectRest()
        }
    }

    @Test func withoutAKeyRecordsKeepTheirOrderInTheOnePartition() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker)
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(20))
            for number in 1...300 { #expect(owner.enqueue(number, key: number % 3 == 0 ? nil : [1])) }
            try owner.serve { owner.delivered.count == 301 }
            #expect(owner.delivered.map(\.number) == (1...301).map { UInt($0) })
            #expect(owner.delivered.map(\.offset) == (0..<301).map { Int64($0) })
        }
    }

    @Test func aQueueWithoutABoundIsNeverFull() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker, ["queue.buffering.max.messages": "0"])
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(200))
            for number in 1...1_000 { #expect(owner.enqueue(number)) }
            try owner.serve { owner.delivered.count == 1_001 }
        }
    }

    @Test func aFatalErrorTakesWhatIsHeldAlongAndTheSuccessorGoesOn() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(KafkaMessage(topic: "t", key: [1], value: [0]))
        try broker.setRoundTripTime(.milliseconds(300))
        // OUT_OF_ORDER_SEQUENCE_NUMBER is fatal to an idempotent client.
        broker.failNext(.produce, with: [KafkaError.Code(rawValue: 45)])
        let receipts = try (0..<100).map {
            try producer.tryEnqueue(KafkaMessage(topic: "t", key: [1], value: [UInt8($0)]))
        }
        let failed = try await failures(of: receipts)
        #expect(!failed.isEmpty)
        #expect(failed.allSatisfy { $0.topic == "t" })
        #expect(failed.allSatisfy { $0.code.isPurge || $0.isFatal || $0.code.rawValue == 45 })
        try await producer.send(KafkaMessage(topic: "t", key: [1], value: [1]))
        #expect(producer.pendingCount == 0)
        await producer.shutdown()
    }

    @Test func whatIsTooLargeIsRefusedAtOnceBehindOthersToo() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        var configuration = broker.configuration
        configuration.maxMessageBytes = 2_000
        let producer = try KafkaProducer(configuration)
        try await producer.send(KafkaMessage(topic: "t", key: [1], value: [0]))
        try broker.setRoundTripTime(.milliseconds(300))
        let receipts = try (0..<20).map {
            try producer.tryEnqueue(KafkaMessage(topic: "t", key: [1], value: [UInt8($0)]))
        }
        let large = KafkaMessage(topic: "t", key: [1], value: [UInt8](repeating: 0, count: 4_000))
        let error = try #require(throws: KafkaError.self) { try producer.tryEnqueue(large) }
        #expect(error.code == .messageTooLarge)
        try await producer.flush()
        #expect(producer.pendingCount == 0, "a flush waits for what is held")
        for (index, receipt) in receipts.enumerated() {
            #expect(try await receipt.delivery().offset == Int64(index + 1))
        }
        await producer.shutdown()
    }

    @Test func aShutdownAtItsDeadlineTellsOfWhatIsHeld() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(KafkaMessage(topic: "t", key: [1], value: [0]))
        try broker.takeDown()
        let receipts = try (0..<100).map {
            try producer.tryEnqueue(KafkaMessage(topic: "t", key: [1], value: [UInt8($0)]))
        }
        await producer.shutdown(within: .milliseconds(200))
        let failed = try await failures(of: receipts)
        #expect(failed.count == 100)
        #expect(failed.allSatisfy { $0.topic == "t" && $0.reason.contains("shut down") })
    }

    @Test func aProducerThatGoesAwayTakesWhatIsHeldAlong() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            weak var gone: ProducerQueue?
            do {
                let owner = try Owner(broker)
                try owner.start()
                try broker.setRoundTripTime(.milliseconds(100))
                for number in 1...100 { #expect(owner.enqueue(number)) }
                gone = owner.producer
            }
            #expect(gone == nil)
        }
    }

    @Test(arguments: [("linger.ms", "5"), ("enable.idempotence", "false"), ("partitioner", "murmur2")])
    func nothingIsHeldWhereLibrdkafkaSleepsOrNobodyKnowsThePartition(property: (String, String)) async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(broker, [property.0: property.1])
            try owner.start()
            try broker.setRoundTripTime(.milliseconds(200))
            for number in 1...100 { #expect(owner.enqueue(number)) }
            #expect(owner.given >= 95)
            try owner.serve { owner.delivered.count == 101 }
        }
    }
}
