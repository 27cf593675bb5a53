// The services of a world on a broker, each running in a task of its own.

import Synchronization
import Troupe

/// Services that run.
final class RunningServices: Sendable {
    private let services: [EventService]
    private let tasks: [Task<Void, Never>]
    private let failure: FirstFailure

    /// Starts the services.
    init(_ services: [EventService]) {
        self.services = services
        let failure = FirstFailure()
        self.failure = failure
        tasks = services.map { service in
            Task {
                do { try await service.run() } catch { failure.note(error) }
            }
        }
    }

    /// Waits until every service has joined its group.
    func awaitRunning(within environment: TestEnvironment) async throws {
        let deadline = ContinuousClock.now + environment.timeout
        while let late = services.first(where: { $0.status.phase != .running }) {
            try check()
            guard ContinuousClock.now < deadline else {
                throw TestTimedOut(
                    timeout: environment.timeout, environment: environment,
                    underWay: ["The service \(late.name) is joining its group"])
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Throws the error that ended a service, if any.
    func check() throws {
        if let error = failure.error { throw error }
    }

    /// Stops the services, in order or at once, and waits for their end.
    func stop(atOnce: Bool) async {
        for task in tasks { task.cancel() }
        if atOnce { for service in services { service.stopAtOnce() } }
        for task in tasks { await task.value }
    }

    /// The first error of several services.
    private final class FirstFailure: Sendable {
        private let state = Mutex<(any Error)?>(nil)

        var error: (any Error)? { state.withLock { $0 } }

        func note(_ error: any Error) {
            guard !(error is CancellationError) else { return }
            state.withLock { $0 = $0 ?? error }
        }
    }
}
