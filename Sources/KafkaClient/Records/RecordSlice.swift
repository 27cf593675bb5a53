// Places of bytes within a record, so that parts of it can be kept without copying or counting references.

/// Where some bytes lie within a record; the null slice stands for a missing or null value.
package struct RecordSlice: Sendable, Hashable {
    let start: UInt32
    let length: UInt32

    init(start: UInt32, length: UInt32) {
        self.start = start
        self.length = length
    }

    /// The slice of a missing or null value.
    package static let null = RecordSlice(start: 0, length: RecordStorage.null)

    /// Whether this is the slice of a missing or null value.
    package var isNull: Bool { length == RecordStorage.null }

    /// The number of bytes; 0 for the null slice.
    package var count: Int { isNull ? 0 : Int(length) }
}

extension KafkaRecord {
    /// Calls `body` with each header's name and the place of its value, in order.
    ///
    /// Names are valid only during the call.
    package func forEachHeaderSlice(_ body: (UnsafeRawBufferPointer, RecordSlice) throws -> Void) rethrows {
        let base = storage.base
        for index in 0..<headerCount {
            let entry = base + index * RecordStorage.entrySize
            let name = UnsafeRawBufferPointer(
                start: base + Int(entry.loadUnaligned(as: UInt32.self)),
                count: Int(entry.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            try body(
                name,
                RecordSlice(
                    start: entry.loadUnaligned(fromByteOffset: 8, as: UInt32.self),
                    length: entry.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
        }
        withExtendedLifetime(storage) {}
    }

    /// Calls `body` with the bytes at `slice`, none for the null slice.
    ///
    /// They are valid only during the call.
    ///
    /// The slice must come from this record.
    package func withUnsafeBytes<Result>(
        of slice: RecordSlice, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        defer { withExtendedLifetime(storage) {} }
        guard !slice.isNull else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return try body(UnsafeRawBufferPointer(start: storage.base + Int(slice.start), count: Int(slice.length)))
    }

    /// The place of the record's key.
    package var keySlice: RecordSlice { RecordSlice(start: storage.header.keyStart, length: storage.header.keyLength) }

    /// The place of the record's value.
    package var valueSlice: RecordSlice {
        RecordSlice(start: storage.header.valueStart, length: storage.header.valueLength)
    }

    /// The bytes at `slice` as text, with invalid UTF-8 repaired; `nil` for the null slice.
    package func text(of slice: RecordSlice) -> String? {
        slice.isNull ? nil : withUnsafeBytes(of: slice) { String(decoding: $0, as: UTF8.self) }
    }
}
