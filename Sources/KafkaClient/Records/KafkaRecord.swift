// A record that was read: one allocation that owns a copy of its bytes.

/// The fields of a record, followed in the same allocation by the header table and all bytes.
@usableFromInline
struct RecordFields {
    @usableFromInline var topic: String
    @usableFromInline var offset: Int64
    @usableFromInline var timestamp: KafkaTimestamp
    @usableFromInline var partition: Int32
    @usableFromInline var headerCount: Int32
    @usableFromInline var key: RecordSlice
    @usableFromInline var value: RecordSlice
    /// The bytes of key, value and headers.
    @usableFromInline var byteCount: UInt32 = 0
}

/// The bytes and fields of one record.
///
/// Written only while it is built, read-only afterwards.
@usableFromInline
final class RecordStorage: ManagedBuffer<RecordFields, UInt8> {
    /// Reads the fields.
    ///
    /// Past the check for overlapping accesses that `header` makes: nobody writes them once the record is built.
    @inlinable @inline(__always)
    func read<Value>(_ body: (UnsafePointer<RecordFields>) -> Value) -> Value {
        withUnsafeMutablePointerToHeader { body(UnsafePointer($0)) }
    }

    @inlinable @inline(__always)
    var base: UnsafeMutableRawPointer { withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) } }

    @inlinable @inline(__always)
    func entry(_ index: Int) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        let entry = (base + index * MemoryLayout<RecordEntry>.stride).loadUnaligned(as: RecordEntry.self)
        let name = UnsafeRawBufferPointer(start: base + Int(entry.name.start), count: Int(entry.name.length))
        if entry.value.isNull { return (name, nil) }
        return (name, UnsafeRawBufferPointer(start: base + Int(entry.value.start), count: Int(entry.value.length)))
    }
}

/// One entry of the header table.
@usableFromInline
struct RecordEntry {
    @usableFromInline var name: RecordSlice
    @usableFromInline var value: RecordSlice

    @inlinable @inline(__always)
    init(name: RecordSlice, value: RecordSlice) {
        self.name = name
        self.value = value
    }
}

/// A record read from a topic.
///
/// It owns its bytes: nothing of librdkafka's memory is kept alive by it.
public struct KafkaRecord: Sendable {
    // Unsafe only to the compiler: a managed buffer cannot be Sendable, but this one is immutable once built.
    @usableFromInline nonisolated(unsafe) let storage: RecordStorage

    /// The topic the record was read from.
    public var topic: String { storage.read { $0.pointee.topic } }
    /// The partition the record was read from.
    public var partition: Int32 { storage.read { $0.pointee.partition } }
    /// The record's offset within its partition.
    public var offset: Int64 { storage.read { $0.pointee.offset } }
    /// The record's timestamp.
    public var timestamp: KafkaTimestamp { storage.read { $0.pointee.timestamp } }
    /// The topic and partition the record was read from.
    public var topicPartition: TopicPartition { TopicPartition(topic, partition) }

    /// The record's key; `nil` when it has none, which differs from an empty key.
    public var key: RecordBytes? {
        let key = keySlice
        return key.isNull ? nil : RecordBytes(storage: storage, start: key.start, length: key.length)
    }

    /// The record's value; `nil` for a tombstone, which differs from an empty value.
    public var value: RecordBytes? {
        let value = valueSlice
        return value.isNull ? nil : RecordBytes(storage: storage, start: value.start, length: value.length)
    }

    /// Whether the record has a null value, which compaction takes as "deleted".
    public var isTombstone: Bool { valueSlice.isNull }

    /// The headers, in order, duplicates and nulls kept.
    public var headers: [KafkaHeader] {
        (0..<headerCount).map { index in
            let entry = storage.entry(index)
            return KafkaHeader(String(decoding: entry.name, as: UTF8.self), bytes: entry.value.map { Array($0) })
        }
    }

    /// How many headers the record has.
    public var headerCount: Int { Int(storage.read { $0.pointee.headerCount }) }

    /// The number of bytes of key, value and headers.
    public var byteCount: Int { Int(storage.read { $0.pointee.byteCount }) }

    /// The value of the last header named `name` as text; `nil` when it is missing or null.
    ///
    /// The last of several headers of one name wins, as in Kafka's own clients.
    public func header(_ name: String) -> String? {
        var name = name
        return name.withUTF8 { name in
            withHeader(UnsafeRawBufferPointer(name)) { value in value.map { String(decoding: $0, as: UTF8.self) } }
        }
    }

    /// Calls `body` with the value of the last header named `name`, or `nil` when it is missing or null.
    ///
    /// The bytes are valid only during the call.
    public func withHeader<Result>(
        _ name: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) rethrows -> Result {
        var index = headerCount
        while index > 0 {
            index -= 1
            let entry = storage.entry(index)
            if entry.name.count == name.count, entry.name.elementsEqual(name) { return try body(entry.value) }
        }
        return try body(nil)
    }

    /// Calls `body` with each header's name and value, in order.
    ///
    /// The bytes are valid only during the call.
    public func forEachHeader(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) throws -> Void) rethrows {
        for index in 0..<headerCount {
            let entry = storage.entry(index)
            try body(entry.name, entry.value)
        }
        withExtendedLifetime(storage) {}
    }

    /// Creates a record from its parts, as tests and tools need it.
    public init(
        topic: String, partition: Int32 = 0, offset: Int64 = 0, timestamp: KafkaTimestamp = .none, key: [UInt8]? = nil,
        value: [UInt8]?, headers: [KafkaHeader] = []
    ) {
        let names = headers.map { Array($0.name.utf8) }
        let byteCount =
            (key?.count ?? 0) + (value?.count ?? 0)
            + zip(names, headers).reduce(0) { $0 + $1.0.count + ($1.1.value?.count ?? 0) }
        var builder = RecordBuilder(
            RecordFields(
                topic: topic, offset: offset, timestamp: timestamp, partition: partition,
                headerCount: Int32(headers.count), key: .null, value: .null, byteCount: UInt32(byteCount)),
            room: byteCount)
        key.withBytes { builder.setKey($0) }
        value.withBytes { builder.setValue($0) }
        for (index, header) in headers.enumerated() {
            names[index].withUnsafeBytes { name in
                header.value.withBytes { builder.setHeader(index, name: name, value: $0) }
            }
        }
        self = builder.finish()
    }

    init(storage: RecordStorage) { self.storage = storage }
}

extension [UInt8]? {
    fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        guard let self else { return body(nil) }
        return self.withUnsafeBytes { body($0) }
    }
}
