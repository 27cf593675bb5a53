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

    /// Calls `body` with the bytes of `value`, which are valid only during the call.
    ///
    /// By default they are those of `encode(_:)`; a coder that has memory of its own to write to says so here.
    func withEncoded<Result>(_ value: Value, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result

    /// Reads a value from `bytes`, which are valid only during the call.
    func decode(_ bytes: UnsafeRawBufferPointer) throws -> Value
}

// The two functions below are asked for once, when a route is made. Looking a coder up by its event's type costs several
// hundred instructions, which would be paid for every event.

/// What a coder does to bytes.
func decoding<C: EventCoder>(by coder: C) -> @Sendable (UnsafeRawBufferPointer) throws -> C.Value {
    { try coder.decode($0) }
}

/// What a coder does to values: it gives the bytes to whoever wants them.
func encoding<C: EventCoder>(
    by coder: C
) -> @Sendable (C.Value, (UnsafeRawBufferPointer) throws -> Void) throws -> Void {
    { value, body in try coder.withEncoded(value, body) }
}

extension EventCoder {
    /// Calls `body` with what `encode(_:)` returns.
    public func withEncoded<Result>(
        _ value: Value, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result { try encode(value).withUnsafeBytes(body) }
}
