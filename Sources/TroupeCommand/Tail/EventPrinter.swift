// Prints events, and knows when there were enough.

import Synchronization

/// Prints events up to a number of them.
final class EventPrinter: Sendable {
    private let limit: Int
    private let write: @Sendable (EventView) throws -> Void
    private let printed = Mutex(0)

    init(limit: Int, _ write: @escaping @Sendable (EventView) throws -> Void) {
        self.limit = limit
        self.write = write
    }

    /// Whether no more is to be printed.
    var isDone: Bool { printed.withLock { $0 >= limit } }

    /// Prints an event and says whether more are wanted.
    func print(_ event: EventView) throws -> TopicReader.Next {
        try printed.withLock { printed in
            guard printed < limit else { return .stop }
            try write(event)
            printed += 1
            return printed < limit ? .goOn : .stop
        }
    }
}
