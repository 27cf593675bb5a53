// What turns an event into the bytes of a record's value, and back.

/// Turns events of one type into bytes and back.
///
/// A coder is asked for often: keep it a small value. Decoding errors are never retried, the record goes to the
/// dead-letter topic.
public protocol EventCoder<Value>: Sendable {
    /// The event's Swift type.
    associatedtype Value

    /// The media type of the bytes, such as `application/json`.
    var contentType: String { get }

    /// Returns the bytes of `value`.
    func encode(_ value: Value) throws -> [UInt8]

    /// Reads a value from `bytes`, which are valid only during the call.
    func decode(_ bytes: UnsafeRawBufferPointer) throws -> Value
}

// The two functions below are asked for once, when a route is made. Looking a coder up by its event's type costs several
// hundred instructions, which would be paid for every event.

/// What a coder does to bytes.
func decoding<C: EventCoder>(by coder: C) -> @Sendable (UnsafeRawBufferPointer) throws -> C.Value {
    { try coder.decode($0) }
}

/// What a coder does to values.
func encoding<C: EventCoder>(by coder: C) -> @Sendable (C.Value) throws -> [UInt8] { { try coder.encode($0) } }
