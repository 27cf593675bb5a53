// A consumer that is let go of ends by itself, whatever it waits for: no thread of it is left.

#if os(Linux)
    import FoundationEssentials
    import Testing

    @testable import KafkaClient

    /// Each consumer is let go of in a process of its own, whose threads can be counted.
    @Suite(.timeLimit(.minutes(10))) struct ConsumerEndTests {
        /// Where a consumer is when its owner lets go of it.
        enum Place: String, Codable, CaseIterable {
            /// It has just been told what to read.
            case joining
            /// Its assignment has arrived.
            case assigned
            /// Its assignment was taken and is not answered.
            case assignmentTaken
            /// It reads.
            case reading
            /// It was told to leave the group.
            case closing
            /// It was told to, and the revocation was taken and is not answered.
            case revocationTaken
        }

        @Test(arguments: TestCluster.available, ["range", "cooperative-sticky"])
        func nothingIsLeftOfAMemberWhereverItIs(cluster: TestCluster, strategy: String) async throws {
            for place in Place.allCases {
                await #expect(processExitsWith: .success, "\(place)") {
                    [cluster = cluster as TestCluster, strategy = strategy as String, place = place as Place] in
                    let topic = try await cluster.makeTopic(partitions: 2)
                    var configuration = try cluster.configuration
                    configuration.properties["partition.assignment.strategy"] = strategy
                    let properties = try configuration.librdkafkaProperties(for: .consumer(group: uniqueName("group")))
                    try await runBlocking(named: "test-owner") { try letGo(at: place, topic, properties) }
                    try await waitForTheEnd(embeddedBrokers: cluster == .embeddedBroker ? 1 : 0)
                }
            }
        }

        /// The deadline is the caller's: what is left to do is done without it.
        @Test(arguments: TestCluster.available)
        func closeThatIsOutOfTimeLeavesTheGroupAllTheSame(cluster: TestCluster) async throws {
            await #expect(processExitsWith: .success) { [cluster = cluster as TestCluster] in
                let topic = try await cluster.makeTopic()
                let group = uniqueName("group")
                let consumer = try KafkaConsumer(cluster.configuration, .topics([topic], group: group))
                try await eventually { !consumer.assignment.isEmpty }
                await consumer.close(within: .zero)
                try await waitForTheEnd(embeddedBrokers: cluster == .embeddedBroker ? 1 : 0)
                // The embedded broker knows no such question.
                guard cluster == .kafka else { return }
                let members = try await KafkaAdmin(cluster.configuration).describeGroups([group])[group]?.get().members
                guard members?.isEmpty == true else {
                    throw KafkaError(.invalidState, "It is still a member: \(String(describing: members))")
                }
            }
        }
    }

    /// Makes a group member, leads it to a place and lets go of it there.
    private func letGo(at place: ConsumerEndTests.Place, _ topic: String, _ properties: [(String, String)]) throws {
        let waker = try Waker()
        let consumer = try PolledConsumer(properties: properties, waker: waker)
        func take(until isDone: (ConsumerEvent) -> Bool) throws {
            var isFound = false
            try serve(waker, { consumer.isEmpty }) {
                guard let event = consumer.nextEvent() else { return false }
                isFound = isDone(event)
                return true
            } until: {
                isFound
            }
        }
        try consumer.subscribe(to: [topic])
        if place == .joining { return }
        if place == .assigned {
            return try serve(waker, { consumer.isEmpty }) {
                false
            } until: {
                !consumer.isEmpty
            }
        }
        try take { if case .assigned = $0 { true } else { false } }
        if place == .assignmentTaken { return }
        _ = try consumer.answerAssignment()
        if place == .reading { return }
        try consumer.beginClose()
        if place == .closing { return }
        try take { if case .revoked = $0 { true } else { false } }
    }

    /// Waits until of all clients only those of embedded brokers are left.
    private func waitForTheEnd(embeddedBrokers: Int) async throws {
        func threads() -> [String] {
            let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
            return tasks.compactMap { try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8) }
        }
        do {
            try await eventually(within: .seconds(120)) {
                let threads = threads()
                let clients = threads.count { $0.hasPrefix("rdk:main") }
                return clients <= embeddedBrokers && !threads.contains { $0.hasPrefix("kafka-") }
            }
        } catch {
            throw KafkaError(.timedOut, "Threads are left: \(threads())")
        }
    }
#endif
