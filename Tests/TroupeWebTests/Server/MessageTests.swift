// The pure parts of requests and responses: framing, problems, event streams, tags, tokens, rates, hosts.

import Foundation
import KafkaClient
import Testing

@testable import TroupeWeb

@Suite struct MessageTests {
    @Test(arguments: [
        (["Content-Length: 5"], RequestFraming.length(5)), (["Content-Length: 0"], .none), ([], .none),
        (["Transfer-Encoding: Chunked"], .chunked),
    ])
    func bodyLengthIsRead(_ lines: [String], _ framing: RequestFraming) throws {
        #expect(try RequestFraming(headers(lines)) == framing)
    }

    @Test(arguments: [
        ["Content-Length: 5", "Content-Length: 5"], ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Content-Length: +5"], ["Content-Length: 99999999999999999999"], ["Content-Length: "],
    ])
    func ambiguousLengthIsRefused(_ lines: [String]) {
        #expect { try RequestFraming(headers(lines)) } throws: { ($0 as? HTTPProblem)?.status == .badRequest }
    }

    private func headers(_ lines: [String]) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for line in lines {
            let parts = line.components(separatedBy: ": ")
            headers.append(parts[0], parts[1])
        }
        return headers
    }

    @Test func namesOfFieldsAreEqualInAnyCase() {
        var headers: HTTPHeaders = ["Content-Type": "a"]
        headers["content-type"] = "b"
        #expect(headers.fields.count == 1)
        #expect(headers["CONTENT-TYPE"] == "b")
        #expect(!HTTPHeaders.Field(name: "A b", value: "").isSendable)
        #expect(!HTTPHeaders.Field(name: "A", value: "x\r\nSet-Cookie: y").isSendable)
        #expect(HTTPHeaders.Field(name: "A-b", value: "grün").isSendable)
    }

    @Test func problemIsAJSONObject() throws {
        let problem = HTTPProblem(
            .badRequest, "A \"quote\", a \\ and\na tab\t", members: ["path": "lines[1].sku"],
            headers: ["Retry-After": "3"])
        guard case .bytes(let bytes) = problem.response.body else { throw TimedOut() }
        let json = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(json["type"] as? String == "about:blank")
        #expect(json["title"] as? String == "Bad Request")
        #expect(json["status"] as? Int == 400)
        #expect(json["detail"] as? String == "A \"quote\", a \\ and\na tab\t")
        #expect(json["path"] as? String == "lines[1].sku")
        #expect(problem.response.headers["content-type"] == "application/problem+json")
        #expect(problem.response.headers["retry-after"] == "3")
    }

    @Test func eventsAreFramed() {
        func text(_ event: ServerSentEvent) -> String { String(decoding: event.framed, as: UTF8.self) }
        #expect(text(ServerSentEvent("x")) == "data: x\n\n")
        #expect(text(ServerSentEvent("")) == "data: \n\n")
        #expect(text(ServerSentEvent("a\nb\r\nc\rd\n")) == "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n")
        #expect(
            text(ServerSentEvent("x", event: "end\ndata: y", id: "1\r2\0", retry: 500))
                == "retry: 500\nid: 12\nevent: enddata: y\ndata: x\n\n")
    }

    @Test func assetIsSentOnce() {
        let asset = StaticAsset("body { }", contentType: "text/css", headers: .page())
        let first = asset.response(to: HTTPRequest(.get, "/a.css"))
        #expect(first.status == .ok)
        #expect(first.headers["Content-Security-Policy"]?.contains("default-src 'none'") == true)
        guard let tag = first.headers["ETag"] else { return #expect(Bool(false), "no tag") }
        for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
            let again = asset.response(to: HTTPRequest(.get, "/a.css", headers: ["If-None-Match": known]))
            #expect(again.status == .notModified)
            guard case .bytes(let bytes) = again.body else { return #expect(Bool(false), "a stream") }
            #expect(bytes.isEmpty)
        }
        #expect(asset.response(to: HTTPRequest(.get, "/", headers: ["If-None-Match": "\"x\""])).status == .ok)
        #expect(EntityTag.of([1, 2]) != EntityTag.of([2, 1]))
    }

    @Test func tokensAreComparedWhole() {
        let tokens = BearerTokens(["first-token", "second", ""])
        #expect(tokens.admit(authorization: "Bearer first-token"))
        #expect(tokens.admit(authorization: "bearer second"))
        for refused in [
            "Bearer first-toke", "Bearer first-token2", "Bearer ", "Bearer", "Basic second", "second", "",
            "Bearer first-tokenfirst-token",
        ] { #expect(!tokens.admit(authorization: refused), "\(refused)") }
        #expect(!tokens.admit(authorization: nil))
        #expect(!BearerTokens([]).admit(authorization: "Bearer "))
        #expect(!"\(tokens) \(String(reflecting: tokens))".contains("second"))
        var dumped = ""
        dump(tokens, to: &dumped)
        #expect(!dumped.contains("second"))
    }

    @Test func aFullTableIsTidiedOnceASecond() {
        // A bucket is full again after 100 ms.
        var rates = ClientRates(RequestRate(perSecond: 10, burst: 1))
        for number in 0..<ClientRates.room { #expect(rates.take("\(number)", at: 0) == nil) }
        #expect(rates.take("new", at: 50) == 1)
        #expect(rates.take("new", at: 1_049) == 1)
        #expect(rates.take("new", at: 1_050) == nil)
        #expect(rates.take("newer", at: 1_050) == nil)
    }

    @Test func clientsHaveBucketsOfTheirOwn() {
        var rates = ClientRates(RequestRate(perSecond: 2, burst: 3))
        for _ in 0..<3 { #expect(rates.take("a", at: 0) == nil) }
        #expect(rates.take("a", at: 0) == 1)
        #expect(rates.take("b", at: 0) == nil)
        #expect(rates.take("a", at: 499) == 1)
        #expect(rates.take("a", at: 500) == nil)
        #expect(rates.take("a", at: 500) == 1)
        var slow = ClientRates(RequestRate(perSecond: 0.1, burst: 1))
        #expect(slow.take("a", at: 0) == nil)
        #expect(slow.take("a", at: 0) == 10)
        #expect(ClientRates.client(of: "2001:db8:1:2:3:4:5:6") == ClientRates.client(of: "2001:db8:1:2:9:9:9:9"))
        #expect(ClientRates.client(of: "2001:db8::1") == ClientRates.client(of: "2001:db8::a:b:c:2"))
        #expect(ClientRates.client(of: "2001:db8::1") == ClientRates.client(of: "2001:db8:0:0:9:9:9:9"))
        #expect(ClientRates.client(of: "2001:db8::1") != ClientRates.client(of: "2001:db8:0:1::1"))
        #expect(ClientRates.client(of: "::1") == "0:0:0:0")
        #expect(ClientRates.client(of: "fe80::") == "fe80:0:0:0")
        #expect(ClientRates.client(of: "::ffff:10.0.0.1") != ClientRates.client(of: "::ffff:10.0.0.2"))
        #expect(ClientRates.client(of: "10.0.0.1") == "10.0.0.1")
    }

    @Test func floodOfClientsTakesBoundedRoom() {
        var rates = ClientRates(RequestRate(perSecond: 1, burst: 1))
        for client in 0..<ClientRates.room { #expect(rates.take("\(client)", at: 0) == nil) }
        #expect(rates.take("new", at: 0) == 1)
        #expect(rates.take("new", at: 2000) == nil)
    }

    @Test func onlyThisMachinesNamesAreTaken() {
        var configuration = HTTPServerConfiguration()
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:80", nil] {
            #expect(configuration.admits(host: host), "\(host ?? "none")")
        }
        #expect(!configuration.admits(host: "evil.example"))
        configuration.allowedHosts = ["shop.example"]
        #expect(configuration.admits(host: "shop.example:443"))
        #expect(!configuration.admits(host: "evil.example"))
        configuration.allowedHosts = nil
        #expect(configuration.admits(host: "evil.example"))
        #expect(HTTPServerConfiguration(host: "0.0.0.0").admits(host: "shop.example"))
    }
}
