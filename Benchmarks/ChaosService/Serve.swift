// A service of the chain: `a`, `b` or `c`.

import Foundation
import Troupe

/// Runs the service until SIGTERM, or until the process that started it has gone.
func serve(_ name: String, log path: String) async throws {
    ParentWatch.start()
    let log = try HandlerLog(path: path)
    var router = EventRouter(retry: Fate.policy)
    switch name {
    case "a": router.chain(First.self, to: Second.self, at: 0, log)
    case "b": router.chain(Second.self, to: Third.self, at: 1, log)
    case "c": router.chain(Third.self, to: Fourth.self, at: 2, log)
    default: throw UsageError("there is no service \(name): a, b or c")
    }
    var configuration = ServiceConfiguration()
    configuration.tracking = .off
    configuration.provisioning = .create
    configuration.inPlaceRetryLimit = Fate.inPlaceRetryLimit
    try await EventService("chaos-\(name)", router: router, configuration: configuration).runService()
}

extension EventRouter {
    /// A route that does as the event's plan says at the service number `index`, and passes the event on.
    fileprivate mutating func chain<Input: ChainEvent, Output: ChainEvent>(
        _ input: Input.Type, to output: Output.Type, at index: Int, _ log: HandlerLog
    ) {
        on(Input.self, publishes: .one(Output.self)) { event, context in
            let fate = try Fate(event.plan, index)
            try log.begins(event, context)
            do {
                try await Task.sleep(for: .milliseconds(workMilliseconds(event.sequence)))
            } catch {
                try log.ends(event, context, .cancelled)
                throw error
            }
            let outcome = fate.outcome(attempt: context.attempt)
            try log.ends(event, context, outcome)
            switch outcome {
            case .succeeded: return Output(name: event.name, sequence: event.sequence, plan: event.plan)
            case .failed, .cancelled: throw NotYet()
            case .dead:
                if case .refused = fate { throw Refused() }
                throw NotYet()
            }
        }
    }
}

/// How long a handler works: 10 to 73 ms, the same for an event in every run.
private func workMilliseconds(_ sequence: Int) -> Int { 10 + Int((UInt64(sequence) &* 0x9e37_79b9_7f4a_7c15) >> 58) }

/// Ends this process when the one that started it has gone, however that one ended.
enum ParentWatch {
    /// Ends the process, at once, when standard input is closed.
    static func start() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { _exit(70) }
            }
        }
    }
}
