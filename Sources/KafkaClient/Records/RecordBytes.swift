// Bytes of a record: a key, a value.

/// Bytes of a record that was read, such as its key or its value.
///
/// Holding them keeps the record alive.
public struct RecordBytes: Sendable, RandomAccessCollection {
    // Immutable once built; see KafkaRecord.
    nonisolated(unsafe) let storage: RecordStorage
    let start: UInt32
    let length: UInt32

    /// Always 0.
    public var startIndex: Int { 0 }
    /// The number of bytes.
    public var endIndex: Int { Int(length) }

    /// The byte at `position`.
    public subscript(position: Int) -> UInt8 {
        precondition(position >= 0 && position < Int(length), "index out of range")
        return (storage.base + Int(start) + position).load(as: UInt8.self)
    }

    /// Calls `body` with the bytes, which are valid only during the call.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(storage) {} }
        return try body(UnsafeRawBufferPointer(start: storage.base + Int(start), count: Int(length)))
    }

    /// Lets the standard library copy the bytes at once.
    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        try withUnsafeBytes { try $0.withMemoryRebound(to: UInt8.self, body) }
    }

    /// The bytes as text, with invalid UTF-8 repaired.
    public var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}

extension RecordBytes: Hashable {
    /// Compares the bytes.
    public static func == (a: RecordBytes, b: RecordBytes) -> Bool { a.elementsEqual(b) }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { withUnsafeBytes { hasher.combine(bytes: $0) } }
}
