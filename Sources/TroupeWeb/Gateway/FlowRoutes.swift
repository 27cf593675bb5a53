// What became of a flow: by asking, by waiting, and as a stream of events.

import Troupe

/// Answers for flows.
struct FlowRoutes: Sendable {
    let follower: FlowFollower
    let configuration: GatewayConfiguration
    let logger: Logger
    /// How often the archive is asked for the end of one flow by those who do not wait for it.
    var archiveInterval = Duration.seconds(1)

    /// How long one stream of events lasts before the client has to connect again, which it does by itself.
    private static let longestStream = Duration.seconds(900)
    /// How long the archive is waited for where there is an answer without it.
    private static let patienceWithArchive = Duration.seconds(1)

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
            if flow.isWhole {
                flow = await endedBefore(flow) ?? flow
            } else if flow.outcome == nil, let news = try await archived(id) {
                flow = news
            }
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
            if let asked = flow.askedAt, asked + archiveInterval > .now { return flow }
            return await endedBefore(flow) ?? follower.snapshot(id) ?? flow
        }
        do {
            if let flow = try await archived(id) { return flow }
        } catch {
            // Its end is an answer without its beginning, too.
            guard let flow = follower.snapshot(id), flow.outcome != nil else { throw error }
            return flow
        }
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
        if let flow = follower.snapshot(id), let known = await endedBefore(flow) { return known }
        await follower.wait(for: .over, of: id, until: deadline)
        guard let flow = follower.snapshot(id) else { return nil }
        return await endedBefore(flow) ?? flow
    }

    /// How a flow ended that runs by what was read here but may have begun before, as the archive knows it.
    ///
    /// The event that begins a flow is published again where a request with an `Idempotency-Key` is repeated, and the end
    /// that it had may be longer ago than was read.
    private func endedBefore(_ flow: FlowSnapshot) async -> FlowSnapshot? {
        guard flow.outcome == nil, !flow.isNew, let archive = configuration.archive else { return nil }
        let id = flow.id
        do {
            let known = try await withTimeLimit(Self.patienceWithArchive) { try await archive.flow(id) }
            if let known, known.outcome != nil { return known.joined(with: follower.snapshot(id)) }
            follower.noteAsked(id, at: .now)
        } catch {
            logger.warning(
                "The archive did not answer; the flow is told as far as it was read",
                metadata: [LogKey.correlationID: id, LogKey.error: "\(error)"])
        }
        return nil
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
        if flow.outcome != nil, begin.isEnd, flow.events.allSatisfy({ begin.covers($0) }) {
            return HTTPResponse(.noContent)
        }
        return .events { try await send(flow, from: begin, to: $0) }
    }

    private func send(_ first: FlowSnapshot, from begin: ResumePoint, to stream: EventStream) async throws {
        var flow = first
        var point = begin
        let id = flow.id
        let deadline = ContinuousClock.now + Self.longestStream
        follower.hold(id)
        defer { follower.release(id) }
        // Forgotten since it was looked at, it counts anew.
        flow.version = min(flow.version, follower.snapshot(id)?.version ?? 0)
        while !Task.isCancelled {
            for event in flow.events where !point.covers(event) {
                point.add(event)
                let data = FlowJSON.object(event, withData: configuration.payloads == .all)
                try await stream.send(ServerSentEvent(bytes: data, id: point.text))
            }
            if flow.outcome != nil {
                point.isEnd = true
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
