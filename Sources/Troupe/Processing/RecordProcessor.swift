// The functional core of a service: what becomes of a record. No I/O.
//
// The engine (and the simulation) use it so, for every record of an input or retry topic:
//
//     switch processor.classify(record) {
//     case .skip(let reason):          count it; the offset is done
//     case .deadLetter(let failure):   publish processor.deadLetter(record, failure, now:); then the offset is done
//     case .handle(let handling):      wait for handling.notBefore; then, in its key's lane,
//         var attempt = handling.attempt, firstFailedAt = handling.firstFailedAt
//         do { publish processor.handle(handling, attempt:, firstFailedAt:); then the offset is done }
//         catch { switch processor.decide(error, handling, attempt:, firstFailedAt:, now:) {
//             case .retryInPlace(let delay):   hold the lane; then attempt + 1, firstFailedAt ?? now
//             case .retryTopic(let message):   publish; then the offset is done
//             case .deadLetter(let message, let summary):   log, publish; then the offset is done
//             case .ignore:                    log; the offset is done } }
//
// "Done" means: once what was published is acknowledged. Messages to retry and dead-letter topics name the origin's
// partition: call `wrapPartition(count:)` with the number of partitions their topic has. A handling that the engine
// itself cancelled (a stop, a revoke) is no failure: do not ask `decide` about it.

package import KafkaClient

/// What becomes of a record, before anything is decoded.
package enum Classification: Sendable {
    /// The record is of no concern.
    case skip(SkipReason)
    /// A route handles it.
    case handle(Handling)
    /// It cannot be handled.
    indirect case deadLetter(RecordFailure)
}

/// Why a record is of no concern.
package enum SkipReason: String, Sendable, Hashable {
    /// No route names its type.
    case unrouted
    /// It was read from a topic that is none of the service's.
    case unknownTopic = "unknown-topic"
}

/// What follows from a failed handling.
package enum FailureAction: Sendable {
    /// Wait in place, then try again. Zero means at once.
    case retryInPlace(after: Duration)
    /// Publish to the retry topic, where the record waits until `notBefore`, in milliseconds since 1970.
    case retryTopic(PackedMessage, notBefore: Int64, summary: FailureSummary)
    /// Publish to the dead-letter topic.
    case deadLetter(PackedMessage, summary: FailureSummary)
    /// Count the event as handled.
    case ignore(summary: FailureSummary)
}

/// Decides what becomes of each record of a service.
package final class RecordProcessor: Sendable {
    /// The service's name.
    package let service: String
    /// The names on the broker.
    package let names: ServiceNames
    /// The settings.
    package let settings: ProcessorSettings
    /// The routes, in the order they were added.
    package let routes: [Route]
    /// What published records have in common.
    package let publisher: PublisherIdentity

    let plan: RoutePlan
    private let isObserved: Bool
    private let hasMiddleware: Bool
    let router: EventRouter
    let failures: FailureRecordBuilder

    /// Lays out the routes of a service.
    ///
    /// Throws `StartupError` naming everything that is wrong: two routes for one type, names Kafka would refuse.
    package init(
        service: String, router: EventRouter, settings: ProcessorSettings = ProcessorSettings()
    ) throws(StartupError) {
        self.service = service
        self.settings = settings
        self.router = router
        isObserved = settings.observer != nil
        hasMiddleware = !settings.middleware.isEmpty || router.timeLimit != nil
        names = ServiceNames(service: service, namespace: settings.namespace, consumerGroup: settings.consumerGroup)
        routes = router.routes
        plan = try RoutePlan(router, names: names)
        publisher = PublisherIdentity(
            service: service, namespace: settings.namespace, maxMessageBytes: settings.maxMessageBytes,
            events: routes.flatMap(\.publishes.events), claimThreshold: settings.claimCheck?.threshold ?? .max)
        failures = FailureRecordBuilder(
            redactedHeaders: settings.redactedHeaders,
            maxMessageBytes: settings.maxMessageBytes + KafkaLimits.failureHeadroom)
    }

    /// The broker's names of the topics with routes.
    package var inputTopics: [String] { plan.inputs.map(names.input) }
    /// The broker's names of the retry topics, in the order of `inputTopics`.
    package var retryTopics: [String] { plan.inputs.map(names.retry) }
    /// The broker's names of the dead-letter topics, in the order of `inputTopics`.
    package var deadLetterTopics: [String] { plan.inputs.map(names.deadLetter) }
    /// The broker's names of the topics that events are published to.
    package var outputTopics: [String] { plan.outputs.map(names.input) }

    /// The retry and dead-letter topics the service needs.
    /// - Parameter inputs: what the broker says of the input topics, by their names on the broker.
    package func topicPlans(inputs: [String: TopicShape]) -> [TopicPlan] {
        plan.inputs.flatMap { topic -> [TopicPlan] in
            guard let shape = inputs[names.input(topic)] else { return [] }
            return TopicPlan.companions(
                retry: names.retry(topic), deadLetter: names.deadLetter(topic), of: shape,
                longestDelay: plan.longestDelay)
        }
    }

    /// The time in which the outcome of a route is owed.
    package func within(_ route: Route) -> Duration { route.within ?? router.within }

    // MARK: - Classifying

    /// Says what becomes of a record.
    ///
    /// Cheap, and nothing of its value is decoded.
    package func classify(_ record: KafkaRecord) -> Classification { classify(record, role(ofTopic: record.topic)) }

    /// Says what becomes of a record whose topic has `role`, which who reads many records of a topic asks for once.
    package func classify(_ record: KafkaRecord, _ role: TopicRole?) -> Classification {
        let classification = examine(record, role)
        if isObserved { settings.observer?.observe(.read(record, classification), of: service) }
        return classification
    }

    /// The role of a topic by its name on the broker; `nil` when it is none of the service's.
    package func role(ofTopic name: String) -> TopicRole? { plan.roles[name] }

    private func examine(_ record: KafkaRecord, _ role: TopicRole?) -> Classification {
        guard let role else { return .skip(.unknownTopic) }
        do throws(EnvelopeFailure) {
            let envelope = RawEnvelope(scanning: record)
            guard StructuredMode.isStructured(envelope, record) else {
                return try classify(record, record, envelope, role)
            }
            let binary = try StructuredMode.binary(record, envelope)
            return try classify(record, binary, RawEnvelope(scanning: binary), role)
        } catch { return .deadLetter(RecordFailure(error)) }
    }

    private func classify(
        _ original: KafkaRecord, _ record: KafkaRecord, _ envelope: RawEnvelope, _ role: TopicRole
    ) throws(EnvelopeFailure) -> Classification {
        if envelope.isForeign { return try classifyForeign(original, role) }
        let entry = record.withUnsafeBytes(of: envelope.type) { plan.types.entry($0) }
        try envelope.checkType(in: record, isKnown: entry != nil)
        let isTombstone = record.isTombstone
        guard let entry, entry.route != nil || isTombstone else { return unrouted(record, envelope, role) }
        guard let route = isTombstone ? entry.tombstones : entry.route else { return .deadLetter(.unclaimedTombstone) }
        try envelope.check(in: record)
        return .handle(handling(original, record, envelope, route, isTombstone ? [] : entry.upcasts, role))
    }

    private func classifyForeign(_ record: KafkaRecord, _ role: TopicRole) throws(EnvelopeFailure) -> Classification {
        guard let route = record.isTombstone ? role.tombstones ?? role.foreign : role.foreign else {
            if record.isTombstone { return .deadLetter(.unclaimedTombstone) }
            throw EnvelopeFailure(
                .notCloudEvent, "The record has no CloudEvents headers, and no route says how to read it without")
        }
        let binary = ForeignMode.normalized(record, origin: origin(record, role))
        return .handle(handling(record, binary, RawEnvelope(scanning: binary), route, [], role))
    }

    private func unrouted(_ record: KafkaRecord, _ envelope: RawEnvelope, _ role: TopicRole) -> Classification {
        // What waits in the retry topic has failed before: it must not vanish because its route did.
        guard role.isRetryTopic || settings.unroutedEvents == .deadLetter else { return .skip(.unrouted) }
        let type = record.text(of: envelope.type) ?? ""
        return .deadLetter(
            RecordFailure(
                .unrouted, ErrorSummary(type: "Troupe.UnroutedEvent", message: "No route handles the type \(type)")))
    }

    private func handling(
        _ original: KafkaRecord, _ record: KafkaRecord, _ envelope: RawEnvelope, _ route: Route, _ upcasts: [Upcast],
        _ role: TopicRole
    ) -> Handling {
        // Failure headers mean something in the service's own retry topic only; elsewhere anybody may have set them.
        let failure = role.isRetryTopic ? FailureHeaders(original) : nil
        return Handling(
            original: original, record: record, envelope: envelope, route: route, upcasts: upcasts,
            origin: origin(original, role, failure), failure: failure,
            notBefore: failure.flatMap { notBefore(original, $0) })
    }

    func origin(_ record: KafkaRecord, _ role: TopicRole, _ failure: FailureHeaders? = nil) -> RecordOrigin {
        guard role.isRetryTopic else {
            return RecordOrigin(
                topic: role.input, partition: record.partition, offset: record.offset, timestamp: record.timestamp)
        }
        return (failure ?? FailureHeaders(record)).origin(of: record, topic: role.input)
    }

    // A time beyond what the topic keeps its records would hold the lane for ever: it is an error, not a wish.
    private func notBefore(_ record: KafkaRecord, _ failure: FailureHeaders) -> Int64? {
        guard let notBefore = failure.notBefore else { return nil }
        guard record.timestamp.kind != .none else { return notBefore }
        let kept = TopicPlan.retryRetention(longestDelay: plan.longestDelay)
        let (latest, overflow) = record.timestamp.milliseconds.addingReportingOverflow(kept)
        return overflow ? notBefore : min(notBefore, latest)
    }

    /// When a record of a retry topic may be handled, in milliseconds since 1970; `nil` for at once.
    package func notBefore(of record: KafkaRecord) -> Int64? {
        guard let role = plan.roles[record.topic], role.isRetryTopic else { return nil }
        return notBefore(record, FailureHeaders(record))
    }

    // MARK: - Handling

    /// Decodes the event, runs its handler within the middleware, and makes the records it publishes.
    ///
    /// Everything is checked before it returns: what comes out can be published. Throws what the handler throws, and
    /// `DecodeFailure` or `PublicationFailure`.
    package nonisolated(nonsending) func handle(
        _ handling: Handling, attempt: Int, firstFailedAt: Int64?
    ) async throws -> [PackedMessage] {
        try await handleOrFallBack(handling, attempt: attempt, firstFailedAt: firstFailedAt).messages.all
    }

    /// Does what `handle` does, and says whether it was the fallback that succeeded.
    ///
    /// The fallback runs once the handler has failed for good; when it fails too the handler's error is thrown.
    package nonisolated(nonsending) func handleOrFallBack(
        _ handling: Handling, attempt: Int, firstFailedAt: Int64?
    ) async throws -> (messages: Publications, failure: (any Error)?) {
        settings.observer?.observe(.began(handling, attempt: attempt), of: service)
        let context = EventContext(handling, self, attempt: attempt, firstFailedAt: firstFailedAt)
        let messages: Publications
        var failure: (any Error)?
        do {
            messages =
                needsMiddleware(handling.route)
                ? try await handling.route.performWithin(handling, context, self, middleware(for: handling.route))
                : try await handling.route.perform(handling, context, self)
        } catch {
            guard let fallBack = handling.route.fallBack, isFinal(error, handling, attempt: attempt) else {
                throw error
            }
            do {
                messages = try await fallBack(handling, context, self, error)
            } catch let second {
                context.logger.error(
                    "The fallback failed too", metadata: [LogKey.error: ErrorSummary(second).message])
                throw error
            }
            context.logger.warning(
                "The fallback took the place of a handling that failed for good",
                metadata: [LogKey.errorType: ErrorSummary(error).type, LogKey.error: ErrorSummary(error).message])
            failure = error
        }
        settings.observer?.observe(.handled(handling, attempt: attempt, published: messages.all), of: service)
        return (messages, failure)
    }

    /// Makes the records of what a handler of `handling` returned, which `emit` gives to the emitter.
    ///
    /// Returns them and the values that are too large for them, which `deposited` stores.
    func stamp(
        _ handling: Handling, _ emit: (inout EventEmitter) throws -> Void
    ) throws -> (Publications, [Claim]) {
        var emitter = EventEmitter(
            publisher: publisher, cause: .parent(handling), now: settings.now(), random: settings.random)
        try emit(&emitter)
        return emitter.finish()
    }

    /// Whether nothing stands between the engine and the handlers of `route`: no middleware, observer or fallback.
    ///
    /// Then `route.perform` is all there is to a handling.
    package func isPlain(_ route: Route) -> Bool {
        !isObserved && route.fallBack == nil && !needsMiddleware(route)
    }

    /// Whether anything is wrapped around the handler of `route`.
    func needsMiddleware(_ route: Route) -> Bool {
        hasMiddleware || route.timeLimit != nil
    }

    /// What is wrapped around the handler of `route`, the outermost first.
    func middleware(for route: Route) -> [any EventMiddleware] {
        guard let limit = route.timeLimit ?? router.timeLimit else { return settings.middleware }
        return settings.middleware + [TimeLimitMiddleware(limit, sleep: settings.sleep)]
    }
}
