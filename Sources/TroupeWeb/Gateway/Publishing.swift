// A request becomes an event: decoded, published, and answered with its flow.

import EventJSON
import KafkaClient
import Troupe

/// Publishes what clients post.
struct Publishing: Sendable {
    let service: String
    let publisher: EventPublisher
    let follower: FlowFollower
    let flows: FlowRoutes
    let configuration: GatewayConfiguration
    let logger: Logger
    let random = FastRandom()

    /// Decodes a body.
    ///
    /// - Throws: `HTTPProblem` that says where it does not fit.
    static func decode<Body: Decodable>(_ type: Body.Type, from request: HTTPRequest) throws(HTTPProblem) -> Body {
        let mediaType = request.mediaType ?? ""
        guard mediaType == "application/json" || (mediaType.hasPrefix("application/") && mediaType.hasSuffix("+json"))
        else {
            throw HTTPProblem(
                .unsupportedMediaType,
                "The body has to be JSON, and the header Content-Type to say so: application/json",
                headers: ["Accept": "application/json"])
        }
        do {
            return try EventJSONDecoder().decode(type, from: request.body)
        } catch let error as DecodingError {
            throw HTTPProblem(
                .badRequest, error.plainText, title: "The body does not fit", members: ["path": error.pathText])
        } catch {
            // What the type itself threw: it is about the client's data.
            throw HTTPProblem(.badRequest, "\(error)", title: "The body does not fit")
        }
    }

    /// Publishes an event, and answers with the flow it starts.
    func answer<E: Event>(_ request: HTTPRequest, _ make: (HTTPRequest) async throws -> E) async throws -> HTTPResponse
    {
        let wait = try WaitPreference.read(request, longest: configuration.maxWait)
        let key = try IdempotencyKey.read(request.headers).map { IdempotencyKey.seed($0, of: E.type) }
        let event = try await make(request)
        let begin = ContinuousClock.now
        let id =
            key.map { EventID.derived(fromIdempotencyKey: $0, service: service, type: "", ordinal: 0).text }
            ?? EventID.flowStarter(milliseconds: EngineClock.wallMilliseconds, random: random).text
        // Before it is published: its end may be read before its acknowledgement.
        guard follower.hold(id, digest: key.map { _ in IdempotencyKey.digest(request.body) }) else {
            throw IdempotencyKey.isTaken
        }
        defer { follower.release(id) }
        try await publish(event, flow: id, key: key)
        follower.confirm(id, isNew: key == nil)
        let known =
            if let wait { await flows.end(id, by: begin + wait.time) } else { follower.snapshot(id) }
        let flow = known ?? FlowSnapshot(id: id)
        var response = flows.response(flow, status: wait != nil && flow.outcome != nil ? .ok : .accepted)
        response.headers["Preference-Applied"] = wait?.applied
        return response
    }

    private func publish<E: Event>(_ event: E, flow: String, key: String?) async throws {
        if let key {
            let id = EventID.derived(fromIdempotencyKey: key, service: service, type: E.type.rawValue, ordinal: 0)
            // It is on the topic: once more would only be more work for everybody.
            if follower.contains(event: id.text, of: flow) { return }
        }
        do {
            // librdkafka has a limit of its own, which it looks at every now and then, seconds late.
            try await withTimeLimit(configuration.publishTimeout) { [publisher] in
                try await publisher.publish(event, correlationID: key == nil ? flow : nil, idempotencyKey: key)
            }
        } catch let error as PublicationFailure {
            throw HTTPProblem(.badRequest, error.detail, title: "The event cannot be published")
        } catch let error as KafkaError where error.code == .messageTooLarge {
            throw HTTPProblem(.contentTooLarge, "The event is larger than its topic takes")
        } catch let error as KafkaError {
            throw unacknowledged(E.type, flow, key, "\(error)")
        } catch is TimeLimitExceeded {
            throw unacknowledged(
                E.type, flow, key, "no acknowledgement within \(configuration.publishTimeout); it may come later")
        }
    }

    /// Kafka has not said that it has the event: it may have it, and it may get it still.
    private func unacknowledged(_ type: EventType, _ flow: String, _ key: String?, _ reason: String) -> HTTPProblem {
        logger.warning(
            "An event was not acknowledged",
            metadata: [LogKey.eventType: type.rawValue, LogKey.correlationID: flow, LogKey.error: reason])
        var problem = HTTPProblem.unavailable(
            "Kafka has not acknowledged the event in time, and it may be written all the same, now or later: then "
                + "\(FlowRoutes.location(of: flow)) tells of it. "
                + (key == nil
                    ? "Sent again, the request starts another flow, unless it has an \(IdempotencyKey.header) from the first "
                        + "time on"
                    : "Send the request again with the same \(IdempotencyKey.header): that starts one flow only"),
            retryAfter: 2)
        problem.members["flow"] = flow
        return problem
    }
}

extension DecodingError {
    /// Where in the body the error is, such as `lines[0].sku`; empty for the body as a whole.
    var pathText: String {
        let (context, missing): (Context, (any CodingKey)?) =
            switch self {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                (context, nil)
            case .keyNotFound(let key, let context): (context, key)
            @unknown default: (Context(codingPath: [], debugDescription: ""), nil)
            }
        return (context.codingPath + (missing.map { [$0] } ?? [])).reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }
}
