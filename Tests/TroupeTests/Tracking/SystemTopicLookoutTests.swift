// How often the system topics are looked for, what is told of each look, and what a look leaves behind.

import KafkaClient
import Synchronization
import Testing

@testable import Troupe

@Suite struct SystemTopicLookoutTests {
    private let topics = SystemTopics()

    /// What happened, in order.
    private final class Notes: Sendable {
        private struct Client {
            weak var admin: KafkaAdmin?
        }

        let pauses = Mutex<[Duration]>([])
        let told = Mutex<[ProvisionedSystemTopics]>([])
        let hasEnded = Atomic(false)
        private let clients = Mutex<[Client]>([])

        func note(_ provisioner: TopicProvisioner) { clients.withLock { $0.append(Client(admin: provisioner.admin)) } }
        var made: Int { clients.withLock { $0.count } }
        var alive: Int { clients.withLock { $0.count { $0.admin != nil } } }
    }

    private func logger(_ log: LogRecorder) -> Logger { Logger(label: "test", level: .notice, handler: log) }

    @Test(arguments: [Duration.zero, .seconds(-5), .milliseconds(100)])
    func itPausesBetweenLooksHoweverItIsSet(_ first: Duration) async {
        let notes = Notes()
        let lookout = SystemTopicLookout(
            topics: topics, known: ProvisionedSystemTopics(), firstPause: first, logger: logger(LogRecorder()),
            makeProvisioner: { nil },
            sleep: { pause in
                let count = notes.pauses.withLock {
                    $0.append(pause)
                    return $0.count
                }
                if count == 15 { throw CancellationError() }
            },
            learned: { _ in })
        await lookout.run()
        let doubled = (0..<13).map { Duration.milliseconds(100 << $0) }
        #expect(notes.pauses.withLock { $0 } == doubled + [.seconds(600), .seconds(600)])
    }

    @Test func everyLookIsToldAndLeavesNoClientBehind() async throws {
        let log = LogRecorder()
        let notes = Notes()
        let broker = try EmbeddedBroker(topics: [topics.services: 1])
        let configuration = broker.configuration
        let topics = topics
        let lookout = SystemTopicLookout(
            topics: topics, known: ProvisionedSystemTopics(services: .present, tasks: .unknown),
            firstPause: .seconds(1), logger: logger(log),
            makeProvisioner: {
                let provisioner = try? TopicProvisioner(
                    configuration, mode: .verify, logger: Logger(label: "test", level: .notice, handler: log))
                if let provisioner { notes.note(provisioner) }
                return provisioner
            },
            sleep: { _ in
                #expect(notes.alive == 0)
                if notes.made == 2 { try broker.createTopic(topics.tasks, partitions: 1) }
            },
            learned: { known in notes.told.withLock { $0.append(known) } })
        await lookout.run()
        #expect(notes.told.withLock { $0.map(\.tasks) } == [.absent, .absent, .present])
        #expect(notes.made == 3 && notes.alive == 0)
        let messages = log.lines.map(\.message)
        #expect(messages.count == 2)
        #expect(messages.first?.contains("tells less until they are there") == true)
        #expect(messages.last?.contains("are there") == true)
    }

    @Test func aTasksEndIsWaitedForAlsoByOneThatIsCancelled() async {
        let (gate, opens) = AsyncStream.makeStream(of: Void.self)
        let notes = Notes()
        let task = Task {
            for await _ in gate {}
            notes.hasEnded.store(true, ordering: .releasing)
        }
        await Task {
            withUnsafeCurrentTask { $0?.cancel() }
            Task.detached { opens.finish() }
            await waitForEnd(of: task, within: .seconds(600))
            let isOver = notes.hasEnded.load(ordering: .acquiring)
            #expect(isOver)
        }.value
    }

    @Test(.timeLimit(.minutes(5))) func aTaskThatDoesNotEndIsNotWaitedForForEver() async {
        let (gate, opens) = AsyncStream.makeStream(of: Void.self)
        let task = Task.detached { for await _ in gate {} }
        await waitForEnd(of: task, within: .milliseconds(50))
        opens.finish()
        await task.value
    }
}
