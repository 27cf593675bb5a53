// A mock cluster that sleeps through a command is woken.

import Foundation
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(2))) struct CommandWatchTests {
    /// A cluster that takes notice of its command only when somebody connects.
    private final class Sleeper: Sendable {
        let listener: Int32
        let port: UInt16

        init() throws {
            #if canImport(Glibc)
                let kind = Int32(SOCK_STREAM.rawValue)
            #else
                let kind = SOCK_STREAM
            #endif
            listener = socket(AF_INET, kind, 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let listener = listener
            let isListening = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, size) == 0 && getsockname(listener, $0, &size) == 0
                }
            }
            port = UInt16(bigEndian: address.sin_port)
            // Nobody who connects is a failure, not a thread that waits for ever.
            var limit = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            try #require(isListening && listen(listener, 8) == 0)
        }

        deinit { close(listener) }

        /// Blocks until somebody connects, and tells whether somebody did.
        func sleepUntilConnected() -> Bool {
            let connection = accept(listener, nil, nil)
            if connection >= 0 { close(connection) }
            return connection >= 0
        }
    }

    @Test func aCommandThatIsNotNoticedWakesItsCluster() async throws {
        let sleepers = [try Sleeper(), try Sleeper()]
        let watch = CommandWatch()
        let woken = try await withThrowingTaskGroup(of: Bool.self) { group in
            for sleeper in sleepers {
                group.addTask {
                    try await runBlocking(named: "command") {
                        watch.carryOut(on: [sleeper.port]) { sleeper.sleepUntilConnected() }
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(woken == [true, true])
        // Its thread ends when it has nothing to watch, and is there again for a later command.
        try await eventually { !watch.isWatching }
        let later = try Sleeper()
        let isWoken = try await runBlocking(named: "command") {
            watch.carryOut(on: [later.port]) { later.sleepUntilConnected() }
        }
        #expect(isWoken)
        try await eventually { !watch.isWatching }
    }
}
