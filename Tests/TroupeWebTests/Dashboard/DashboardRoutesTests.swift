// The page's JSON over real sockets: what it answers, and what it keeps to itself.

import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeFlow

@testable import TroupeWeb

@Suite struct DashboardRoutesTests {
    private func with(
        _ shop: ShopStore, prefix: String = "", _ change: (inout Dashboard) -> Void = { _ in },
        _ body: (UInt16) async throws -> Void
    ) async throws {
        var dashboard = Dashboard(shop.store)
        change(&dashboard)
        var configuration = HTTPServerConfiguration()
        configuration.limits = .dashboard
        let server = try HTTPServer(dashboard.router(at: prefix), configuration)
        let result: Result<Void, any Error>
        do { result = .success(try await body(server.port)) } catch { result = .failure(error) }
        await server.stop()
        try result.get()
    }

    private func flows(_ port: UInt16, _ query: String = "") async throws -> [[String: Any]] {
        let answer = try await RawClient.ask(port, "GET /api/flows\(query)")
        #expect(answer.status == 200)
        return answer.json["flows"] as? [[String: Any]] ?? []
    }

    @Test func pageAllowsNothingButItsOwnParts() async throws {
        try await with(ShopStore()) { port in
            for (path, type) in [
                ("/", "text/html; charset=utf-8"), ("/dashboard.css", "text/css; charset=utf-8"),
                ("/dashboard.js", "text/javascript; charset=utf-8"),
            ] {
                let answer = try await RawClient.ask(port, "GET \(path)")
                #expect(answer.status == 200)
                #expect(answer.headers["Content-Type"] == type)
                #expect(answer.headers["Content-Security-Policy"] == DashboardAssets.policy)
                #expect(answer.headers["X-Frame-Options"] == "DENY")
                let again = try await RawClient.ask(
                    port, "GET \(path)", headers: ["If-None-Match: \(answer.headers["ETag"] ?? "")"])
                #expect(again.status == 304)
            }
            #expect(!DashboardAssets.policy.contains("unsafe"))
            let json = try await RawClient.ask(port, "GET /api/overview")
            #expect(json.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'")
            #expect(json.headers["Cache-Control"] == "no-store")
            let stranger = try await RawClient.ask(port, "GET /api/overview", headers: ["Host: evil.example"])
            #expect(stranger.status == 421)
        }
    }

    @Test func theLongestIdsFitIntoAPath() async throws {
        let shop = try ShopStore()
        let (flow, event) = (String(repeating: "\u{e9}", count: 2_048), String(repeating: "\u{1f3ad}", count: 1_024))
        shop.publish(event, ShopStore.placed, by: "storefront", flow: flow, at: shop.now, payload: #"{"sku":"lamp"}"#)
        try shop.flush()
        func path(_ id: String) -> String { id.addingPercentEncoding(withAllowedCharacters: CharacterSet()) ?? "" }
        let asked = path(flow).utf8.count + path(event).utf8.count
        #expect(asked == 2 * 3 * 4_096)
        try await with(shop) { port in
            let answer = try await RawClient.ask(port, "GET /api/flows/\(path(flow))")
            #expect(answer.status == 200)
            #expect(answer.text.contains("\"id\":\"\(flow)\""))
            let payload = try await RawClient.ask(port, "GET /api/flows/\(path(flow))/events/\(path(event))/payload")
            #expect(payload.status == 200)
            #expect(payload.text.contains("lamp"))
        }
    }

    @Test func flowsAreCountedSearchedAndPaged() async throws {
        try await with(.filled()) { port in
            let overview = try await RawClient.ask(port, "GET /api/overview").json
            let counts = overview["counts"] as? [String: Int]
            #expect(
                counts == ["completed": 15, "compensated": 2, "dead-lettered": 2, "stuck": 2, "running": 1])
            #expect(try await flows(port).count == 22)
            #expect(try await flows(port, "?status=stuck,dead-lettered").count == 4)
            #expect(
                try await flows(port, "?text=order-00025").compactMap { $0["subject"] as? String } == ["order-00025"])
            #expect(try await flows(port, "?type=shop.payment.declined").count == 2)
            #expect(try await flows(port, "?service=notifications&status=compensated").count == 2)
            #expect(try await flows(port, "?subject=order-00025&service=nobody").isEmpty)
            let first = try await RawClient.ask(port, "GET /api/flows?limit=20").json
            let next = try #require(first["next"] as? String)
            let rest = try await flows(port, "?limit=20&after=\(next)")
            #expect(rest.count == 2)
            for query in ["?status=lost", "?limit=0", "?limit=9999", "?after=x", "?after=7"] {
                #expect(try await RawClient.ask(port, "GET /api/flows\(query)").status == 400)
            }
        }
    }

    @Test func flowIsFoundByItsIDAndByAnEvents() async throws {
        let shop = try ShopStore.filled()
        try await with(shop, { $0.commandOptions = ["--store=/a b/flows.sqlite"] }) { port in
            let id = "01936a20-7c2e-7d40-9f1b-5a8e4c21d0f3"
            let answer = try await RawClient.ask(port, "GET /api/flows/\(id)").json
            #expect(answer["command"] as? String == "troupe flow show \(id) '--store=/a b/flows.sqlite'")
            let flow = try #require(answer["flow"] as? [String: Any])
            #expect((flow["events"] as? [Any])?.count == 3)
            #expect((flow["steps"] as? [Any])?.count == 3)
            let verdict = try #require(flow["verdict"] as? [String: Any])
            #expect(verdict["status"] as? String == "stuck")
            #expect(verdict["service"] as? String == "shipping")
            let event = try #require((flow["events"] as? [[String: Any]])?.last?["id"] as? String)
            let byEvent = try await RawClient.ask(port, "GET /api/flows/\(event)").json["flow"] as? [String: Any]
            #expect((byEvent?["summary"] as? [String: Any])?["id"] as? String == id)
            let unknown = try await RawClient.ask(port, "GET /api/flows/nothing")
            #expect(unknown.status == 404)
            #expect(unknown.headers["Content-Type"] == HTTPProblem.contentType)
        }
    }

    @Test func maskedFieldsNeverLeave() async throws {
        let shop = try ShopStore.filled()
        shop.publish("plain", ShopStore.placed, by: "x", flow: "plain", at: shop.now, payload: "ada@example.org")
        shop.publish(
            "long", ShopStore.placed, by: "x", flow: "long", at: shop.now,
            payload: "{\"email\":\"ada@example.org\",\"pad\":\"\(String(repeating: "x", count: 100_000))\"}")
        try shop.flush()
        func payload(_ port: UInt16, _ id: String, in flow: String? = nil) async throws -> [String: Any] {
            try await RawClient.ask(port, "GET /api/flows/\(flow ?? id)/events/\(id)/payload").json
        }
        try await with(shop, { $0.maskedFields = ["email"] }) { port in
            let flow =
                try await RawClient.ask(port, "GET /api/flows?text=order-00025").json["flows"] as? [[String: Any]]
            let id = try #require(flow?.first?["id"] as? String)
            let event = String(id.prefix(18)) + "-8100-aa14f07b3c55"
            let shown = try await payload(port, event, in: id)
            #expect((shown["text"] as? String)?.contains("\"email\":\"•••\"") == true)
            #expect(shown["isMasked"] as? Bool == true)
            // What is no JSON, or cannot be read to its end, is not shown, or masked all the same.
            let plain = try await payload(port, "plain")
            #expect(plain["text"] == nil)
            #expect(plain["withheld"] != nil)
            let long = try await payload(port, "long")
            #expect(long["isTruncated"] as? Bool == true)
            #expect((long["text"] as? String)?.hasPrefix("{\"email\":\"•••\",\"pad\":\"xxx") == true)
        }
        try await with(shop, { $0.showsPayloads = false }) { port in
            let hidden = try await payload(port, "plain")
            #expect(hidden["text"] == nil)
            #expect(hidden["byteCount"] as? Int == 15)
        }
        try await with(shop) { port in
            let plain = try await payload(port, "plain")
            #expect(plain["text"] as? String == "ada@example.org")
            #expect(try await RawClient.ask(port, "GET /api/flows/plain/events/none/payload").status == 404)
            #expect(try await RawClient.ask(port, "GET /api/flows/long/events/plain/payload").status == 404)
        }
    }

    @Test func graphIsCountedByWhatWasSeen() async throws {
        try await with(.filled()) { port in
            let graph = try await RawClient.ask(port, "GET /api/graph").json
            #expect(graph["flows"] as? Int == 22)
            #expect((graph["findings"] as? [Any])?.count == 0)
            let arrows = (graph["drawing"] as? [String: Any])?["arrows"] as? [[String: Any]] ?? []
            let edges = arrows.compactMap { $0["edge"] as? [String: Any] }
            let handling = try #require(
                edges.first { $0["service"] as? String == "inventory" && $0["type"] as? String == ShopStore.placed })
            #expect(handling["count"] as? Int == 21)
            #expect(handling["failures"] as? Int == 2)
            #expect(handling["provenance"] as? String == "both")
            #expect(edges.filter { ($0["compensates"] as? [String])?.isEmpty == false }.count == 2)
        }
    }

    @Test func changesAreStreamedFromWhereOneWas() async throws {
        let shop = try ShopStore.filled()
        try await with(shop) { port in
            let client = try RawClient(port: port)
            try client.ask("GET /api/live")
            let first = try await client.text { $0.contains("\n\n") && $0.contains("data: ") }
            #expect(first.contains("\"flows\":[]"))
            shop.publish("new-1", ShopStore.placed, by: "storefront", flow: "new", at: shop.now)
            try shop.flush()
            let second = try await client.text { $0.contains("\"id\":\"new\"") }
            #expect(second.contains("\"running\":2"))
            // Whoever comes back is told what happened since, and of nothing else.
            let last = try shop.store.lastChange()
            let back = try RawClient(port: port)
            try back.ask("GET /api/live", headers: ["Last-Event-ID: \(last - 1)"])
            let missed = try await back.text { $0.contains("data: ") && $0.contains("\n\n") }
            #expect(missed.contains("\"id\":\"new\""))
            #expect(missed.components(separatedBy: "\"eventCount\"").count == 2)
            // More than a page can show is said, not sent.
            let lost = try RawClient(port: port)
            for number in 0..<150 {
                shop.publish("many-\(number)", ShopStore.placed, by: "storefront", flow: "many-\(number)", at: shop.now)
            }
            try shop.flush()
            try lost.ask("GET /api/live", headers: ["Last-Event-ID: \(last)"])
            let skipped = try await lost.text { $0.contains("\"skipped\":true") }
            #expect(!skipped.contains("many-"))
        }
    }

    @Test func streamOfChangesIsNeverSilentForLong() async throws {
        let shop = try ShopStore()
        try await with(shop, { $0.longestSilence = .milliseconds(1) }) { port in
            let client = try RawClient(port: port)
            try client.ask("GET /api/live")
            // Nothing changes, and it is said again and again.
            let text = try await client.text { $0.components(separatedBy: "\ndata: ").count > 3 }
            #expect(text.contains("id: 0\n") && !text.contains("id: 1\n"))
        }
    }

    @Test func deadLettersAreGroupedAndReplayedByTokenOnly() async throws {
        let letters = Letters()
        let order = "{\"letters\":[\"inventory.orders.dlt/0/1\"]}"
        func replay(_ port: UInt16, _ token: String?, _ body: String = order) async throws -> RawResponse {
            try await RawClient.ask(
                port, "POST /api/dead-letters/replay", body: body,
                headers: ["Content-Type: application/json"] + (token.map { ["Authorization: Bearer \($0)"] } ?? []))
        }
        try await with(ShopStore(), { $0.deadLetters = letters }) { port in
            let groups = try await RawClient.ask(port, "GET /api/dead-letters").json["groups"] as? [[String: Any]]
            #expect(groups?.count == 1)
            #expect(groups?.first?["count"] as? Int == 3)
            #expect(groups?.first?["waiting"] as? Int == 3)
            let letter = try await RawClient.ask(port, "GET /api/dead-letters/inventory.orders.dlt/0/1").json
            #expect(letter["command"] as? String == "troupe dlt show inventory.orders.dlt/0/1")
            #expect(try await RawClient.ask(port, "GET /api/dead-letters/inventory.orders.dlt/0/9").status == 404)
            // Without tokens there is no such route.
            #expect(try await replay(port, "anything").status == 404)
        }
        try await with(
            ShopStore(),
            {
                $0.deadLetters = letters
                $0.replayTokens = BearerTokens("right")
            }
        ) { port in
            let nobody = try await replay(port, nil)
            #expect(nobody.status == 401)
            #expect(try await replay(port, "wrong").status == 401)
            #expect(try await replay(port, "right", "{}").status == 400)
            #expect(letters.replayed == [])
            #expect(try await replay(port, "right").json["sent"] as? Int == 1)
            #expect(try await replay(port, "right").json["skipped"] as? Int == 1)
            #expect(letters.replayed == ["inventory.orders.dlt/0/1"])
        }
        try await with(
            ShopStore(),
            {
                $0.deadLetters = letters
                $0.maskedFields = ["email"]
            }
        ) { port in
            let letter = try await RawClient.ask(port, "GET /api/dead-letters/inventory.orders.dlt/0/1")
            #expect(letter.status == 200)
            #expect(!letter.text.contains("ada@example.org"))
            #expect(letter.text.contains("retries-exhausted"))
        }
        try await with(ShopStore()) { port in
            let none = try await RawClient.ask(port, "GET /api/dead-letters")
            #expect(none.status == 404)
        }
    }

    @Test func pageCanBeMountedBeneathAPath() async throws {
        try await with(.filled(), prefix: "/troupe") { port in
            #expect(try await RawClient.ask(port, "GET /troupe/").status == 200)
            #expect(try await RawClient.ask(port, "GET /troupe/dashboard.js").status == 200)
            #expect(try await flowsCount(port) == 22)
            let bare = try await RawClient.ask(port, "GET /troupe")
            #expect(bare.status == 308)
            #expect(bare.headers["Location"] == "/troupe/")
            #expect(try await RawClient.ask(port, "GET /").status == 404)
        }
    }

    private func flowsCount(_ port: UInt16) async throws -> Int {
        (try await RawClient.ask(port, "GET /troupe/api/flows").json["flows"] as? [Any])?.count ?? 0
    }
}
