// The page's JSON: what is asked of the flow store.

import EventJSON
import Troupe
import TroupeFlow

/// Answers the page's questions.
struct DashboardRoutes: Sendable {
    /// The most events and attempts of a flow that are sent.
    private static let maxEvents = 2_000
    /// The flows by which the graph is counted: the newest ones.
    private static let sampledFlows = 1_000

    let dashboard: Dashboard
    private var store: FlowStore { dashboard.store }

    func add(to router: inout HTTPRouter, at path: String) {
        router.answer(path + "/overview", overview)
        router.answer(path + "/flows", flows)
        router.answer(path + "/flows/{id}", flow)
        router.answer(path + "/flows/{flow}/events/{id}/payload", payload)
        router.answer(path + "/services") { _ in
            let now = EngineClock.wallMilliseconds
            return try .json(DashboardServices(now: now, services: try store.services(at: now)))
        }
        router.answer(path + "/graph", graph)
        router.answer(path + "/live") {
            DashboardLive(store: store, longestSilence: dashboard.longestSilence).response(to: $0)
        }
        DeadLetterRoutes(dashboard: dashboard).add(to: &router, at: path)
    }

    private func overview(_ request: HTTPRequest) throws -> HTTPResponse {
        try .json(
            DashboardOverview(
                now: EngineClock.wallMilliseconds, counts: DashboardOverview.counts(try store.counts()),
                change: try store.lastChange(), hasDeadLetters: dashboard.deadLetters != nil,
                canReplay: dashboard.deadLetters != nil && dashboard.replayTokens != nil))
    }

    private func flows(_ request: HTTPRequest) throws -> HTTPResponse {
        let query = request.query
        func text(_ name: String) -> String? { query[name].flatMap { $0.isEmpty ? nil : $0 } }
        func number<Number: FixedWidthInteger>(_ name: String, _ range: ClosedRange<Number>) throws -> Number? {
            guard let text = text(name) else { return nil }
            guard let number = Number(text), range.contains(number) else {
                throw HTTPProblem(
                    .badRequest, "\(name) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        func place(_ text: String) throws -> FlowCursor {
            guard let place = FlowCursor(text) else {
                throw HTTPProblem(.badRequest, "after is not what the page before named as its next")
            }
            return place
        }
        var statuses: Set<FlowStatus> = []
        for name in (text("status") ?? "").split(separator: ",") {
            guard let status = FlowStatus(rawValue: String(name)) else {
                let known = FlowStatus.allCases.map(\.rawValue).joined(separator: ", ")
                throw HTTPProblem(.badRequest, "status names what is none of \(known)")
            }
            statuses.insert(status)
        }
        var page = try store.flows(
            FlowQuery(
                text: text("text"), subject: text("subject"), type: text("type"), service: text("service"),
                statuses: statuses, limit: try number("limit", 1...500) ?? 50,
                after: try text("after").map(place)))
        page.flows = page.flows.map(\.clipped)
        return try .json(page)
    }

    private func flow(_ request: HTTPRequest) throws -> HTTPResponse {
        let name = request.parameters["id"] ?? ""
        let now = EngineClock.wallMilliseconds
        var found = try store.flow(name, at: now, limit: Self.maxEvents)
        if found == nil, let id = try store.flow(ofEvent: name) {
            found = try store.flow(id, at: now, limit: Self.maxEvents)
        }
        guard let found else {
            throw HTTPProblem(
                .notFound, "The store has no flow and no event of this id: it was not read yet, or was forgotten",
                title: "Unknown flow")
        }
        return try .json(
            DashboardFlow(
                now: now, flow: found.clipped,
                command: ShellText.command(["troupe", "flow", "show", found.summary.id] + dashboard.commandOptions)))
    }

    private func payload(_ request: HTTPRequest) throws -> HTTPResponse {
        let (flow, id) = (request.parameters["flow"] ?? "", request.parameters["id"] ?? "")
        guard let payload = try store.payload(ofEvent: id, inFlow: flow) else {
            throw HTTPProblem(.notFound, "The store has no event of this id in this flow", title: "Unknown event")
        }
        return try .json(DashboardPayload(payload, dashboard))
    }

    private func graph(_ request: HTTPRequest) throws -> HTTPResponse {
        let now = EngineClock.wallMilliseconds
        let declarations = try store.services(at: now).flatMap { $0.declarations.map(\.declaration) }
        let traffic = try store.observedTraffic(flows: Self.sampledFlows)
        return try .json(
            DashboardGraph(
                now: now, flows: traffic.flows, from: traffic.from, until: traffic.until,
                drawing: GraphDrawing(ChoreographyGraph(declarations, observed: traffic.edges)),
                findings: Conformance.check(declarations, observed: traffic.edges)))
    }
}

extension HTTPRouter {
    /// Adds a route of the page's JSON.
    mutating func answer(_ path: String, _ handler: @escaping HTTPHandler) {
        get(path) { request in
            var response = try await handler(request)
            if response.headers["Cache-Control"] == nil { response.headers["Cache-Control"] = "no-store" }
            // Whoever opens an answer as a page gets nothing but text.
            response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
            return response
        }
    }
}
