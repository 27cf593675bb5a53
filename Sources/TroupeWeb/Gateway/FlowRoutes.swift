// What became of a flow: by asking, by waiting, and as a stream of events.

import Troupe

/// Answers for flows.
struct FlowRoutes: Sendable {
    let follower: FlowFollower
    let configuration: GatewayConfiguration

    /// How long one stream of events lasts before the client has to connect again, which it does by itself.
    private static let longestStream = Duration.seconds(900)

    func add(to router: inout HTTPRouter, requiring tokens: BearerTokens?) {
        let limit = configuration.maxWait + .seconds(10)
        router.get("/flows/{id}", requiring: tokens, timeLimit: limit) { try await answer($0) }
        router.get("/flows/{id}/events", requiring: tokens) { try await stream($0) }
    }

    /// Where a flow is asked for.
    static func location(of id: String) -> String { "/flows/\(id)" }

    /// `GET /flows/{id}`.
    private func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        guard let wait = try WaitPreference.read(request, longest: configuration.maxWait) else {
            return response(try await flow(id, until: nil), status: .ok)
        }
        let deadline = ContinuousClock.now + wait.time
        var flow = try await flow(id, until: deadline)
        if flow.outcome == nil {
            follower.hold(id)
            defer { follower.release(id) }
            await follower.wait(for: .over, of: id, until: deadline)
            flow = newest(flow)
            // An archive may have learned what was not read here.
            if flow.outcome == nil, !flow.isNew, let news = try? await archived(id) { flow = news }
        }
        var response = response(flow, status: flow.outcome == nil ? .accepted : .ok)
        response.headers["Preference-Applied"] = wait.applied
        return response
    }

    /// A flow as it is; 404 when it stays unknown until `deadline`, or for a moment.
    ///
    /// A flow of which only later events are known counts as unknown until its end is read: it may have ended long ago.
    private func flow(_ id: String, until deadline: ContinuousClock.Instant?) async throws -> FlowSnapshot {
        if let flow = follower.snapshot(id), flow.isWhole {
            guard flow.outcome == nil, !flow.isNew else { return flow }
            // What was read here is an answer as well, where the archive has none.
            return (try? await archived(id)) ?? flow
        }
        if let flow = try await archived(id) { return flow }
        // It may have been started a moment ago at another gateway, whose answer was quicker than the topic.
        await follower.wait(
            for: .tellable, of: id, until: deadline ?? .now + configuration.patienceWithUnknownFlows)
        if let flow = follower.snapshot(id), flow.isWhole || flow.outcome != nil { return flow }
        throw HTTPProblem(
            .notFound,
            "The flow is not known here: it has not begun, or its beginning is longer ago than this gateway remembers "
                + "(the \(configuration.memory.flows) flows that had news last, since its start)",
            title: "Unknown flow")
    }

    /// A flow that a request has started, or has repeated the start of, when it is over or `deadline` has passed.
    func end(_ id: String, by deadline: ContinuousClock.Instant) async -> FlowSnapshot? {
        if let flow = follower.snapshot(id), flow.outcome == nil, !flow.isNew,
            let known = try? await archived(id), known.outcome != nil
        {
            return known
        }
        await follower.wait(for: .over, of: id, until: deadline)
        return follower.snapshot(id)
    }

    /// A flow as the archive knows it, with what was read of it here.
    private func archived(_ id: String) async throws -> FlowSnapshot? {
        try await configuration.archive?.flow(id)?.joined(with: follower.snapshot(id))
    }

    /// A flow with what was read of it since.
    private func newest(_ flow: FlowSnapshot) -> FlowSnapshot {
        guard let news = follower.snapshot(flow.id) else { return flow }
        return flow.isWhole ? news : flow.joined(with: news)
    }

    /// The response that tells of a flow.
    func response(_ flow: FlowSnapshot, status: HTTPStatus) -> HTTPResponse {
        var response = HTTPResponse.json(FlowJSON.object(flow, configuration.payloads), status: status)
        response.headers["Cache-Control"] = "no-store"
        if status == .accepted { response.headers["Location"] = Self.location(of: flow.id) }
        return response
    }

    /// `GET /flows/{id}/events`.
    private func stream(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        let flow = try await flow(id, until: nil)
        let begin = ResumePoint(request.headers["Last-Event-ID"])
        // Told that there is nothing more, a browser does not connect again.
        if flow.outcome != nil, flow.events.allSatisfy({ begin.covers($0) }) { return HTTPResponse(.noContent) }
        return .events { try await send(flow, from: begin, to: $0) }
    }

    private func send(_ first: FlowSnapshot, from begin: ResumePoint, to stream: EventStream) async throws {
        var flow = first
        var point = begin
        let id = flow.id
        let deadline = ContinuousClock.now + Self.longestStream
        follower.hold(id)
        defer { follower.release(id) }
        while !Task.isCancelled {
            for event in flow.events where !point.covers(event) {
                point.add(event)
                let data = FlowJSON.object(event, withData: configuration.payloads == .all)
                try await stream.send(ServerSentEvent(bytes: data, id: point.text))
            }
            if flow.outcome != nil {
                var end = flow
                end.events = []
                let data = FlowJSON.object(end, configuration.payloads)
                return try await stream.send(ServerSentEvent(bytes: data, event: "end", id: point.text))
            }
            await follower.wait(for: .newer(than: flow.version), of: id, until: deadline)
            let newer = newest(flow)
            guard newer.version > flow.version else { return }
            flow = newer
        }
    }
}
