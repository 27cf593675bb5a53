// The last events of topics that are read side by side.

import Foundation
import Synchronization

/// The last events by time, collected from partitions that are read side by side.
final class LastEvents: Sendable {
    private let count: Int
    private let events = Mutex<[EventView]>([])

    init(count: Int) { self.count = count }

    /// Keeps an event if it is meant and may be among the last.
    func take(_ event: EventView, if filter: EventFilter) {
        guard filter.matches(event) else { return }
        events.withLock { events in
            events.append(event)
            // Seldom, so that it costs little, and often enough that memory stays bounded.
            if events.count > 2 * count + 1_000 { events = Self.last(count, of: events) }
        }
    }

    /// The last events, the oldest first.
    var all: [EventView] { events.withLock { Self.last(count, of: $0) } }

    private static func last(_ count: Int, of events: [EventView]) -> [EventView] {
        func order(_ event: EventView) -> (Date, String, Int32, Int64) {
            (event.timestamp ?? .distantPast, event.topic, event.partition, event.offset)
        }
        return events.sorted { order($0) < order($1) }.suffix(count)
    }
}
