// The page in a real browser: what it shows, that it lives, and that nothing of an event is ever more than text.

#if os(Linux)
    import Foundation
    import Testing
    import Troupe
    import TroupeFlow
    import TroupeWeb

    @Suite(
        .serialized, .timeLimit(.minutes(5)),
        .enabled(if: Browser.program != nil, "needs Chromium: apt-get install chromium, or name it in CHROMIUM"))
    struct DashboardBrowserTests {
        /// Runs `body` with a browser and the page's address.
        private func with(
            _ shop: ShopStore, _ change: (inout Dashboard) -> Void = { _ in },
            _ body: (Browser, String) async throws -> Void
        ) async throws {
            var dashboard = Dashboard(shop.store)
            change(&dashboard)
            let server = try HTTPServer(dashboard.router())
            let result: Result<Void, any Error>
            do {
                let browser = try await Browser.launch()
                try await browser.resize(1_280, 900)
                try await body(browser, "http://127.0.0.1:\(server.port)/")
                result = .success(())
            } catch { result = .failure(error) }
            await server.stop()
            try result.get()
        }

        private static func count(_ selector: String) -> String { "document.querySelectorAll(`\(selector)`).length" }
        private static func says(_ selector: String, _ text: String) -> String {
            "document.querySelector(`\(selector)`)?.innerText.includes(`\(text)`)"
        }

        @Test func everyViewRendersAndAsksNobodyElse() async throws {
            try await with(.filled(), { $0.deadLetters = Letters(); $0.maskedFields = ["email"] }) { browser, address in
                try await browser.open(address)
                #expect(try await browser.text(Self.count("#latest")) == "1")
                #expect(try await browser.text(Self.count("main section:nth-of-type(2) li")) == "22")
                #expect(try await browser.text("document.querySelector('.chip.bad b').innerText") == "2")
                // Stuck ones come first.
                #expect(try await browser.text("document.querySelector('.row .pill').innerText") == "Stuck")
                #expect(try await browser.text("document.getElementById('live').innerText") == "live")

                try await browser.open(address + "#/flows?status=stuck")
                #expect(try await browser.text(Self.count("main ul.rows:not([hidden]) li")) == "2")
                let flow = try await browser.text("document.querySelector('a.row').dataset.key")

                try await browser.open(address + "#/flow/\(flow)")
                try await browser.wait(Self.says(".verdict", "shipping has not handled shop.payment.taken"))
                try await browser.wait(Self.says(".verdict", "its group has no members; lag 312"))
                #expect(try await browser.text("document.querySelector('.command code').innerText") == "troupe flow show \(flow)")
                // Three events and three steps, each in the tree and in the lanes.
                #expect(try await browser.text(Self.count(".tree .node")) == "6")
                #expect(try await browser.text(Self.count(".lanes g[tabindex]")) == "6")
                #expect(try await browser.text(Self.count(".lanes .owed.late")) == "1")
                #expect(try await browser.text("document.querySelector('.expected').innerText") == "missing: shop.parcel.dispatched")
                // What the verdict is about is chosen, in both.
                #expect(try await browser.text(Self.count(".selected")) == "2")
                // Choosing in one chooses in the other; the payload is shown, without what is masked.
                _ = try await browser.text("document.querySelector('.tree .node').click()")
                try await browser.wait(Self.says("pre.payload", "Ada Example"))
                #expect(try await browser.text(Self.says("pre.payload", "\"email\": \"•••\"")) == "true")
                #expect(try await browser.text(Self.says("pre.payload", "ada@")) == "false")
                #expect(try await browser.text(Self.count(".lanes .selected")) == "1")

                try await browser.open(address + "#/graph")
                // Five services, of which the one that starts flows handles nothing, and eight types.
                #expect(try await browser.text(Self.count(".graph g[data-id]")) == "13")
                #expect(try await browser.text(Self.count(".graph g.undo")) == "2")
                try await browser.open(address + "#/services")
                #expect(try await browser.text(Self.count(".service")) == "5")
                #expect(try await browser.text("document.querySelector('.service').dataset.service") == "shipping")
                #expect(try await browser.text(Self.says("[data-service=payments]", "circuit breaker open")) == "true")
                try await browser.open(address + "#/letters")
                #expect(try await browser.text(Self.count("ul.rows li")) == "1")
                _ = try await browser.text("document.querySelector('a.row').click()")
                try await browser.wait("\(Self.count(".row.letter")) === 3")
                _ = try await browser.text("document.querySelector('.row.letter a').click()")
                try await browser.wait(Self.says("pre.payload", "No article"))

                #expect(browser.troubles == [])
                #expect(browser.requests.allSatisfy { $0.hasPrefix(address) || $0.hasPrefix("data:image/svg+xml,") || $0 == "about:blank" })
                #expect(browser.requests.contains(address + "dashboard.js"))
            }
        }

        @Test func flowsAppearAndChangeWhileOneLooks() async throws {
            let shop = try ShopStore.filled()
            try await with(shop) { browser, address in
                try await browser.open(address)
                try await browser.wait("document.getElementById('live').innerText === 'live'")
                #expect(try await browser.text(Self.count("[data-key='flow-live']")) == "0")
                shop.publish(
                    "live-1", ShopStore.placed, by: "storefront", flow: "flow-live", at: shop.now, subject: "order-live")
                try shop.flush()
                try await browser.wait(Self.says("a[data-key='flow-live'] .pill", "Running"))
                try await browser.wait("document.querySelector('.chip b').innerText === '23'")

                try await browser.open(address + "#/flow/flow-live")
                #expect(try await browser.text(Self.count(".tree .node")) == "2")
                try shop.report("inventory", "live-1", ShopStore.placed, flow: "flow-live", at: shop.now + 5, took: 900)
                shop.publish(
                    "live-2", ShopStore.cancelled, by: "inventory", flow: "flow-live", at: shop.now + 6, cause: "live-1")
                try shop.report("notifications", "live-2", ShopStore.cancelled, flow: "flow-live", at: shop.now + 9, took: 100)
                try shop.flush()
                try await browser.wait(Self.says(".verdict", "FAILED in"))
                #expect(try await browser.text(Self.count(".tree .node")) == "4")
                #expect(browser.troubles == [])
            }
        }

        @Test func hostileEventsStayText() async throws {
            let shop = try ShopStore.filled()
            let markup = "<script>window.pwned=1</script><img src=//evil.example/x onerror=window.pwned=2>"
            let flow = "\"><svg onload=window.pwned=3>"
            let reversed = "evil\u{202e}gpj.exe\u{2066}"
            shop.publish(
                "javascript:window.pwned=4", markup, by: "x\"onmouseover=\"window.pwned=5", flow: flow, at: shop.now,
                subject: markup + reversed, payload: "{\"a\":\"\(markup)\u{202e}\",\"b\":\"\(String(repeating: "<b>", count: 400_000))\"}",
                contentType: "text/html")
            shop.publish(
                "h2", "javascript:alert(1)", by: "inventory", flow: flow, at: shop.now + 1,
                cause: "javascript:window.pwned=4", subject: String(repeating: "W", count: 4_000), payload: markup)
            // Reports and heartbeats are JSON: they can hold controls too.
            try shop.report(
                "evil\u{0}\u{1b}[31m\u{202e}", "h2", "javascript:alert(1)", flow: flow, at: shop.now + 2, took: 10, .deadLettered,
                failure: TaskReport.Failure(type: markup, message: "\u{7}\(markup)"), instance: markup)
            let declaration = ServiceDeclaration(
                service: markup, version: markup, group: "g", delivery: markup, routes: [], starts: ["javascript:alert(1)"],
                events: [])
            _ = shop.append(
                "troupe.services", key: RegistryKey.declaration(service: markup, fingerprint: "v1").text,
                value: Array(try JSONEncoder().encode(declaration)), at: shop.now)
            try shop.beat(declaration, instance: "i", at: shop.now, endpoint: "javascript:window.pwned=6") {
                $0.trouble = markup
            }
            try shop.flush()
            let address = { (id: String) in
                id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            }
            try await with(shop, { $0.deadLetters = Letters(hostile: markup) }) { browser, root in
                for view in [
                    "#/flows", "#/flow/\(address(flow))", "#/flow/\(address("h2"))", "#/graph", "#/services", "#/letters",
                    "#/letter/inventory.orders.dlt/0/1", "#/flows?text=\(address(markup))", "#/\(address(markup))",
                    "#/flow/\(address(markup))",
                ] {
                    try await browser.open(root + view)
                    // Everything there is to click, except for what leads elsewhere.
                    _ = try await browser.text(
                        "document.querySelectorAll('.node, g[tabindex], summary').forEach((e) => e.dispatchEvent(new MouseEvent('click', {bubbles: true})))")
                    #expect(try await browser.text("window.pwned") == "undefined", "\(view)")
                    #expect(try await browser.text(Self.count("main script, main img, main iframe, main b > svg, svg[onload]")) == "0", "\(view)")
                    #expect(try await browser.text("[...document.querySelectorAll('main a')].every((a) => a.getAttribute('href').startsWith('#'))") == "true", "\(view)")
                    // Nothing may rule over the text beside it, nor push the page wider than the window.
                    #expect(try await browser.text("/[\\u202a-\\u202e\\u2066-\\u2069\\u0000\\u001b\\u0007]/.test(document.body.textContent)") == "false", "\(view)")
                    #expect(try await browser.text("document.documentElement.scrollWidth <= innerWidth") == "true", "\(view)")
                }
                try await browser.open(root + "#/flow/\(address(flow))")
                #expect(try await browser.text(Self.says(".tree", "<script>window.pwned=1</script>")) == "true")
                _ = try await browser.text("document.querySelector('.tree .node').click()")
                try await browser.wait(Self.says(".detail", "1.1 MiB"))
                #expect(try await browser.text(Self.says("pre.payload", "<script>window.pwned=1</script>")) == "true")
                #expect(browser.troubles == [])
                #expect(browser.requests.allSatisfy { $0.hasPrefix(root) || $0.hasPrefix("data:image/svg+xml,") || $0 == "about:blank" })
                #expect(browser.requests.count > 20)
            }
        }

        @Test func searchAndKeysFindTheirWay() async throws {
            try await with(.filled()) { browser, address in
                try await browser.open(address)
                try await browser.press("/")
                #expect(try await browser.text("document.activeElement.id") == "search")
                for key in "order-00032" { try await browser.press(String(key)) }
                try await browser.wait("location.hash.includes('order-00032') && document.querySelector('main').dataset.state === 'ready'")
                try await browser.wait("\(Self.count("a.row")) === 1")
                try await browser.press("Enter")
                _ = try await browser.text("document.activeElement.blur()")
                try await browser.press("j")
                try await browser.press("Enter")
                try await browser.wait("location.hash.startsWith('#/flow/') && document.querySelector('.verdict')")
                try await browser.press("3")
                try await browser.wait("document.querySelector('nav a[aria-current]').innerText === 'Services'")
                #expect(browser.troubles == [])
            }
        }

        @Test func phonesShowEveryViewWithinTheirWidth() async throws {
            try await with(.filled(), { $0.deadLetters = Letters() }) { browser, address in
                try await browser.resize(360, 740)
                let flow = "#/flow/01936a20-7c2e-7d40-9f1b-5a8e4c21d0f3"
                for view in ["#/flows", flow, "#/graph", "#/services", "#/letters"] {
                    try await browser.open(address + view)
                    #expect(try await browser.text("document.documentElement.scrollWidth") == "360", "\(view)")
                    // No text smaller than can be read, the graph's own aside.
                    #expect(try await browser.text("[...document.querySelectorAll('main *')].filter((e) => e.children.length === 0 && !e.closest('.graph') && parseFloat(getComputedStyle(e).fontSize) < 11).length") == "0", "\(view)")
                }
                #expect(browser.troubles == [])
            }
        }

        @Test func lettersAreSentBackByWhoHasTheToken() async throws {
            let letters = Letters()
            try await with(.filled(), { $0.deadLetters = letters; $0.replayTokens = BearerTokens("a-token-of-the-test") }) {
                browser, address in
                try await browser.open(address + "#/letters?service=inventory")
                let send = { (token: String) in
                    """
                    (() => { document.querySelector('.letter input').checked || document.querySelector('.letter input').click();
                    document.querySelector('.replay .field').value = '\(token)'; document.querySelector('.replay button').click(); })()
                    """
                }
                _ = try await browser.text(send("not-the-token"))
                try await browser.wait(Self.says(".replay", "not the right one"))
                #expect(letters.replayed == [])
                _ = try await browser.text(send("a-token-of-the-test"))
                try await browser.wait(Self.says(".replay", "Sent 1 letter back."))
                #expect(letters.replayed == ["inventory.orders.dlt/0/2"])
                try await browser.wait("document.querySelector('.letter .pill').innerText === 'replayed'")
            }
        }

        /// Writes the pictures of the documentation, when asked to.
        @Test(.enabled(if: ProcessInfo.processInfo.environment["DASHBOARD_SCREENSHOTS"] != nil, "DASHBOARD_SCREENSHOTS names no directory"))
        func pictures() async throws {
            let directory = ProcessInfo.processInfo.environment["DASHBOARD_SCREENSHOTS"] ?? ""
            try await with(.filled(), { $0.deadLetters = Letters() }) { browser, address in
                let retried = "#/flow/01936a1b-7c2e-7d40-9f1b-5a8e4c21d0f3", stuck = "#/flow/01936a20-7c2e-7d40-9f1b-5a8e4c21d0f3"
                for (name, view, width, height, dark) in [
                    ("dashboard-flows", "#/flows", 1_280, 860, false), ("dashboard-flow", retried, 1_280, 1_000, false),
                    ("dashboard-flow-dark", stuck, 1_280, 1_000, true), ("dashboard-graph-dark", "#/graph", 1_280, 900, true),
                    ("dashboard-services", "#/services", 1_280, 800, false), ("dashboard-flows-phone", "#/flows", 390, 844, false),
                    ("dashboard-flow-phone-dark", stuck, 390, 844, true), ("dashboard-letters", "#/letters", 1_280, 420, false),
                ] {
                    try await browser.resize(width, height, dark: dark)
                    try await browser.open(address + view)
                    // The payload comes last.
                    if view.hasPrefix("#/flow/") { try await browser.wait("!document.querySelector('.detail').innerText.includes('Loading')") }
                    let picture = try await browser.screenshot()
                    #expect(picture.count > 10_000)
                    try Data(picture).write(to: URL(filePath: "\(directory)/\(name).png"))
                }
            }
        }
    }
#endif
