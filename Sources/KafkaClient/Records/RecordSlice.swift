// Places of bytes within a record, so that parts of it can be kept without copying or counting references.

/// Where some bytes lie within a record; the null slice stands for a missing or null value.
@usableFromInline
package struct RecordSlice: Sendable, Hashable {
    @usableFromInline let start: UInt32
    /// The number of bytes; the highest number stands for null.
    @usableFromInline let length: UInt32

    @inlinable @inline(__always)
    init(start: UInt32, length: UInt32) {
        self.start = start
        self.length = length
    }

    /// The slice of a missing or null value.
    @inlinable
    package static var null: RecordSlice { RecordSlice(start: 0, length: .max) }

    /// Whether this is the slice of a missing or null value.
    @inlinable
    package var isNull: Bool { length == .max }

    /// The number of bytes; 0 for the null slice.
    @inlinable
    package var count: Int { isNull ? 0 : Int(length) }
}

extension KafkaRecord {
    /// Calls `body` with each header's name and the place of its value, in order.
    ///
    /// Names are valid only during the call.
    @inlinable @inline(__always)
    package func forEachHeaderSlice(_ body: (UnsafeRawBufferPointer, RecordSlice) throws -> Void) rethrows {
        let base = storage.base
        var next = base
        for _ in 0..<storage.read({ $0.pointee.headerCount }) {
            let entry = next.loadUnaligned(as: RecordEntry.self)
            next += MemoryLayout<RecordEntry>.stride
            try body(
                UnsafeRawBufferPointer(start: base + Int(entry.name.start), count: Int(entry.name.length)), entry.value)
        }
        withExtendedLifetime(storage) {}
    }

    /// Calls `body` with the bytes at `slice`, none for the null slice.
    ///
    /// They are valid only during the call.
    ///
    /// The slice must come from this record.
    @inlinable @inline(__always)
    package func withUnsafeBytes<Result>(
        of slice: RecordSlice, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        defer { withExtendedLifetime(storage) {} }
        guard !slice.isNull else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return try body(UnsafeRawBufferPointer(start: storage.base + Int(slice.start), count: Int(slice.length)))
    }

    /// The place of the record's key.
    @inlinable
    package var keySlice: RecordSlice { storage.read { $0.pointee.key } }

    /// The place of the record's value.
    @inlinable
    package var valueSlice: RecordSlice { storage.read { $0.pointee.value } }

    /// The bytes at `slice` as text, with invalid UTF-8 repaired; `nil` for the null slice.
    package func text(of slice: RecordSlice) -> String? {
        slice.isNull ? nil : withUnsafeBytes(of: slice) { String(decoding: $0, as: UTF8.self) }
    }
}
