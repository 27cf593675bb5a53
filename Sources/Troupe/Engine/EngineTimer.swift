// What the engine has to do at a time.

import KafkaClient

/// What happens at a time.
enum EngineTimer {
    /// The lane of a record goes on.
    case resume(Int32, serial: UInt64)
    /// A record that was not delivered is sent again.
    case resend(PackedMessage, Int32, serial: UInt64)
    /// A route may let events start that waited.
    case letThrough(Int)
}
