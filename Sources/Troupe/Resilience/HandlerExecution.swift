// Where a route's handlers run, and how many of them at once.

/// Where a route's handlers run, and how many of them at once in one instance of the service.
///
/// ```swift
/// router.on(OrderPlaced.self, execution: .inline(maxConcurrent: 8)) { order, _ in try await bank.charge(order) }
/// router.on(PhotoUploaded.self, execution: .offloaded(threads: 2)) { photo, _ in try resize(photo) }
/// ```
///
/// A bound on one route is a bulkhead: when its dependency is slow, its events wait in their lanes, in order, and the
/// handlers of other routes go on. Such a route may hold no more than its share of `EngineSettings.maxRecordsInFlight`
/// (see `docs/operations.md`, "Bounds"), so that its waiting events leave room for those of others.
public struct HandlerExecution: Sendable, Hashable {
    /// The threads the handlers run on; `nil` for the service's own.
    let threads: Int?
    /// The most handlers under way; `nil` for the service's bound alone.
    let maxConcurrent: Int?

    /// On the service's own thread: the handler may wait (`await`), and must not block or compute for long.
    public static let inline = HandlerExecution(threads: nil, maxConcurrent: nil)

    /// On the service's own thread, at most `maxConcurrent` of them under way, those that wait included.
    ///
    /// - Parameter maxConcurrent: The bound; below one it counts as one.
    public static func inline(maxConcurrent: Int) -> HandlerExecution {
        HandlerExecution(threads: nil, maxConcurrent: max(maxConcurrent, 1))
    }

    /// On threads that belong to the route alone: for handlers that block or compute.
    ///
    /// The service's thread goes on meanwhile: with other routes, rebalances and the stop. A handler that still blocks
    /// its thread after `drainTimeout` does not keep the service from stopping; its event is handled again by the next
    /// owner. Each event costs two hops between threads.
    ///
    /// - Parameters:
    ///   - threads: How many threads; below one it counts as one. They are named `troupe-` and the route's number, and
    ///     end with the service.
    ///   - maxConcurrent: The most handlers under way. More than threads is of use when handlers wait (`await`) between
    ///     their work; as many as threads when nothing is said.
    public static func offloaded(threads: Int, maxConcurrent: Int? = nil) -> HandlerExecution {
        HandlerExecution(threads: max(threads, 1), maxConcurrent: max(maxConcurrent ?? threads, 1))
    }
}
