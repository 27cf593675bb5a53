// A record to be produced, packed for the hot path: one allocation whatever the number of headers.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A record to be produced whose key, value and headers lie in one buffer.
///
/// `KafkaMessage` is the friendly form; this one is what the engine builds for each event it publishes.
package struct PackedMessage: Sendable {
    /// A range of the buffer; a negative length stands for null.
    @usableFromInline
    struct Slice: Sendable {
        @usableFromInline var start: Int32 = 0
        @usableFromInline var length: Int32 = -1

        @inlinable @inline(__always)
        init(start: Int32 = 0, length: Int32 = -1) {
            self.start = start
            self.length = length
        }
    }

    /// The topic to produce to.
    package var topic: String
    /// The partition to produce to; -1 lets the partitioner choose by key.
    package var partition: Int32 = -1
    /// Milliseconds since 1970; 0 lets the client stamp the record.
    package var timestamp: Int64 = 0
    /// The number of bytes of key, value, header names and header values.
    package private(set) var byteCount = 0
    /// The number of headers.
    package private(set) var headerCount = 0
    private(set) var key = Slice()
    private(set) var value = Slice()
    // Unsafe only to the compiler: a managed buffer cannot be Sendable, but this one is copied before it is written
    // while anybody else refers to it.
    nonisolated(unsafe) private var fields: PackedFields
    private var end = 0

    /// Creates a record for `topic` whose key, value and headers `write` puts into room for `capacity` bytes.
    ///
    /// The result is `nil` when they do not fit; `PackedWriter.room(_:)` says how much a field needs.
    @inlinable @inline(__always)
    package init?(topic: String, capacity: Int, _ write: (inout PackedWriter) -> Void) {
        let fields = PackedFields.make(capacity)
        var writer = PackedWriter(fields.base, capacity)
        write(&writer)
        guard writer.fits else { return nil }
        self.init(topic: topic, fields, writer)
    }

    @usableFromInline
    init(topic: String, _ fields: PackedFields, _ writer: PackedWriter) {
        self.topic = topic
        self.fields = fields
        key = writer.key
        value = writer.value
        headerCount = writer.headerCount
        end = writer.end
        byteCount = writer.byteCount
    }

    /// Creates an empty record for `topic`, with room for `capacity` bytes and `headers` headers.
    package init(topic: String, capacity: Int = 512, headers: Int = 12) {
        self.topic = topic
        fields = .make(capacity + (headers + 2) * PackedFields.prefixSize)
    }

    /// Packs a friendly message.
    package init(_ message: KafkaMessage) {
        self.init(topic: message.topic, capacity: message.value?.count ?? 0, headers: message.headers.count)
        partition = message.partition ?? -1
        timestamp = message.timestamp ?? 0
        message.key?.withUnsafeBytes { setKey($0) }
        message.value?.withUnsafeBytes { setValue($0) }
        for header in message.headers { addHeader(header.name, header.value) }
    }

    /// Takes out key, value and headers, and keeps the room they had for what comes next.
    package mutating func removeAll() {
        byteCount = 0
        headerCount = 0
        key = Slice()
        value = Slice()
        end = 0
    }

    /// Sets the key; `nil` means none.
    package mutating func setKey(_ key: UnsafeRawBufferPointer?) { self.key = append(key) }

    /// Sets the value; `nil` makes a tombstone.
    package mutating func setValue(_ value: UnsafeRawBufferPointer?) { self.value = append(value) }

    /// Appends a header whose name and value are bytes; a `nil` value is Kafka's null.
    @inline(__always)
    package mutating func addHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        let room = addField(nameLength: name.count, valueLength: value?.count ?? -1)
        Self.copy(name, to: room)
        if let value { Self.copy(value, to: room + name.count) }
        headerCount += 1
    }

    /// Appends a header with a fixed name and a value of `size` bytes, which `write` must write.
    @inline(__always)
    package mutating func addHeader(_ name: StaticString, size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        let room = addField(nameLength: name.count, valueLength: size)
        Self.copy(name, to: room)
        write(UnsafeMutableRawBufferPointer(start: room + name.count, count: size))
        headerCount += 1
    }

    /// Appends a header with a fixed name.
    package mutating func addHeader(_ name: StaticString, _ value: UnsafeRawBufferPointer?) {
        addHeader(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value)
    }

    /// Appends a header with a fixed name and a text value.
    package mutating func addHeader(_ name: StaticString, _ value: String) {
        var value = value
        value.withUTF8 { addHeader(name, UnsafeRawBufferPointer($0)) }
    }

    /// Appends a header.
    package mutating func addHeader(_ name: String, _ value: [UInt8]?) {
        var name = name
        name.withUTF8 { name in
            if let value {
                value.withUnsafeBytes { addHeader(UnsafeRawBufferPointer(name), $0) }
            } else {
                addHeader(UnsafeRawBufferPointer(name), nil)
            }
        }
    }

    private mutating func append(_ source: UnsafeRawBufferPointer?) -> Slice {
        guard let source else { return Slice() }
        Self.copy(source, to: addField(nameLength: -1, valueLength: source.count))
        return Slice(start: Int32(end - source.count), length: Int32(source.count))
    }

    /// Appends the lengths of a field and returns the room for its bytes, which the caller fills.
    @inline(__always)
    private mutating func addField(nameLength: Int, valueLength: Int) -> UnsafeMutableRawPointer {
        let size = max(nameLength, 0) + max(valueLength, 0)
        let start = end
        end += PackedFields.prefixSize + size
        if end > fields.header || !isKnownUniquelyReferenced(&fields) {
            fields = fields.copy(start, capacity: max(end, end > fields.header ? fields.header * 2 : 0))
        }
        byteCount += size
        return fields.setLengths(nameLength, valueLength, at: start)
    }

    @inline(__always)
    private static func copy(_ bytes: UnsafeRawBufferPointer, to room: UnsafeMutableRawPointer) {
        if let source = bytes.baseAddress { memcpy(room, source, bytes.count) }
    }

    /// Calls `body` with the start of the buffer, into which `key` and `value` point.
    @inline(__always)
    func withBase<Result>(_ body: (UnsafeRawPointer) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(fields) {} }
        return try body(fields.base)
    }

    /// Calls `body` with each header's name and value, in order.
    ///
    /// The bytes are valid only during the call; names and values that are not null have an address, also when they
    /// are empty.
    @inline(__always)
    func forEachHeader(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) throws -> Void) rethrows {
        try withBase { base in
            var next = 0
            while next < end {
                let (nameLength, valueLength) = PackedFields.lengths(base + next)
                let name = base + next + PackedFields.prefixSize
                next += PackedFields.prefixSize + max(nameLength, 0) + max(valueLength, 0)
                guard nameLength >= 0 else { continue }
                try body(
                    UnsafeRawBufferPointer(start: name, count: nameLength),
                    valueLength < 0 ? nil : UnsafeRawBufferPointer(start: name + nameLength, count: valueLength))
            }
        }
    }

    /// Calls `body` with the value of the first header named `name`, unless it is missing or null.
    ///
    /// The bytes are valid only during the call.
    package func withHeader(_ name: StaticString, _ body: (UnsafeRawBufferPointer) -> Void) {
        withBase { base in
            var next = 0
            while next < end {
                let (nameLength, valueLength) = PackedFields.lengths(base + next)
                let field = base + next + PackedFields.prefixSize
                if nameLength == name.utf8CodeUnitCount, memcmp(field, name.utf8Start, nameLength) == 0 {
                    if valueLength >= 0 { body(UnsafeRawBufferPointer(start: field + nameLength, count: valueLength)) }
                    return
                }
                next += PackedFields.prefixSize + max(nameLength, 0) + max(valueLength, 0)
            }
        }
    }

    /// The friendly form.
    package var message: KafkaMessage {
        withBase { base in
            func copy(_ slice: Slice) -> [UInt8]? {
                slice.length < 0
                    ? nil : Array(UnsafeRawBufferPointer(start: base + Int(slice.start), count: Int(slice.length)))
            }
            var headers: [KafkaHeader] = []
            forEachHeader { name, value in
                headers.append(KafkaHeader(String(decoding: name, as: UTF8.self), bytes: value.map { Array($0) }))
            }
            return KafkaMessage(
                topic: topic, partition: partition < 0 ? nil : partition, key: copy(key), value: copy(value),
                headers: headers, timestamp: timestamp == 0 ? nil : timestamp)
        }
    }
}

/// The buffer of a packed record: fields one after the other, each led by the lengths of its name and its value.
///
/// Keys and values have no name, whose length is -1 then. The header is the number of bytes there is room for.
@usableFromInline
final class PackedFields: ManagedBuffer<Int, UInt8> {
    /// The bytes of the two lengths before each field.
    @inlinable
    static var prefixSize: Int { 8 }

    @inlinable @inline(__always)
    static func make(_ capacity: Int) -> PackedFields {
        // `create` makes an instance of the class it is called on but is typed as its superclass.
        unsafeDowncast(create(minimumCapacity: capacity) { _ in capacity }, to: PackedFields.self)
    }

    @inlinable @inline(__always)
    var base: UnsafeMutableRawPointer { withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) } }

    func copy(_ count: Int, capacity: Int) -> PackedFields {
        let copy = Self.make(max(capacity, header))
        memcpy(copy.base, base, count)
        return copy
    }

    @inline(__always)
    func setLengths(_ name: Int, _ value: Int, at offset: Int) -> UnsafeMutableRawPointer {
        let start = base + offset
        start.storeBytes(of: Int32(name), as: Int32.self)
        start.storeBytes(of: Int32(value), toByteOffset: 4, as: Int32.self)
        return start + Self.prefixSize
    }

    @inline(__always)
    static func lengths(_ start: UnsafeRawPointer) -> (name: Int, value: Int) {
        (Int(start.loadUnaligned(as: Int32.self)), Int(start.loadUnaligned(fromByteOffset: 4, as: Int32.self)))
    }
}
