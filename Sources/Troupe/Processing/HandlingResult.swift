// Carries what a handler published out of the middleware around it.

import KafkaClient
import Synchronization

/// What a handler published, set within the middleware and taken outside of it.
final class HandlingResult: Sendable {
    private let messages = Mutex<[PackedMessage]>([])

    func set(_ new: [PackedMessage]) { messages.withLock { $0 = new } }

    func take() -> [PackedMessage] { messages.withLock { $0 } }
}
