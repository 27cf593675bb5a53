// What becomes of failures, on a real broker's protocol.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct FailureTests {
    @Test func aFailureIsRetriedInPlaceAndThenHandled() async throws {
        let log = CapturingLog()
        let space = try await TestSpace(partitions: 1) {
            $0.logger = Logger(label: "test", level: .info, handler: log)
        }
        let attempts = Mutex<[Int]>([])
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self), retry: .fixed(.milliseconds(20), maxRetries: 5)) {
            placed, context in
            attempts.withLock { $0.append(context.attempt) }
            if context.attempt < 3 { throw Failure(description: "not yet") }
            return Reserved(order: placed.order)
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("a")])
        try await withService(service) {
            let records = try await TestCluster.read(space.name(Reserved.topic), count: 1)
            #expect(records.count == 1)
            try await wait(for: "the record to be done") { service.status.inFlight == 0 && service.status.handled == 1 }
        }
        #expect(attempts.withLock { $0 } == [1, 2, 3])
        #expect(service.status.retriedInPlace == 2)
        #expect(service.status.deadLettered == 0)
        let told = log.lines.filter { $0.message == "A handling failed; the event is tried again in place" }
        #expect(told.map { $0.metadata[LogKey.attempt] } == ["1", "2"])
        #expect(told.map { $0.metadata[LogKey.delayMilliseconds] } == ["20", "20"])
        #expect(told.allSatisfy { $0.metadata[LogKey.error] == "not yet" })
    }

    @Test func aLongerDelayGoesThroughTheRetryTopicAndIsNeverEarly() async throws {
        let space = try await TestSpace(partitions: 1) { $0.inPlaceRetryLimit = .milliseconds(10) }
        let times = Mutex<[(attempt: Int, at: ContinuousClock.Instant)]>([])
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self), retry: .fixed(.milliseconds(700), maxRetries: 3)) {
            placed, context in
            times.withLock { $0.append((context.attempt, .now)) }
            if context.attempt < 3 { throw Failure(description: "not yet") }
            return Reserved(order: placed.order)
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("a")])
        try await withService(service) {
            _ = try await TestCluster.read(space.name(Reserved.topic), count: 1)
            try await wait(for: "the record to be done") { service.status.inFlight == 0 && service.status.handled == 1 }
        }
        let seen = times.withLock { $0 }
        #expect(seen.map(\.attempt) == [1, 2, 3])
        for (earlier, later) in zip(seen, seen.dropFirst()) {
            #expect(later.at - earlier.at >= .milliseconds(699))
        }
        #expect(service.status.redirected == 1)
        #expect(service.status.retriedInPlace == 1)
        let retries = try await TestCluster.read("\(space.namespace)stock.placed.retry", count: 1)
        #expect(retries.count == 1)
        #expect(retries[0].header("troupe-attempt") == "1")
        #expect(retries[0].header("ce_id") == "a-0")
        #expect(retries[0].key?.text == "a")
    }

    @Test func exhaustedRetriesEndInTheDeadLetterTopicWithCauseAndOrigin() async throws {
        let space = try await TestSpace(partitions: 1)
        var router = EventRouter()
        router.on(Placed.self, retry: .fixed(.milliseconds(1), maxRetries: 2)) { placed, _ in
            if placed.order == "bad" { throw Failure(description: "no such country") }
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("good"), space.placed("bad"), space.placed("good", number: 1)])
        try await withService(service) {
            let letters = try await TestCluster.read("\(space.namespace)stock.placed.dlt", count: 1)
            let letter = try #require(letters.first)
            #expect(letters.count == 1)
            #expect(letter.value?.text == #"{"order":"bad","number":0}"#)
            #expect(letter.key?.text == "bad")
            #expect(letter.header("ce_id") == "bad-0")
            #expect(letter.header("troupe-attempt") == "3")
            #expect(letter.header("troupe-origin-topic") == space.name(Placed.topic))
            #expect(letter.header("troupe-origin-offset") == "1")
            #expect(letter.header("troupe-error-message")?.contains("no such country") == true)
            try await wait(for: "the others to be handled") {
                service.status.handled == 2 && service.status.deadLettered == 1
            }
        }
    }

    @Test func malformedRecordsAreDeadLetteredAndTheServiceLives() async throws {
        let space = try await TestSpace(partitions: 2)
        var router = EventRouter()
        router.on(Placed.self) { _, _ in }
        let service = space.service("stock", router: router)
        let topic = space.name(Placed.topic)
        var malformed = [
            KafkaMessage(topic: topic, key: nil, value: nil),
            KafkaMessage(topic: topic, key: Array("k".utf8), value: Array("no event".utf8)),
            KafkaMessage(topic: topic, key: [0xff, 0xfe], value: [], headers: [KafkaHeader("ce_id", bytes: nil)]),
        ]
        var undecodable = space.placed("x")
        undecodable.value = Array("{".utf8)
        malformed.append(undecodable)
        var tombstone = space.placed("y")
        tombstone.value = nil
        malformed.append(tombstone)
        var hostile = space.placed("z")
        hostile.headers = hostile.headers.map {
            $0.name == "ce_type" ? KafkaHeader("ce_type", bytes: [0xc3, 0x28]) : $0
        }
        malformed.append(hostile)
        try await TestCluster.produce(malformed + [space.placed("fine")])
        let expected = malformed.count
        try await withService(service) {
            let letters = try await TestCluster.read("\(space.namespace)stock.placed.dlt", count: expected)
            #expect(letters.count == expected)
            #expect(letters.allSatisfy { $0.header("troupe-reason") != nil })
            try await wait(for: "the good one to be handled") { service.status.handled == 1 }
            #expect(service.status.phase == .running)
        }
    }

    /// A real Kafka refuses timestamps of the far future (`message.timestamp.after.max.ms`).
    @Test(.disabled(if: TestCluster.isKafka, "needs a broker that takes any timestamp"))
    func aHostileNotBeforeTimeHoldsItsOwnKeyAlone() async throws {
        let space = try await TestSpace(partitions: 1)
        let retryTopic = "\(space.namespace)stock.placed.retry"
        try await TestCluster.makeTopic(retryTopic, partitions: 1)
        var hostile = space.placed("late")
        hostile.topic = retryTopic
        hostile.timestamp = 4_000_000_000_000_000
        hostile.headers.append(KafkaHeader("troupe-not-before", "253402300799999"))
        var due = space.placed("due")
        due.topic = retryTopic
        try await TestCluster.produce([hostile, due])
        let handled = Mutex<[String]>([])
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in handled.withLock { $0.append(placed.order) } }
        let service = space.service("stock", router: router)
        try await withService(service) {
            try await wait(for: "the one that is due to be handled") { service.status.handled == 1 }
            try await wait(for: "the other to wait") { service.status.waiting == 1 }
        }
        #expect(handled.withLock { $0 } == ["due"])
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func manySmallEventsForATopicOfSmallBatchesAreAllPublished() async throws {
        let space = try await TestSpace(partitions: 1)
        let small = ["max.message.bytes": "4000"]
        var configuration = space.configuration
        configuration.namespace += "small."
        let admin = try KafkaAdmin(configuration.kafka)
        for topic in [Placed.topic, Reserved.topic] {
            let name = configuration.namespace + topic.rawValue
            try await admin.createTopic(
                NewTopic(name, partitions: 1, configuration: topic == Reserved.topic ? small : [:]))
        }
        let messages = (0..<500).map { number in
            var message = space.placed("order-\(number)", number: number)
            message.topic = configuration.namespace + Placed.topic.rawValue
            return message
        }
        try await TestCluster.produce(messages)
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in Reserved(order: placed.order) }
        let service = EventService("stock", router: router, configuration: configuration)
        try await withService(service) {
            try await wait(for: "all to be done") { service.status.handled == 500 && service.status.inFlight == 0 }
        }
        #expect(service.status.published == 500)
        #expect(service.status.deadLettered == 0)
    }

    @Test func newEventTypeOnATopicDisturbsNobody() async throws {
        let space = try await TestSpace(partitions: 1)
        var router = EventRouter()
        router.on(Placed.self) { _, _ in }
        let service = space.service("stock", router: router)
        var unknown = space.placed("new")
        unknown.headers = unknown.headers.map { $0.name == "ce_type" ? KafkaHeader("ce_type", "test.brand-new") : $0 }
        unknown.value = [0, 1, 2]
        try await TestCluster.produce([unknown, space.placed("a"), unknown, space.placed("b")])
        try await withService(service) {
            try await wait(for: "all to be read") { service.status.handled == 2 && service.status.skipped == 2 }
            #expect(service.status.deadLettered == 0)
        }
    }

    @Test func anEventTooLargeToPublishDeadLettersItsCause() async throws {
        let space = try await TestSpace(partitions: 1)
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            Reserved(order: String(repeating: "x", count: placed.number))
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([
            space.placed("small", number: 10), space.placed("huge", number: 3_000_000),
            space.placed("small2", number: 20),
        ])
        try await withService(service) {
            let letters = try await TestCluster.read("\(space.namespace)stock.placed.dlt", count: 1)
            #expect(letters.first?.header("troupe-reason") == "unpublishable")
            #expect(letters.first?.key?.text == "huge")
            let published = try await TestCluster.read(space.name(Reserved.topic), count: 2)
            #expect(published.count == 2)
        }
    }
}
