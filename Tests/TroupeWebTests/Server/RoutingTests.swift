// Which handler answers which request, and what is made of its target.

import KafkaClient
import Testing

@testable import TroupeWeb

@Suite struct RoutingTests {
    private func router(_ routes: (HTTPMethod, String)...) -> HTTPRouter {
        var router = HTTPRouter()
        for (method, path) in routes { router.on(method, path) { _ in .text(path) } }
        return router
    }

    private func found(_ match: HTTPRouter.Match) -> String {
        switch match {
        case .route(let route, let parameters):
            ([route.pattern.text] + parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
                .joined(separator: " ")
        case .otherMethods(let methods): "only " + methods.map(\.rawValue).joined(separator: ",")
        case .nothing: "nothing"
        case .malformed: "malformed"
        }
    }

    @Test func parametersAreDecoded() {
        let router = router((.get, "/flows/{id}/events"), (.get, "/flows/{id}"))
        #expect(found(router.match(.get, "/flows/a%2Fb%20c")) == "/flows/{id} id=a/b c")
        #expect(found(router.match(.get, "/flows/7/events")) == "/flows/{id}/events id=7")
        #expect(found(router.match(.get, "/flows/")) == "nothing")
        #expect(found(router.match(.get, "/flows")) == "nothing")
        #expect(found(router.match(.get, "/flows/7/")) == "nothing")
        #expect(found(router.match(.get, "/flows/%zz")) == "malformed")
        #expect(found(router.match(.get, "/flows/%ff")) == "malformed")
        #expect(found(router.match(.get, "/flows/%00")) == "malformed")
        #expect(found(router.match(.get, "/flows/%2")) == "malformed")
    }

    @Test func literalsGoBeforeParameters() {
        for router in [
            router((.get, "/flows/{id}"), (.get, "/flows/stuck")),
            router((.get, "/flows/stuck"), (.get, "/flows/{id}")),
        ] {
            #expect(found(router.match(.get, "/flows/stuck")) == "/flows/stuck")
            #expect(found(router.match(.get, "/flows/1")) == "/flows/{id} id=1")
        }
    }

    @Test func otherMethodsAreNamed() {
        let router = router((.get, "/a"), (.put, "/a"), (.post, "/b"))
        #expect(found(router.match(.post, "/a")) == "only GET,HEAD,OPTIONS,PUT")
        #expect(found(router.match(.get, "/b")) == "only OPTIONS,POST")
    }

    @Test func laterRouteReplacesEarlier() {
        var router = HTTPRouter()
        router.get("/a") { _ in .text("1") }
        router.get("/a") { _ in .text("2") }
        #expect(router.routes.count == 1)
    }

    @Test func mountedRoutesKeepTheirTokens() {
        var inner = HTTPRouter(requiring: BearerTokens("secret"))
        inner.get("/") { _ in .text("") }
        var outer = HTTPRouter()
        outer.mount(inner, at: "/dashboard")
        #expect(found(outer.match(.get, "/dashboard/")) == "/dashboard/")
        #expect(outer.routes[0].tokens != nil)
    }

    @Test func targetsAreTakenApart() {
        #expect(RequestTarget("/a?b=c?d")?.path == "/a")
        #expect(RequestTarget("/a?b=c?d")?.query == "b=c?d")
        #expect(RequestTarget("http://host:1/a?b")?.path == "/a")
        #expect(RequestTarget("HTTP://host")?.path == "/")
        #expect(RequestTarget("*") == nil)
        #expect(RequestTarget("") == nil)
    }

    @Test func queriesAreDecoded() throws {
        let query = try #require(HTTPQuery("a=1&b=two+words&a=%26&c"))
        #expect(query["a"] == "1")
        #expect(query.values(of: "a") == ["1", "&"])
        #expect(query["b"] == "two words")
        #expect(query["c"] == "")
        #expect(query["d"] == nil)
        #expect(HTTPQuery("a=%") == nil)
        #expect(HTTPQuery("a=%c3%28") == nil)
    }
}
