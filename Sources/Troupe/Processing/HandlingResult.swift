// Carries what a handler published out of the middleware around it.

import Synchronization

/// What a handler published, set within the middleware and taken outside of it.
final class HandlingResult: Sendable {
    private let messages = Mutex(Publications.none)

    func set(_ new: Publications) { messages.withLock { $0 = new } }

    func take() -> Publications { messages.withLock { $0 } }
}
