// A headless Chromium, driven by the DevTools protocol through two pipes.

#if os(Linux)
    import Foundation
    import Synchronization
    import Testing

    /// Something the browser did not do.
    struct BrowserError: Error, CustomStringConvertible {
        let description: String
    }

    /// One page of a headless Chromium.
    ///
    /// Calls block, so they are made on a queue of the browser's own. It notes every request, exception and dialog.
    final class Browser: Sendable {
        /// The program; `nil` where there is none.
        static let program: String? = {
            let named = ProcessInfo.processInfo.environment["CHROMIUM"].map { [$0] } ?? []
            return (named + ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"])
                .first { FileManager.default.isExecutableFile(atPath: $0) }
        }()

        private struct Log {
            var requests: [String] = []
            var troubles: [String] = []
        }

        private let process: pid_t
        private let input: Int32
        private let output: Int32
        private let profile: String
        private let queue = DispatchQueue(label: "browser")
        private let log = Mutex(Log())
        // All of these belong to the queue.
        private let state = Mutex(State())

        private struct State {
            var received: [UInt8] = []
            var number = 0
            var session: String?
        }

        /// The addresses that were asked for, in order.
        var requests: [String] { log.withLock { $0.requests } }
        /// Exceptions, dialogs, and what the browser refused or complained of.
        var troubles: [String] { log.withLock { $0.troubles } }

        private init() throws {
            guard let program = Self.program else { throw BrowserError(description: "there is no Chromium") }
            profile = NSTemporaryDirectory() + "troupe-browser-\(UInt64.random(in: 0 ... .max))"
            var toBrowser: [Int32] = [0, 0]
            var fromBrowser: [Int32] = [0, 0]
            guard pipe(&toBrowser) == 0, pipe(&fromBrowser) == 0 else { throw BrowserError(description: "no pipe") }
            for end in toBrowser + fromBrowser { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            // Chromium reads commands from descriptor 3 and answers on 4. The ends may be these very numbers, so they go
            // over numbers above both: a process with many files open has any fixed ones in use.
            let spare = max(toBrowser[0], fromBrowser[1], 4) + 1
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, toBrowser[0], spare)
            posix_spawn_file_actions_adddup2(&actions, fromBrowser[1], spare + 1)
            posix_spawn_file_actions_adddup2(&actions, spare, 3)
            posix_spawn_file_actions_adddup2(&actions, spare + 1, 4)
            posix_spawn_file_actions_addclose(&actions, spare)
            posix_spawn_file_actions_addclose(&actions, spare + 1)
            posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            // A group of its own, so that its helpers end with it.
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
            let words = [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--remote-debugging-pipe", "--hide-scrollbars", "--disable-background-networking", "--disable-sync",
                "--disable-component-update", "--user-data-dir=\(profile)", "about:blank",
            ]
            var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            var pid: pid_t = 0
            let status = posix_spawn(&pid, program, &actions, &attributes, &arguments, environ)
            close(toBrowser[0])
            close(fromBrowser[1])
            process = pid
            input = toBrowser[1]
            output = fromBrowser[0]
            guard status == 0 else { throw BrowserError(description: "Chromium did not start: \(status)") }
        }

        deinit {
            kill(-process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
            close(input)
            close(output)
            try? FileManager.default.removeItem(atPath: profile)
        }

        /// Starts a browser with one empty page.
        static func launch() async throws -> Browser {
            let browser = try Browser()
            let target = try await browser.call("Target.createTarget", ["url": "about:blank"], inSession: false)
            let session = try await browser.call(
                "Target.attachToTarget", ["targetId": target["targetId"] ?? "", "flatten": true], inSession: false)
            let id = session["sessionId"] as? String
            browser.state.withLock { $0.session = id }
            for domain in ["Page", "Runtime", "Network", "Log"] { _ = try await browser.call("\(domain).enable", [:]) }
            return browser
        }

        /// Sets the window's size in pixels, and whether pages are to be dark.
        func resize(_ width: Int, _ height: Int, dark: Bool = false) async throws {
            _ = try await call(
                "Emulation.setDeviceMetricsOverride",
                ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600])
            _ = try await call(
                "Emulation.setEmulatedMedia",
                [
                    "features": [
                        ["name": "prefers-color-scheme", "value": dark ? "dark" : "light"],
                        ["name": "prefers-reduced-motion", "value": "reduce"],
                    ]
                ])
        }

        /// Opens an address, and waits until the page says that it is ready.
        func open(_ address: String) async throws {
            // Another fragment of a page that is open would not load it again.
            _ = try await call("Page.navigate", ["url": "about:blank"])
            _ = try await call("Page.navigate", ["url": address])
            try await wait("document.querySelector('main')?.dataset.state === 'ready'")
        }

        /// What an expression says, as text.
        func text(_ expression: String) async throws -> String {
            let answer = try await call(
                "Runtime.evaluate",
                [
                    "expression": "Promise.resolve(\(expression)).then(String)", "returnByValue": true,
                    "awaitPromise": true,
                ])
            guard let result = answer["result"] as? [String: Any], answer["exceptionDetails"] == nil,
                let value = result["value"] as? String
            else { throw BrowserError(description: "\(expression): \(answer)") }
            return value
        }

        /// Waits until an expression is true.
        func wait(_ expression: String, within seconds: Double = 120) async throws {
            do {
                try await eventually(within: seconds) {
                    // While a page is being replaced there is nothing to ask.
                    (try? await text("Boolean(\(expression))")) == "true"
                }
            } catch is TimedOut {
                let page = (try? await text("document.body.innerText.slice(0, 2000)")) ?? ""
                throw BrowserError(description: "never true: \(expression)\n\(page)\n\(troubles)")
            }
        }

        /// Runs a statement in the page.
        func run(_ statement: String) async throws { _ = try await text("(() => { \(statement) })()") }

        /// Whether an expression is true.
        func isTrue(_ expression: String) async throws -> Bool { try await text("Boolean(\(expression))") == "true" }

        /// How many elements fit a selector.
        func count(_ selector: String) async throws -> Int {
            Int(try await text("document.querySelectorAll(`\(selector)`).length")) ?? -1
        }

        /// What the first element that fits a selector shows.
        func shown(_ selector: String) async throws -> String {
            try await text("document.querySelector(`\(selector)`)?.innerText")
        }

        /// Waits until the first element that fits a selector shows a text, among others.
        func wait(for selector: String, toShow text: String) async throws {
            try await wait("document.querySelector(`\(selector)`)?.innerText.includes(`\(text)`)")
        }

        /// Clicks on the first element that fits a selector.
        func click(_ selector: String) async throws { try await run("document.querySelector(`\(selector)`).click()") }

        /// The visible part of the page as a PNG.
        func screenshot() async throws -> [UInt8] {
            let answer = try await call("Page.captureScreenshot", ["format": "png"])
            return (answer["data"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? []
        }

        /// Types a key.
        func press(_ key: String) async throws {
            for type in ["keyDown", "keyUp"] {
                var parameters: [String: any Sendable] = ["type": type, "key": key]
                if key.count == 1, type == "keyDown" { parameters["text"] = key }
                if key == "Enter" {
                    parameters["windowsVirtualKeyCode"] = 13
                    if type == "keyDown" { parameters["text"] = "\r" }
                }
                _ = try await call("Input.dispatchKeyEvent", parameters)
            }
        }

        // MARK: The protocol

        private func call(
            _ method: String, _ parameters: [String: any Sendable], inSession: Bool = true
        ) async throws -> [String: any Sendable] {
            try await withCheckedThrowingContinuation { continuation in
                queue.async {
                    continuation.resume(
                        with: Result { try self.callBlocking(method, parameters, inSession) })
                }
            }
        }

        private func callBlocking(
            _ method: String, _ parameters: [String: any Sendable], _ inSession: Bool
        ) throws -> [String: any Sendable] {
            let (number, session) = state.withLock { state in
                state.number += 1
                return (state.number, state.session)
            }
            var message: [String: Any] = ["id": number, "method": method, "params": parameters]
            if inSession, let session { message["sessionId"] = session }
            var bytes = Array(try JSONSerialization.data(withJSONObject: message)) + [0]
            while !bytes.isEmpty {
                let count = write(input, bytes, bytes.count)
                guard count > 0 else { throw BrowserError(description: "Chromium takes no commands") }
                bytes.removeFirst(count)
            }
            let deadline = Date() + 60
            while true {
                let message = try receive(deadline)
                guard message["id"] as? Int == number else {
                    note(message)
                    continue
                }
                if let error = message["error"] { throw BrowserError(description: "\(method): \(error)") }
                return message["result"] as? [String: any Sendable] ?? [:]
            }
        }

        private func receive(_ deadline: Date) throws -> [String: any Sendable] {
            while true {
                let message = state.withLock { state -> [UInt8]? in
                    guard let end = state.received.firstIndex(of: 0) else { return nil }
                    defer { state.received.removeFirst(end + 1) }
                    return Array(state.received[..<end])
                }
                if let message {
                    return try JSONSerialization.jsonObject(with: Data(message)) as? [String: any Sendable] ?? [:]
                }
                var descriptor = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
                guard poll(&descriptor, 1, Int32(max(0, deadline.timeIntervalSinceNow * 1_000))) > 0 else {
                    throw BrowserError(description: "Chromium does not answer")
                }
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                let count = read(output, &buffer, buffer.count)
                guard count > 0 else { throw BrowserError(description: "Chromium has ended") }
                state.withLock { $0.received += buffer[..<count] }
            }
        }

        private func note(_ message: [String: any Sendable]) {
            let parameters = message["params"] as? [String: Any] ?? [:]
            switch message["method"] as? String {
            case "Network.requestWillBeSent":
                let address = (parameters["request"] as? [String: Any])?["url"] as? String ?? ""
                log.withLock { $0.requests.append(address) }
            // That a request was answered 404 or 401 is no trouble of the page's.
            case "Log.entryAdded" where (parameters["entry"] as? [String: Any])?["source"] as? String == "network":
                break
            case "Runtime.exceptionThrown", "Page.javascriptDialogOpening", "Log.entryAdded":
                log.withLock { $0.troubles.append("\(message["method"] ?? ""): \(parameters)") }
            default: break
            }
        }
    }
#endif
