// A browser before the page over a shop's store.

#if os(Linux)
    import Testing
    import TroupeWeb

    extension Browser {
        /// Runs `body` with a browser and the address of a page over the shop's store.
        static func visit(
            _ shop: ShopStore, letters: Letters? = nil, _ change: (inout Dashboard) -> Void = { _ in },
            _ body: (Browser, String) async throws -> Void
        ) async throws {
            var dashboard = Dashboard(shop.store)
            dashboard.deadLetters = letters
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

        /// Sees that the page threw nothing, was refused nothing, and asked for nothing but what is its own.
        func expectPeace(at address: String, _ location: SourceLocation = #_sourceLocation) {
            #expect(troubles == [], sourceLocation: location)
            let strange = requests.filter {
                !$0.hasPrefix(address) && !$0.hasPrefix("data:image/svg+xml,") && $0 != "about:blank"
            }
            #expect(strange == [], sourceLocation: location)
            #expect(requests.contains(address + "dashboard.js"), sourceLocation: location)
        }
    }
#endif
