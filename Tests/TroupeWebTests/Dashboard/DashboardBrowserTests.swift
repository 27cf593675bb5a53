// The page in a real browser: what it shows, that it lives, and how one moves in it.

#if os(Linux)
    import Foundation
    import KafkaClient
    import Testing
    import Troupe
    import TroupeWeb

    extension Trait where Self == ConditionTrait {
        /// Skips where there is no browser.
        static var needsBrowser: Self {
            .enabled(
                if: Browser.program != nil, "needs Chromium: apt-get install chromium, or name another in CHROMIUM")
        }
    }

    @Suite(.serialized, .needsBrowser, .timeLimit(.minutes(5)))
    struct DashboardBrowserTests {
        private static let stuck = "01936a20-7c2e-7d40-9f1b-5a8e4c21d0f3"
        private static let retried = "01936a1b-7c2e-7d40-9f1b-5a8e4c21d0f3"

        @Test func listShowsWhatIsStuckFirst() async throws {
            try await Browser.visit(.filled()) { browser, address in
                try await browser.open(address)
                #expect(try await browser.count("main section:nth-of-type(2) li") == 22)
                #expect(try await browser.shown(".chip b") == "22")
                #expect(try await browser.shown(".chip.bad b") == "2")
                #expect(try await browser.shown(".row .pill") == "Stuck")
                try await browser.wait(for: "#live", toShow: "live")
                try await browser.open(address + "#/flows?status=stuck")
                #expect(try await browser.count("main ul.rows:not([hidden]) li") == 2)
                #expect(try await browser.count("main section[hidden]") == 1)
                browser.expectPeace(at: address)
            }
        }

        @Test func flowIsToldInASentenceATreeAndLanes() async throws {
            try await Browser.visit(.filled(), { $0.maskedFields = ["email"] }) { browser, address in
                try await browser.open(address + "#/flow/\(Self.stuck)")
                let verdict = try await browser.shown(".verdict")
                #expect(verdict.hasPrefix("STUCK "))
                #expect(
                    verdict.contains("shipping has not handled shop.payment.taken; its group has no members; lag 312"))
                #expect(try await browser.shown(".command code") == "troupe flow show \(Self.stuck)")
                // Three events and three steps, each in the tree and in the lanes; what is missing is drawn.
                #expect(try await browser.count(".tree .node") == 6)
                #expect(try await browser.count(".lanes g[tabindex]") == 6)
                #expect(try await browser.count(".lanes .owed.late") == 1)
                #expect(try await browser.count(".lanes .missing.late") == 1)
                #expect(try await browser.shown(".expected") == "missing: shop.parcel.dispatched")
                // What the verdict is about is chosen, in both.
                #expect(try await browser.count(".selected") == 2)
                #expect(try await browser.shown(".detail").contains("its group has no members"))
                // Choosing in one chooses in the other; the payload is shown, without what is masked.
                try await browser.click(".tree .node")
                try await browser.wait(for: "pre.payload", toShow: "Ada Example")
                let payload = try await browser.shown("pre.payload")
                #expect(payload.contains("\"email\": \"•••\""))
                #expect(!payload.contains("ada@"))
                #expect(payload.contains("\"price\": 12.50"))
                #expect(try await browser.count(".lanes .selected") == 1)
                // Attempts stand in the lane, with their waits.
                try await browser.open(address + "#/flow/\(Self.retried)")
                #expect(try await browser.count(".lanes .try.failed") == 2)
                #expect(try await browser.shown(".verdict").hasPrefix("COMPLETED in "))
                browser.expectPeace(at: address)
            }
        }

        @Test func graphServicesAndLettersRender() async throws {
            try await Browser.visit(.filled(), letters: Letters()) { browser, address in
                try await browser.open(address + "#/graph")
                // Five services, of which none both starts flows and handles events, and eight types.
                #expect(try await browser.count(".graph g[data-id]") == 13)
                #expect(try await browser.count(".graph g.undo") == 2)
                #expect(try await browser.count(".graph .failing text") == 2)
                try await browser.open(address + "#/services")
                #expect(try await browser.count(".service") == 5)
                // Who is dead comes first.
                #expect(try await browser.text("document.querySelector('.service').dataset.service") == "shipping")
                #expect(try await browser.shown("[data-service=shipping] .pill") == "silent")
                #expect(try await browser.shown("[data-service=payments]").contains("circuit breaker open"))
                try await browser.open(address + "#/letters")
                #expect(try await browser.count("ul.rows li") == 1)
                try await browser.click("a.row")
                try await browser.wait("document.querySelectorAll('.row.letter').length === 3")
                try await browser.click(".row.letter a")
                try await browser.wait(for: ".verdict", toShow: "inventory gave up after 4 attempts")
                browser.expectPeace(at: address)
            }
        }

        @Test func aPublisherIsNoDeadService() async throws {
            let shop = try ShopStore.filled()
            let declaration = ServiceDeclaration(
                service: "gateway", version: "", group: "", delivery: "", routes: [], starts: ["shop.asked"], events: []
            )
            _ = shop.append(
                "troupe.services", key: RegistryKey.declaration(service: "gateway", fingerprint: "v1").text,
                value: Array(try JSONEncoder().encode(declaration)), at: shop.now - 60_000)
            try shop.flush()
            try await Browser.visit(shop) { browser, address in
                try await browser.open(address + "#/services")
                #expect(try await browser.shown("[data-service=gateway] .pill") == "publisher")
                let card = try await browser.shown("[data-service=gateway]")
                #expect(card.contains("has no heartbeat") && card.contains("starts 1 type"))
                #expect(!card.contains("instance") && !card.contains("lag"))
                // Who is dead comes first, and it is not.
                #expect(try await browser.text("document.querySelector('.service').dataset.service") == "shipping")
                browser.expectPeace(at: address)
            }
        }

        @Test func whatAnOperatorPublishedIsToldAsSuch() async throws {
            let shop = try ShopStore.filled()
            shop.publish(
                "hand-1", ShopStore.placed, source: "/troupe/publish", flow: "by-hand", at: shop.now - 1_000)
            try shop.flush()
            try await Browser.visit(shop) { browser, address in
                try await browser.open(address + "#/flow/by-hand")
                let lanes =
                    "Array.from(document.querySelectorAll('.lanes text.lane > title'), (t) => t.textContent).join()"
                #expect(try await browser.text(lanes) == "an operator,inventory")
                try await browser.open(address + "#/graph")
                // Beside the five services and eight types; nothing that it should have declared.
                #expect(try await browser.count(".graph g[data-id]") == 14)
                let title =
                    "document.querySelector('.graph [data-from=\"service:/troupe/publish\"] > title').textContent"
                #expect(
                    try await browser.text(title)
                        == "an operator publishes shop.order.placed; published by hand; 1 of the flows counted")
                browser.expectPeace(at: address)
            }
        }

        @Test func flowsAppearAndChangeWhileOneLooks() async throws {
            let shop = try ShopStore.filled()
            try await Browser.visit(shop) { browser, address in
                try await browser.open(address)
                try await browser.wait(for: "#live", toShow: "live")
                #expect(try await browser.count("a[data-key='flow-live']") == 0)
                shop.publish(
                    "live-1", ShopStore.placed, by: "storefront", flow: "flow-live", at: shop.now,
                    subject: "order-live")
                try shop.flush()
                try await browser.wait(for: "a[data-key='flow-live'] .pill", toShow: "Running")
                try await browser.wait(for: ".chip b", toShow: "23")

                try await browser.open(address + "#/flow/flow-live")
                #expect(try await browser.count(".tree .node") == 2)
                try shop.report("inventory", "live-1", ShopStore.placed, flow: "flow-live", at: shop.now + 5, took: 900)
                shop.publish(
                    "live-2", ShopStore.cancelled, by: "inventory", flow: "flow-live", at: shop.now + 6, cause: "live-1"
                )
                try shop.report(
                    "notifications", "live-2", ShopStore.cancelled, flow: "flow-live", at: shop.now + 9, took: 100)
                try shop.flush()
                try await browser.wait(for: ".verdict", toShow: "FAILED in")
                #expect(try await browser.count(".tree .node") == 4)
                browser.expectPeace(at: address)
            }
        }

        @Test func flowThatWasNotReadYetIsShownOnceItIs() async throws {
            let shop = try ShopStore.filled()
            try await Browser.visit(shop) { browser, address in
                try await browser.open(address + "#/flow/flow-late")
                try await browser.wait(for: ".problem", toShow: "has no flow")
                shop.publish(
                    "late-1", ShopStore.placed, by: "storefront", flow: "flow-late", at: shop.now,
                    subject: "order-late")
                try shop.flush()
                try await browser.wait(for: "h1", toShow: "order-late")
                #expect(try await browser.count(".problem") == 0)
            }
        }

        @Test func whatIsNotKnownIsNotCalledUndone() async throws {
            let shop = try ShopStore.filled()
            let type = "shop.audit.asked"
            var declaration = ServiceDeclaration(
                service: "audit", version: "1", group: "audit", delivery: "at-least-once",
                routes: [
                    RouteDeclaration(
                        name: type, input: .event, type: type, acceptedTypes: [], topic: "orders", retryTopic: "r",
                        deadLetterTopic: "d", cardinality: .none, publishes: [], compensates: nil,
                        withinMilliseconds: 30_000, maxRetries: 0)
                ], starts: [], events: [])
            declaration.reportsAttempts = false
            _ = shop.append(
                "troupe.services", key: RegistryKey.declaration(service: "audit", fingerprint: "v1").text,
                value: Array(try JSONEncoder().encode(declaration)), at: shop.now)
            shop.publish("asked-1", type, by: "storefront", flow: "flow-audit", at: shop.now - 60_000)
            try shop.flush()
            try await Browser.visit(shop) { browser, address in
                try await browser.open(address + "#/flow/flow-audit")
                let step = try await browser.shown(".tree .step")
                #expect(step.contains("may have handled it") && !step.contains("has not handled it"))
            }
        }

        @Test func searchAndKeysFindTheirWay() async throws {
            try await Browser.visit(.filled()) { browser, address in
                try await browser.open(address)
                try await browser.press("/")
                #expect(try await browser.text("document.activeElement.id") == "search")
                for key in "order-00032" { try await browser.press(String(key)) }
                try await browser.wait("document.querySelectorAll('a.row').length === 1")
                #expect(try await browser.text("document.activeElement.id") == "search")
                try await browser.run("document.activeElement.blur()")
                try await browser.press("j")
                try await browser.press("Enter")
                try await browser.wait(for: "h1", toShow: "order-00032")
                try await browser.press("3")
                try await browser.wait(for: "nav a[aria-current]", toShow: "Services")
                browser.expectPeace(at: address)
            }
        }

        @Test func phonesShowEveryViewWithinTheirWidth() async throws {
            try await Browser.visit(.filled(), letters: Letters()) { browser, address in
                try await browser.resize(360, 740)
                for view in ["flows", "flow/\(Self.stuck)", "graph", "services", "letters"] {
                    try await browser.open(address + "#/" + view)
                    #expect(try await browser.text("document.documentElement.scrollWidth") == "360", "\(view)")
                    // No text smaller than can be read; the graph is a drawing.
                    let small = """
                        [...document.querySelectorAll('main *')].filter((e) => e.children.length === 0
                            && !e.closest('.graph') && parseFloat(getComputedStyle(e).fontSize) < 11).length
                        """
                    #expect(try await browser.text(small) == "0", "\(view)")
                }
                browser.expectPeace(at: address)
            }
        }

        @Test func lettersAreSentBackByWhoHasTheToken() async throws {
            let letters = Letters()
            try await Browser.visit(.filled(), letters: letters, { $0.replayTokens = BearerTokens("the-right-token") })
            {
                browser, address in
                try await browser.open(address + "#/letters?service=inventory")
                try await browser.click(".letter input")
                func send(_ token: String) async throws {
                    try await browser.run("document.querySelector('.replay .field').value = '\(token)'")
                    try await browser.click(".replay button")
                }
                try await send("the-wrong-token")
                try await browser.wait(for: ".replay", toShow: "not the right one")
                #expect(letters.replayed == [])
                try await send("the-right-token")
                try await browser.wait(for: ".replay", toShow: "Sent 1 letter back.")
                #expect(letters.replayed == ["inventory.orders.dlt/0/2"])
                try await browser.wait(for: ".letter .pill", toShow: "replayed")
            }
        }

        private static let directory = ProcessInfo.processInfo.environment["DASHBOARD_SCREENSHOTS"]

        /// Takes the pictures of the documentation, when asked to.
        @Test(.enabled(if: directory != nil, "DASHBOARD_SCREENSHOTS names no directory"))
        func pictures() async throws {
            try await Browser.visit(.filled(), letters: Letters()) { browser, address in
                for (name, view, width, height, dark) in [
                    ("flows", "flows", 1_280, 860, false), ("flow", "flow/\(Self.retried)", 1_280, 1_080, false),
                    ("stuck-dark", "flow/\(Self.stuck)", 1_280, 1_080, true),
                    ("graph-dark", "graph", 1_280, 980, true), ("services", "services", 1_280, 640, false),
                    ("letters", "letters?service=inventory", 1_280, 420, false),
                    ("flows-phone", "flows", 390, 844, false),
                    ("stuck-phone-dark", "flow/\(Self.stuck)", 390, 844, true),
                ] {
                    try await browser.resize(width, height, dark: dark)
                    try await browser.open(address + "#/" + view)
                    // The payload comes last.
                    try await browser.wait("!document.querySelector('.detail')?.innerText.includes('Loading')")
                    let picture = try await browser.screenshot()
                    #expect(picture.count > 10_000)
                    let path = "\(Self.directory ?? "")/dashboard-\(name).png"
                    try Data(picture).write(to: URL(filePath: path))
                }
            }
        }
    }
#endif
