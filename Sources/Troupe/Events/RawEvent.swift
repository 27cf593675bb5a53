// Events that are bytes already.

/// An event whose bytes on the wire are its own business: nothing is encoded or decoded.
///
/// ```swift
/// struct Reading: RawEvent {
///     static let type: EventType = "plant.sensor.read"
///     static let topic: Topic = "readings"
///     let rawBytes: [UInt8]
///     var key: EventKey { .none }
/// }
/// ```
public protocol RawEvent: Event, RawBytesConvertible where Coder == RawBytesCoder<Self> {}

/// A value that is made of bytes and gives them back.
public protocol RawBytesConvertible: Sendable {
    /// The bytes on the wire.
    var rawBytes: [UInt8] { get }

    /// Creates the value from its bytes on the wire. May throw when they are not acceptable.
    init(rawBytes: [UInt8]) throws
}

extension RawEvent {
    /// Hands the bytes through.
    public static var coder: RawBytesCoder<Self> { RawBytesCoder() }
}

/// A coder that hands bytes through.
public struct RawBytesCoder<Value: RawBytesConvertible>: EventCoder {
    /// The media type of the bytes.
    public let contentType: String

    /// Creates a coder whose bytes are of media type `contentType`.
    public init(contentType: String = "application/octet-stream") { self.contentType = contentType }

    /// Returns the event's own bytes.
    public func encode(_ value: Value) -> [UInt8] { value.rawBytes }

    /// Copies the bytes into an event.
    public func decode(_ bytes: UnsafeRawBufferPointer) throws -> Value { try Value(rawBytes: Array(bytes)) }
}
