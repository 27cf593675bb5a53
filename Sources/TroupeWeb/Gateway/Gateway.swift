// A gateway: clients that know nothing of Kafka start flows over HTTP and learn how they ended.

import KafkaClient
public import Troupe

/// HTTP routes that start flows, and tell what became of them.
///
/// ```swift
/// var gateway = Gateway("storefront-gateway")
/// gateway.post("/orders", publishes: OrderPlaced.self)
/// gateway.endings(OrderCompleted.self, OrderCancelled.self)
/// try await gateway.runService()
/// ```
///
/// `POST /orders` publishes its JSON body as the event and answers 202 with the flow's id and `Location: /flows/{id}` as
/// soon as Kafka has acknowledged it; with `?wait=5s` or `Prefer: wait=5` it answers with the flow's end, or 202 when the
/// time is up. `GET /flows/{id}` tells what is known of the flow, and waits likewise; `GET /flows/{id}/events` sends its
/// events as they come. `GET /health` answers 200.
///
/// With the header `Idempotency-Key` a request may be repeated, at any gateway of the same name: it starts one flow.
///
/// Any number of gateways run side by side. Each reads the topics for itself, so each knows every flow; what one
/// remembers is bounded (`GatewayConfiguration.memory`).
public struct Gateway: Sendable {
    /// What a `POST` route publishes.
    private struct PublishingRoute: Sendable {
        var path: String
        var tokens: BearerTokens?
        var event: any Event.Type
        var answer: @Sendable (Publishing, HTTPRequest) async throws -> HTTPResponse
    }

    /// The gateway's name, which becomes its events' source and is part of what ids are derived from: gateways that
    /// share their work share it.
    public let name: String
    /// How it reaches Kafka, listens, and what it remembers.
    public var configuration: GatewayConfiguration
    /// Routes of your own beside the gateway's.
    public var router = HTTPRouter()
    private var routes: [PublishingRoute] = []
    private var endings: [String: FlowEnding] = [:]
    private var topics: Set<Topic> = []

    /// Creates a gateway.
    ///
    /// Nothing is checked or connected before it runs.
    ///
    /// - Parameters:
    ///   - name: 1 to 63 characters of `a-z`, `0-9` and `-`.
    ///   - configuration: How it reaches Kafka, listens, and what it remembers.
    public init(_ name: String, configuration: GatewayConfiguration = GatewayConfiguration()) {
        self.name = name
        self.configuration = configuration
    }

    /// Publishes the JSON body of each `POST` as an event, which starts a flow.
    ///
    /// - Parameters:
    ///   - path: The path, such as `/orders`.
    ///   - type: The event. A body that does not fit is told 400, with the place that is wrong.
    ///   - tokens: Who may post; as the configuration says when `nil`.
    public mutating func post<E: Event>(_ path: String, publishes type: E.Type, requiring tokens: BearerTokens? = nil) {
        post(path, accepts: E.self, publishes: type, requiring: tokens) { event, _ in event }
    }

    /// Makes an event of the JSON body of each `POST`, and publishes it, which starts a flow.
    ///
    /// ```swift
    /// gateway.post("/orders", accepts: NewOrder.self, publishes: OrderPlaced.self) { order, request in
    ///     OrderPlaced(orderID: order.id, lines: order.lines, total: order.lines.total)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - path: The path, such as `/orders`.
    ///   - body: What the body holds.
    ///   - type: The event.
    ///   - tokens: Who may post; as the configuration says when `nil`.
    ///   - make: Makes the event; it throws `HTTPProblem` for what the client did wrong. Make the same event of the same
    ///     request: a repeated one is published under the same id.
    public mutating func post<Body: Decodable & Sendable, E: Event>(
        _ path: String, accepts body: Body.Type, publishes type: E.Type, requiring tokens: BearerTokens? = nil,
        _ make: @escaping @Sendable (Body, HTTPRequest) async throws -> E
    ) {
        topics.insert(E.topic)
        routes.append(
            PublishingRoute(path: path, tokens: tokens, event: E.self) {
                publishing, request in
                try await publishing.answer(request) { try await make(try Publishing.decode(Body.self, from: $0), $0) }
            })
    }

    /// Names events that end a flow, as their `flowEnding` says, and whose topics are followed.
    ///
    /// It is only needed for events of services that do not declare what they publish.
    public mutating func endings<each E: Event>(_ types: repeat (each E).Type) {
        for type in repeat each types {
            topics.insert(type.topic)
            // A type that is named here ends its flow, whether it says so or not.
            endings[type.type.rawValue] = type.flowEnding ?? .completed
        }
    }

    /// Starts the gateway: it listens when this returns.
    ///
    /// - Throws: `StartupError` for a name or a setting that is not as it must be, `KafkaError` when no broker can be
    ///   reached, `HTTPServerError` when it cannot listen.
    public func start() async throws -> RunningGateway {
        try await RunningGateway(self)
    }

    /// Runs the gateway until its task is cancelled, then stops it: what is in flight is answered.
    ///
    /// - Throws: What `start()` throws.
    public func run() async throws {
        let running = try await start()
        let (cancelled, continuation) = AsyncStream.makeStream(of: Never.self)
        await withTaskCancellationHandler {
            for await _ in cancelled {}
        } onCancel: {
            continuation.finish()
        }
        await running.stop()
    }

    /// Runs the gateway as a process's main business, until one of the signals comes; what is in flight is answered.
    ///
    /// A gateway that cannot start says why in one log line and ends the process with status 1.
    ///
    /// - Parameter gracefulShutdownSignals: The signals to listen for.
    /// - Throws: `KafkaError` when the signals are listened for already; then the gateway has not run.
    public func runService(gracefulShutdownSignals: [ShutdownSignal] = [.sigterm, .sigint]) async throws {
        let running = Task { try await self.run() }
        let listener: SignalListener
        do {
            listener = try SignalListener(gracefulShutdownSignals) { _ in running.cancel() }
        } catch {
            running.cancel()
            throw error
        }
        defer { listener.cancel() }
        let result = await withTaskCancellationHandler {
            await running.result
        } onCancel: {
            running.cancel()
        }
        // Told to stop while it started is no failure.
        guard case .failure(let error) = result, !running.isCancelled else { return }
        logger.critical("The gateway cannot run", metadata: [LogKey.error: "\(error)"])
        endProcess(status: 1)
    }

    /// The broker's names of the topics it publishes to, and of all it is told to follow.
    fileprivate func topicNames(_ namespace: String) -> (published: [String], followed: Set<String>) {
        (
            Set(routes.map { namespace + $0.event.topic.rawValue }).sorted(),
            Set(topics.map { namespace + $0.rawValue })
        )
    }

    fileprivate var logger: Logger { configuration.service.logger ?? Logger(label: "troupe.gateway") }

    /// The events it publishes.
    fileprivate var publishes: [any Event.Type] { routes.map(\.event) }

    /// Which events end a flow, as far as it was told.
    fileprivate var knownEndings: [String: FlowEnding] {
        routes.reduce(into: endings) { endings, route in
            let type = route.event.type.rawValue
            if let ending = route.event.flowEnding, endings[type] == nil { endings[type] = ending }
        }
    }

    /// All routes, for a gateway that runs.
    fileprivate func router(_ publishing: Publishing) -> HTTPRouter {
        let configuration = publishing.configuration
        var all = HTTPRouter(requiring: configuration.tokens)
        // Whoever watches over the process has no token.
        var open = HTTPRouter()
        open.get("/health") { _ in HTTPResponse.json(Array(#"{"status":"up"}"#.utf8)) }
        all.mount(open, isOpen: true)
        publishing.flows.add(to: &all, requiring: nil)
        let limit = configuration.publishTimeout + configuration.maxWait + .seconds(10)
        for route in routes {
            all.post(route.path, requiring: route.tokens, timeLimit: limit) { try await route.answer(publishing, $0) }
        }
        all.mount(router)
        return all
    }
}

/// A gateway that runs.
public final class RunningGateway: Sendable {
    private let server: HTTPServer
    private let publisher: EventPublisher
    private let reader: FlowReader
    private let clock: Task<Void, Never>
    let follower: FlowFollower

    /// How often it is looked for requests whose time is up.
    private static let tick = Duration.milliseconds(100)

    /// The port it listens on.
    public var port: UInt16 { server.port }
    /// How many connections there are.
    public var connectionCount: Int { server.connectionCount }
    /// How many requests are being answered, those that wait for their flow's end among them.
    public var requestsInFlight: Int { server.requestsInFlight }

    fileprivate init(_ gateway: Gateway) async throws {
        let logger = gateway.logger
        gateway.configuration.service.warnOfUnknownVariables(logger)
        var configuration = try gateway.configuration.resolved()
        configuration.service.kafka = try await configuration.service.kafka.detectingEmbeddedBroker()
        // Resolved already: the environment must not be applied again.
        let publisher = try await EventPublisher(
            gateway.name, publishes: gateway.publishes, configuration: configuration.service)
        let follower = FlowFollower(configuration.memory)
        let endings = gateway.knownEndings
        follower.learn(endings)
        let namespace = configuration.service.namespace
        let topics = gateway.topicNames(namespace)
        do {
            try await Self.provide(topics.published, configuration.service, logger)
            let reader = try FlowReader(
                FlowReaderSettings(
                    kafka: configuration.service.kafka, topics: topics.followed,
                    declarations: configuration.followsDeclarations ? SystemTopics(namespace: namespace) : nil,
                    endings: endings, lookback: Int64(max(configuration.lookback, 0)), logger: logger), follower)
            do {
                try await reader.start()
                let flows = FlowRoutes(follower: follower, configuration: configuration, logger: logger)
                let publishing = Publishing(
                    service: gateway.name, publisher: publisher, follower: follower, flows: flows,
                    configuration: configuration, logger: logger)
                server = try HTTPServer(gateway.router(publishing), configuration.http)
            } catch {
                await reader.stop()
                throw error
            }
            self.reader = reader
        } catch {
            await publisher.shutdown(within: .seconds(1))
            throw error
        }
        self.publisher = publisher
        self.follower = follower
        clock = Task {
            while (try? await Task.sleep(for: Self.tick)) != nil {
                follower.expire(at: .now)
                publisher.staysKnown()
            }
        }
    }

    /// Stops the gateway: requests that wait are told how far their flows are, others are answered, streams end.
    public func stop() async {
        follower.end()
        await server.stop()
        clock.cancel()
        await clock.value
        await reader.stop()
        await publisher.shutdown(within: .seconds(5))
    }

    /// Makes the topics it publishes to, where they are missing and that is wanted.
    private static func provide(_ topics: [String], _ service: ServiceConfiguration, _ logger: Logger) async throws {
        guard !topics.isEmpty else { return }
        let admin = try KafkaAdmin(service.kafka)
        let missing = try await admin.describeTopics(topics).filter {
            if case .failure(let error) = $0.value { error.code == .unknownTopicOrPartition } else { false }
        }.keys.sorted()
        guard !missing.isEmpty else { return }
        if service.provisioning == .verify {
            throw StartupError(
                missing.map {
                    "The topic \($0) does not exist, and the gateway publishes to it. Create it with `troupe topics create "
                        + "\($0)`, or let the gateway make its topics (`.create`)"
                })
        }
        for (_, result) in try await admin.createTopics(missing.map { NewTopic($0) }) {
            // Another gateway may have been quicker.
            if case .failure(let error) = result, error.code != .topicAlreadyExists { throw error }
        }
        logger.notice(
            "Topics were missing and are created: check their names if they should have been there",
            metadata: [LogKey.topic: missing.joined(separator: " ")])
    }
}
