// Wakes a mock cluster that has not noticed a command.

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Sees to it that commands to mock clusters are carried out at once.
///
/// A mock cluster's thread serves its commands first and empties its wake-up pipe after (`rd_kafka_mock_cluster_io_poll`,
/// librdkafka 2.0.2). A command that comes in between, which is what follows on an answered one on a busy machine, loses
/// its wake-up and waits for the thread's next turn, up to a second; the caller's thread waits with it. Any connection
/// gives the thread a turn, so one thread, which is there while there are commands, connects on behalf of those that wait.
final class CommandWatch: Sendable {
    static let shared = CommandWatch()

    /// How long a command waits before it is helped, in milliseconds; and between two looks.
    private static let turn: Int32 = 4
    /// After how many turns without a command the thread ends.
    private static let idleTurns = 50

    private struct Command {
        var ports: [UInt16]
        var turns = 0
    }

    private struct State {
        var commands: [Int: Command] = [:]
        var next = 0
        var isWatching = false
        var idleTurns = 0
    }

    private let state = Mutex(State())
    /// Whether its thread is there.
    var isWatching: Bool { state.withLock { $0.isWatching } }

    /// Carries out a command, which blocks, of the cluster that listens on these ports of 127.0.0.1.
    func carryOut<Value>(on ports: [UInt16], _ command: () -> Value) -> Value {
        let (id, starts) = state.withLock { state in
            state.next += 1
            state.commands[state.next] = Command(ports: ports)
            defer { state.isWatching = true }
            return (state.next, !state.isWatching)
        }
        defer { state.withLock { $0.commands[id] = nil } }
        // Without the thread a command is slow, not wrong.
        if starts, (try? startThread(named: "mock-watch") { self.watch() }) == nil {
            state.withLock { $0.isWatching = false }
        }
        return command()
    }

    private func watch() {
        while true {
            poll(nil, 0, Self.turn)
            let ports = state.withLock { state -> [UInt16]? in
                state.idleTurns = state.commands.isEmpty ? state.idleTurns + 1 : 0
                if state.idleTurns > Self.idleTurns {
                    state.isWatching = false
                    state.idleTurns = 0
                    return nil
                }
                var waiting: [UInt16] = []
                for id in Array(state.commands.keys) {
                    state.commands[id]?.turns += 1
                    if let command = state.commands[id], command.turns > 1 { waiting += command.ports }
                }
                return waiting
            }
            guard let ports else { return }
            for port in ports { Self.connect(to: port) }
        }
    }

    /// Connects to a port of 127.0.0.1, and hangs up.
    private static func connect(to port: UInt16) {
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #if canImport(Glibc)
                    _ = Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                #elseif canImport(Musl)
                    _ = Musl.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                #else
                    _ = Darwin.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                #endif
            }
        }
    }
}
