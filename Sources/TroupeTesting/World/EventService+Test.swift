// The entry: `service.test(.simulated) { world in ... }`.

import Foundation
public import Troupe

extension EventService {
    /// Tests the service in a world of its own: gives it events and looks at exactly what it made of them.
    ///
    /// ```swift
    /// try await service.test(.simulated) { world in
    ///     try await world.give(OrderPlaced(orderID: "42", lines: lines))
    ///     let reserved = try await world.published(StockReserved.self)
    ///     #expect(reserved.count == 1)
    /// }
    /// ```
    ///
    /// The same closure runs in every environment. The service's routes and configuration are used as they are, but for
    /// the namespace, how Kafka is reached, and the logger where none is set, which is silent.
    ///
    /// - Parameters:
    ///   - environment: Where the service runs.
    ///   - body: The test.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; `StartupError` when the service cannot start.
    public nonisolated(nonsending) func test<Result>(
        _ environment: TestEnvironment, _ body: nonisolated(nonsending) (TestWorld) async throws -> Result
    ) async throws -> Result {
        try await [self].test(environment, body)
    }
}

extension Collection where Element == EventService {
    /// Tests services together in one world: what one publishes, the others handle.
    ///
    /// ```swift
    /// try await [inventory, payments].test(.simulated) { world in
    ///     try await world.give(OrderPlaced(orderID: "42", lines: lines))
    ///     #expect(try await world.published(PaymentTaken.self).count == 1)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - environment: Where the services run.
    ///   - body: The test.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; `StartupError` when a service cannot start.
    public nonisolated(nonsending) func test<Result>(
        _ environment: TestEnvironment, _ body: nonisolated(nonsending) (TestWorld) async throws -> Result
    ) async throws -> Result {
        let world = try await TestWorld.open(environment, services: Array(self))
        do {
            let result = try await body(world)
            try await world.close(atOnce: false)
            return result
        } catch {
            // The body's error is the one to tell; a service that failed has already made the body throw.
            try? await world.close(atOnce: true)
            if case .simulated(let seed, _) = environment.kind {
                FileHandle.standardError.write(
                    Data("The simulation ran with seed \(seed): TROUPE_TEST_SEED=\(seed) repeats it.\n".utf8))
            }
            throw error
        }
    }
}
