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
