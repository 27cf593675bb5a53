// Hostile events in a real browser: nothing of them is ever more than text.

#if os(Linux)
    import Foundation
    import Testing
    import Troupe

    @Suite(.serialized, .needsBrowser, .timeLimit(.minutes(5)))
    struct DashboardBrowserTestsOfHostileEvents {
        private static let markup = "<script>window.pwned=1</script><img src=//evil.example/x onerror=window.pwned=2>"
        private static let flow = "\"><svg onload=window.pwned=3>"

        private static func escaped(_ text: String) -> String {
            text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        }

        /// A store with hostile text wherever text can come from outside.
        private static func shop() throws -> ShopStore {
            let shop = try ShopStore.filled()
            let bomb = String(repeating: "<b>", count: 400_000)
            shop.publish(
                "javascript:window.pwned=4", markup, by: "x\"onmouseover=\"window.pwned=5", flow: flow, at: shop.now,
                subject: markup + "evil\u{202e}gpj.exe\u{2066}",
                payload: "{\"a\":\"\(markup)\u{202e}\",\"b\":\"\(bomb)\"}", contentType: "text/html")
            shop.publish(
                "h2", "javascript:alert(1)", by: "inventory", flow: flow, at: shop.now + 1,
                cause: "javascript:window.pwned=4", subject: String(repeating: "W", count: 4_000), payload: markup)
            // Reports and heartbeats are JSON: they can hold controls too.
            try shop.report(
                "evil\u{0}\u{1b}[31m\u{202e}", "h2", "javascript:alert(1)", flow: flow, at: shop.now + 2, took: 10,
                .deadLettered, failure: TaskReport.Failure(type: markup, message: "\u{7}\(markup)"), instance: markup)
            let declaration = ServiceDeclaration(
                service: markup, version: markup, group: "g", delivery: markup, routes: [],
                starts: ["javascript:alert(1)"], events: [])
            let key = RegistryKey.declaration(service: markup, fingerprint: "v1").text
            _ = shop.append(
                "troupe.services", key: key, value: Array(try JSONEncoder().encode(declaration)), at: shop.now)
            try shop.beat(declaration, instance: "i", at: shop.now, endpoint: "javascript:window.pwned=6") {
                $0.trouble = markup
            }
            try shop.flush()
            return shop
        }

        @Test func nothingOfAnEventIsMoreThanText() async throws {
            let markup = Self.escaped(Self.markup)
            let views = [
                "flows", "flow/\(Self.escaped(Self.flow))", "flow/h2", "graph", "services", "letters",
                "letter/inventory.orders.dlt/0/1", "flows?text=\(markup)", markup, "flow/\(markup)",
            ]
            try await Browser.visit(try Self.shop(), letters: Letters(hostile: Self.markup)) { browser, address in
                for view in views {
                    try await browser.open(address + "#/" + view)
                    // Everything there is to click within the page.
                    try await browser.run(
                        """
                        for (const part of document.querySelectorAll('.node, g[tabindex], summary'))
                            part.dispatchEvent(new MouseEvent('click', { bubbles: true }));
                        """)
                    #expect(try await browser.text("window.pwned") == "undefined", "\(view)")
                    #expect(try await browser.count("main script, main img, main iframe, [onload], [onerror]") == 0)
                    let links =
                        "[...document.querySelectorAll('main a')].every((a) => a.getAttribute('href')[0] === '#')"
                    #expect(try await browser.isTrue(links), "\(view)")
                    // Nothing rules over the text beside it, nor pushes the page wider than the window.
                    let marks =
                        "/[\\u202a-\\u202e\\u2066-\\u2069\\u0000\\u001b\\u0007]/.test(document.body.textContent)"
                    #expect(try await browser.isTrue(marks) == false, "\(view)")
                    #expect(try await browser.isTrue("document.documentElement.scrollWidth <= innerWidth"), "\(view)")
                }
                browser.expectPeace(at: address)
            }
        }

        @Test func largePayloadIsShownByItsBeginning() async throws {
            try await Browser.visit(try Self.shop()) { browser, address in
                try await browser.open(address + "#/flow/\(Self.escaped(Self.flow))")
                #expect(try await browser.shown(".tree").contains("<script>window.pwned=1</script>"))
                try await browser.click(".tree .node")
                try await browser.wait(for: ".detail", toShow: "1.1 MiB")
                let payload = try await browser.shown("pre.payload")
                #expect(payload.contains("<script>window.pwned=1</script>"))
                #expect(payload.contains("\\u202e"))
                #expect((60_000...70_000).contains(payload.utf8.count))
                browser.expectPeace(at: address)
            }
        }

        @Test func policyHoldsEvenIfTheScriptWereWrong() async throws {
            try await Browser.visit(try Self.shop()) { browser, address in
                try await browser.open(address)
                // What a mistake in the page's script could do at worst is refused by the browser.
                let markup =
                    "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'made'; } catch { return 'refused'; } })()"
                #expect(try await browser.text(markup) == "refused")
                let request = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
                #expect(try await browser.text(request) == "refused")
                let inline = """
                    (() => { const s = document.createElement('style'); s.append('main{color:red}'); document.head.append(s);
                    return getComputedStyle(document.querySelector('main')).color; })()
                    """
                #expect(try await browser.text(inline) != "rgb(255, 0, 0)")
                #expect(browser.troubles.filter { $0.contains("Content Security Policy") }.count >= 2)
            }
        }
    }
#endif
