// The demo's story, from the first order to the account.

import DemoEvents
import Foundation
import KafkaClient
import Troupe
import TroupeFlow

/// Plays the demo.
struct DemoRun: Sendable {
    private let orders: [PlannedOrder]
    private let seed: UInt64
    private let kills: Int
    let venue: DemoVenue
    let services: DemoServices
    let files: StateFiles
    /// What the whole flow is seen by: kept from the topics alone.
    let flows: FlowStore
    let display: LiveDisplay
    let style: Style
    private let watch = TopicWatch()
    private let start = ContinuousClock.now

    init(
        traffic: Traffic, kills: Int, venue: DemoVenue, services: DemoServices, files: StateFiles,
        flows: FlowStore, display: LiveDisplay, style: Style
    ) {
        orders = traffic.orders
        seed = traffic.seed
        self.kills = kills
        self.venue = venue
        self.services = services
        self.files = files
        self.flows = flows
        self.display = display
        self.style = style
    }

    /// Plays the whole story.
    ///
    /// - Throws: `CommandFailure` when a service ends unasked or nothing moves any more, `CancellationError`.
    func play() async throws -> Account {
        try await withThrowingTaskGroup(of: Account?.self) { group in
            try await startServices()
            let partitions = try await watchedPartitions()
            group.addTask {
                try await watch.follow(partitions, in: venue.cluster)
                return nil
            }
            group.addTask {
                try await track()
                return nil
            }
            group.addTask {
                try await showProgress()
                return nil
            }
            group.addTask { try await playActs(partitions) }
            defer { group.cancelAll() }
            while let account = try await group.next() {
                if let account { return account }
            }
            throw CommandFailure("The demo ended without an account")
        }
    }

    /// Keeps the flow store up to date until the task is cancelled.
    func track() async throws {
        let cluster = venue.cluster
        try await FlowTracker(flows, kafka: cluster.configuration, namespace: cluster.namespace).follow()
    }

    private func playActs(_ partitions: [TopicPartition]) async throws -> Account {
        try await outage()
        try await killPayments()
        try await killAtRandom()
        try await untilEveryOrderIsSettled()
        try await mend()
        try await until("all topics are read to their ends") { [watch] in
            let marks = try await venue.cluster.watermarks(of: partitions)
            return watch.hasReached(marks.mapValues(\.high))
        }
        return try await account()
    }

    // MARK: The acts

    private func startServices() async throws {
        heading("Five services start on \(venue.description)")
        for name in DemoServices.names where name != "storefront" {
            try await services.start(name, settings: settings(of: name))
        }
        try await services.start("storefront")
        for name in DemoServices.names { try await untilRunning(name) }
        tell("Each has a process, a consumer group and a SQLite file of its own; they share nothing but events.")
        heading("\(counted(orders.count, "order")) \(orders.count == 1 ? "is" : "are") placed (seed \(seed))")
    }

    /// Takes the payment provider down until some charges have failed.
    private func outage() async throws {
        try await until("a sixth of the orders are placed") { watch.progress.placed >= orders.count / 6 }
        try files.setProvider(down: true)
        heading("The payment provider goes down: charges fail and are retried, with growing delays")
        try await until("some charges have met the outage") {
            let met = try files.ordersThatMetTheOutage()
            // Where most orders were settled before, those that are left meet it, and are not settled while it lasts.
            return met.count >= 5 || watch.settled.union(met).count >= orders.count
        }
        try await until("a third of the orders are placed") { watch.progress.placed >= orders.count / 3 }
        try files.setProvider(down: false)
        tell("It is up again after \(counted(try files.ordersThatMetTheOutage().count, "order")) met the outage.")
    }

    /// Kills the payment service at a moment at which it has work in flight, and starts it again.
    private func killPayments() async throws {
        let name = "payments"
        try await until("half of the orders are placed") { watch.progress.placed >= orders.count / 2 }
        guard let child = await services.child(name) else { throw CommandFailure("\(name) does not run") }
        var inFlight: Set<String> = []
        try await until("\(name) has work in flight") {
            // Stopped, it cannot finish what it is seen to be doing before it is killed.
            child.send(SIGSTOP)
            inFlight = try files.ordersBeingCharged()
            if inFlight.isEmpty { child.send(SIGCONT) }
            guard !inFlight.isEmpty || watch.settled.count < orders.count else {
                throw CommandFailure(
                    "All orders were settled before \(name) could be killed at its work: raise --orders or lower --rate"
                )
            }
            return !inFlight.isEmpty
        }
        await services.kill(name)
        let some = inFlight.sorted().prefix(3).joined(separator: ", ") + (inFlight.count > 3 ? ", ..." : "")
        heading("kill -9 \(child.pid): \(name) dies while it charges \(counted(inFlight.count, "order")) (\(some))")
        try await services.start(name)
        try await untilRunning(name)
        tell("It runs again. Whatever it had not finished is delivered to it once more.")
    }

    /// Kills further services, at moments drawn from the seed, and starts them again.
    private func killAtRandom() async throws {
        var random = SplitMix64(seed: seed)
        let moments = (1..<max(kills, 1)).map { _ in Double.random(in: 0.52...0.95, using: &random) }.sorted()
        for moment in moments {
            let name = DemoServices.names.randomElement(using: &random) ?? "inventory"
            let placed = min(Int(Double(orders.count) * moment), orders.count)
            try await until("\(placed) orders are placed") { watch.progress.placed >= placed }
            guard let child = await services.child(name) else { continue }
            await services.kill(name)
            heading("kill -9 \(child.pid): \(name) dies after \(counted(watch.progress.placed, "order"))")
            try await services.start(name, settings: settings(of: name))
            try await untilRunning(name)
        }
    }

    /// What a service is told beside what all are told.
    private func settings(of name: String) -> [String: String] {
        name == "shipping" ? shipping(release: 1) : [:]
    }

    private func shipping(release: Int) -> [String: String] {
        ["DEMO_SHIPPING_RELEASE": "\(release)", "TROUPE_SERVICE_VERSION": "\(release)"]
    }

    private func untilEveryOrderIsSettled() async throws {
        let ids = Set(orders.map(\.id))
        try await until("every order is shipped, cancelled or dead-lettered") { watch.settled.isSuperset(of: ids) }
        try await untilIdle()
        let progress = watch.progress
        heading(
            "All orders are settled: \(progress.shipped) shipped, \(progress.cancelled) cancelled, "
                + "\(progress.lettered) dead-lettered")
    }

    /// Does what an operator would do next.
    private func mend() async throws {
        tell("An operator asks what failed:")
        try await command("dlt", "list")
        guard let letter = watch.evidence.letters.first(where: { $0.service == "shipping" }) else { return }
        tell("The letters of shipping look alike. One of them:")
        try await command("dlt", "show", letter.place)
        heading("Shipping knows no customs zone for a country: release 2, with the fix, takes its place")
        await services.stop("shipping")
        try await services.start("shipping", settings: shipping(release: 2))
        try await untilRunning("shipping")
        tell("The letters are sent back to shipping, and to no other service:")
        try await command("dlt", "replay", "--service=shipping")
        let replayed = watch.evidence.lettered(by: "shipping")
        try await until("the replayed orders are shipped") {
            watch.evidence.orders("\(ParcelDispatched.type)").isSuperset(of: replayed)
        }
        try await untilIdle()
        tell("What still waits was never going to work, and says so:")
        try await command("dlt", "list", "--waiting")
    }

    private func account() async throws -> Account {
        var evidence = watch.evidence
        evidence.replayed = Set(try await ReplayLog(venue.cluster).read().keys)
        let account = Account(
            planned: orders, topics: evidence, files: try files.read(), flows: try await flowEvidence())
        display.clear()
        heading("The account, from the topics, the services' own files and the flow store")
        for line in AccountText(account).lines(style) { display.say(line) }
        return account
    }

    /// What the flow store says, once it has read what the services told last; at the latest after a while.
    private func flowEvidence() async throws -> FlowEvidence {
        let deadline = ContinuousClock.now + .seconds(15)
        var evidence = try FlowEvidence(flows)
        while !evidence.unsettled.isEmpty || evidence.orders("\(OrderPlaced.type)").count < orders.count,
            ContinuousClock.now < deadline
        {
            try await Task.sleep(for: .milliseconds(100))
            evidence = try FlowEvidence(flows)
        }
        return evidence
    }

    // MARK: Conditions

    /// Waits for a condition.
    ///
    /// - Throws: `CommandFailure` when a service ends unasked, or nothing has moved for a minute.
    private func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        var lastMove = ContinuousClock.now
        var seen = watch.movement
        while try await !condition() {
            try await services.checkAllRun()
            let now = watch.movement
            if now != seen {
                seen = now
                lastMove = .now
            }
            guard lastMove.duration(to: .now) < .seconds(60) else {
                throw CommandFailure(
                    "Nothing has moved for a minute while waiting until \(what). Logs are in \(files.directory)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func untilRunning(_ name: String) async throws {
        let board = services.board
        try await until("\(name) has joined its group") {
            guard let status = board.current(of: name) else { return false }
            return status.phase == .running && status.partitions > 0
        }
    }

    /// Waits until no service has anything to do.
    private func untilIdle() async throws {
        let board = services.board
        try await until("the services are idle") {
            DemoServices.names.allSatisfy { name in
                guard let status = board.current(of: name) else { return false }
                return status.inFlight == 0 && status.lag == 0
            }
        }
    }

    private func watchedPartitions() async throws -> [TopicPartition] {
        let inputs = Set(
            [OrderPlaced.topic, StockReserved.topic, PaymentTaken.topic, ParcelDispatched.topic]
                .map { venue.cluster.namespace + $0.rawValue })
        return try await venue.cluster.topics().values
            .filter { inputs.contains($0.name) || $0.name.hasSuffix(DeadLetter.topicSuffix) }
            .flatMap(\.topicPartitions)
    }

    // MARK: Telling

    private func heading(_ text: String) {
        let tenths = start.duration(to: .now) / .milliseconds(100)
        display.say("\n" + style.bold("[\((tenths.rounded() / 10).description) s] \(text)"))
    }

    private func tell(_ text: String) { display.say(text) }

    /// Runs a command of the tool as an operator would type it.
    private func command(_ words: String...) async throws {
        let all = words + venue.options
        display.say(style.cyan("$ troupe \(all.joined(separator: " "))"))
        let code = await Tool.troupe.run(all, display.storyConsole)
        try Task.checkCancellation()
        guard code == .ok else { throw CommandFailure("troupe \(words.joined(separator: " ")) failed") }
    }

    private func showProgress() async throws {
        while true {
            let board = ProgressBoard(watch: watch, services: services, total: orders.count)
            display.update(board.lines, summary: board.summary)
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}

extension TopicWatch {
    /// A number that changes whenever something was read.
    fileprivate var movement: Int {
        let progress = progress
        return progress.placed + progress.shipped + progress.cancelled + progress.lettered
    }
}
