// What of a broker's answers says that a system topic is not there, and what says nothing.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct SystemTopicProvisioningTests {
    private let topics = SystemTopics()

    private func provisioner(
        _ broker: EmbeddedBroker, _ mode: TopicProvisioning = .create, _ log: LogRecorder = LogRecorder(),
        timeout: Duration = .seconds(30)
    ) throws -> TopicProvisioner {
        try TopicProvisioner(
            broker.configuration, mode: mode, logger: Logger(label: "test", level: .warning, handler: log),
            timeout: timeout)
    }

    @Test func whatIsMissingIsMade() async throws {
        let log = LogRecorder()
        let broker = try EmbeddedBroker()
        let found = try await provisioner(broker, .create, log).provision(topics)
        #expect(found.services == .present && found.tasks == .present && found.isComplete && !found.isUncertain)
        #expect(log.lines.isEmpty)
        let names = try await KafkaAdmin(broker.configuration).describeTopics().keys.sorted()
        #expect(names == [topics.services, topics.tasks])
    }

    @Test func whatIsMissingAndMayNotBeMadeIsAbsent() async throws {
        let log = LogRecorder()
        let broker = try EmbeddedBroker(topics: [topics.services: 1])
        let found = try await provisioner(broker, .verify, log).provision(topics)
        #expect(found.services == .present && found.tasks == .absent && !found.isComplete && !found.isUncertain)
        #expect(log.lines.map { $0.metadata[LogKey.topic] } == [topics.tasks])
    }

    /// The broker may have made the topics all the same, or have had them for long.
    @Test(arguments: [TopicProvisioning.create, .verify])
    func aBrokerThatDoesNotAnswerInTimeSaysNothing(_ mode: TopicProvisioning) async throws {
        let log = LogRecorder()
        let broker = try EmbeddedBroker()
        try broker.setRoundTripTime(.seconds(600))
        let found = try await provisioner(broker, mode, log, timeout: .milliseconds(200)).provision(topics)
        #expect(found.services == .unknown && found.tasks == .unknown && found.isUncertain)
        #expect(log.lines.count == 1 && log.lines.first?.message.contains("has not said") == true)
    }

    @Test func oneTopicSaysNothingOfTheOther() async throws {
        let broker = try EmbeddedBroker(topics: [topics.services: 1, topics.tasks: 1])
        try broker.setError(.topicAuthorizationFailed, forTopic: topics.services)
        let found = try await provisioner(broker).provision(topics)
        #expect(found.services == .absent && found.tasks == .present)
    }

    @Test func whatIsDeniedAfterItWasLeftOpenIsWarnedOf() async throws {
        let log = LogRecorder()
        let broker = try EmbeddedBroker(topics: [topics.services: 1])
        let provisioner = try provisioner(broker, .verify, log)
        let open = ProvisionedSystemTopics(services: .unknown, tasks: .unknown)
        let first = await provisioner.provision(topics, after: open).after(open)
        #expect(first.services == .present && first.tasks == .absent)
        #expect(log.lines.map { $0.metadata[LogKey.topic] } == [topics.tasks])
        #expect(log.lines.first?.message.contains("tells less until they are there") == true)
        // Told once.
        #expect(await provisioner.provision(topics, after: first).after(first) == first)
        #expect(log.lines.count == 1)
    }

    @Test func aTopicThatWasDeniedStaysDeniedUntilItIsFound() {
        typealias Standing = ProvisionedSystemTopics.Standing
        func after(_ earlier: Standing, _ now: Standing) -> [Standing] {
            let (old, new) = (
                ProvisionedSystemTopics(services: earlier, tasks: earlier, maxBatchBytes: 7),
                ProvisionedSystemTopics(services: now, tasks: now)
            )
            #expect(new.after(old).maxBatchBytes == 7)
            return [new.after(old).services, new.after(old).tasks]
        }
        for now in [Standing.present, .unknown, .absent] {
            #expect(after(.unknown, now) == [now, now])
            #expect(after(.present, now) == [.present, .present])
            let denied: Standing = now == .present ? .present : .absent
            #expect(after(.absent, now) == [denied, denied])
        }
    }

    @Test func onlyAPlainAnswerDeniesATopic() {
        func standing(_ code: KafkaError.Code) -> ProvisionedSystemTopics.Standing {
            .init(.failure(KafkaError(code, "it failed")))
        }
        let leaderNotAvailable = KafkaError.Code(rawValue: 5)
        let notController = KafkaError.Code(rawValue: 41)
        for code in [
            .timedOut, .requestTimedOut, .transport, .allBrokersDown, .notLeader, leaderNotAvailable, notController,
        ] { #expect(standing(code) == .unknown) }
        for code in [.unknownTopicOrPartition, .topicAuthorizationFailed, KafkaError.Code(rawValue: 44)] {
            #expect(standing(code) == .absent)
        }
        #expect(ProvisionedSystemTopics.Standing(.success(())) == .present)
        #expect(ProvisionedSystemTopics.Standing(nil) == .unknown)
    }
}
