// A broker of a test's own, whose system topics can be made to fail.

import KafkaClient
import Testing
import Troupe

/// A broker of the test's own, whose topic of tasks can be made to fail, and a service on it.
struct ReportFixture {
    let broker: EmbeddedBroker
    let configuration: ServiceConfiguration
    let log = CapturingLog()
    static let tasks = SystemTopics().tasks

    /// - Parameter absent: System topics that are not there.
    init(
        partitions: Int = 1, absent: Set<String> = [], _ change: (inout ServiceConfiguration) -> Void = { _ in }
    ) throws {
        let topics = [
            "placed": partitions, "reserved": 1, "stock.placed.retry": 1, "stock.placed.dlt": 1, Self.tasks: 1,
            SystemTopics().services: 1,
        ]
        broker = try EmbeddedBroker(topics: topics.filter { !absent.contains($0.key) })
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.logger = Logger(label: "test", level: .notice, handler: log)
        configuration.engine.commitInterval = .milliseconds(10)
        configuration.bearHoldUps()
        change(&configuration)
        self.configuration = configuration
    }

    func produce(_ numbers: Range<Int>, to partition: Int32 = 0) async throws {
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(
            contentsOf: numbers.map { number in
                KafkaMessage(
                    topic: "placed", partition: partition, key: Array("a-\(number)".utf8),
                    value: Array(#"{"order":"a","number":\#(number)}"#.utf8),
                    headers: [
                        KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "a-\(number)"),
                        KafkaHeader("ce_source", "/test"), KafkaHeader("ce_type", Placed.type.rawValue),
                    ])
            })
        await producer.shutdown()
    }

    func committed() async throws -> Int64 {
        let partition = TopicPartition("placed", 0)
        return try await KafkaAdmin(broker.configuration)
            .committedOffsets(ofGroup: "stock", partitions: [partition])[partition]?.offset ?? -1
    }

    /// Waits until so many records are committed as done.
    func waitForCommit(of count: Int64) async throws {
        let deadline = ContinuousClock.now + TestCluster.patience
        while try await committed() != count {
            guard ContinuousClock.now < deadline else { throw TimedOut(topic: "commit of \(count)", count: 0) }
        }
    }

    /// What the topic of tasks has.
    func reports() async throws -> [TaskReport] { SystemReader.reports(try await records(of: Self.tasks)) }

    /// What instances have said of themselves.
    func heartbeats() async throws -> [InstanceHeartbeat] {
        SystemReader.heartbeats(try await records(of: SystemTopics().services))
    }

    /// Waits until the last declaration no longer says that attempts are not reported.
    func waitUntilReportsAreDeclared() async throws {
        let deadline = ContinuousClock.now + TestCluster.patience
        while try await declarations().last?.declaration.reportsAttempts != nil {
            guard ContinuousClock.now < deadline else { throw TimedOut(topic: "a declaration of reports", count: 0) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// What services have declared.
    func declarations() async throws -> [(fingerprint: String, declaration: ServiceDeclaration)] {
        SystemReader.declarations(try await records(of: SystemTopics().services))
    }

    private func records(of topic: String) async throws -> [KafkaRecord] {
        let admin = try KafkaAdmin(broker.configuration)
        let partition = TopicPartition(topic, 0)
        let end = try #require(try await admin.watermarks(of: [partition])[partition]).get().high
        let properties = try broker.configuration.librdkafkaProperties(for: .consumer(group: nil))
        return try await TestCluster.blocking {
            let waker = try Waker()
            let consumer = try PolledConsumer(properties: properties, waker: waker)
            let queues = try consumer.assign([CommittedOffset(partition, offset: 0)])
            var records: [KafkaRecord] = []
            let deadline = ContinuousClock.now + TestCluster.patience
            while records.count < Int(end) {
                guard ContinuousClock.now < deadline else {
                    throw TimedOut(topic: topic, count: records.count)
                }
                while consumer.nextEvent() != nil {}
                while case .record(let record)? = queues.first?.poll() { records.append(record) }
                waker.prepareToSleep()
                waker.sleep(milliseconds: 5)
            }
            return records
        }
    }
}
