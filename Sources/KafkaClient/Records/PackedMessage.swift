// A record to be produced, packed for the hot path: one allocation whatever the number of headers.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A record to be produced whose topic, key, value and headers lie in one buffer, and which is one reference to it.
///
/// `KafkaMessage` is the friendly form; this one is what the engine builds for each event it publishes.
@usableFromInline
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

    // Unsafe only to the compiler: a managed buffer cannot be Sendable, but this one is copied before it is written
    // while anybody else refers to it.
    @usableFromInline nonisolated(unsafe) var fields: PackedFields

    /// The topic to produce to.
    package var topic: String {
        get { fields.read { $0.pointee.topic } }
        set { change { $0.pointee.topic = newValue } }
    }
    /// The partition to produce to; -1 lets the partitioner choose by key.
    package var partition: Int32 {
        get { fields.read { $0.pointee.partition } }
        set { change { $0.pointee.partition = newValue } }
    }
    /// Milliseconds since 1970; 0 lets the client stamp the record.
    package var timestamp: Int64 {
        get { fields.read { $0.pointee.timestamp } }
        set { change { $0.pointee.timestamp = newValue } }
    }
    /// The number of bytes of key, value, header names and header values.
    package var byteCount: Int { fields.read { $0.pointee.byteCount } }
    /// The number of headers.
    package var headerCount: Int { fields.read { $0.pointee.headerCount } }
    var key: Slice { fields.read { $0.pointee.key } }
    var value: Slice { fields.read { $0.pointee.value } }

    /// Creates a record for `topic` whose key, value and headers `write` puts into room for `capacity` bytes.
    ///
    /// The result is `nil` when they do not fit; `PackedWriter.room(_:)` says how much a field needs.
    @inlinable @inline(__always)
    package init?(topic: String, capacity: Int, _ write: (inout PackedWriter) -> Void) {
        fields = .make(topic, capacity: capacity)
        var writer = PackedWriter(fields.base, capacity)
        write(&writer)
        guard writer.fits else { return nil }
        fields.finish(writer)
    }

    /// Creates an empty record for `topic`, with room for `capacity` bytes and `headers` headers.
    package init(topic: String, capacity: Int = 512, headers: Int = 12) {
        fields = .make(topic, capacity: capacity + (headers + 2) * PackedFields.prefixSize)
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
        change {
            $0.pointee.byteCount = 0
            $0.pointee.headerCount = 0
            $0.pointee.key = Slice()
            $0.pointee.value = Slice()
            $0.pointee.end = 0
        }
    }

    /// Sets the key; `nil` means none.
    package mutating func setKey(_ key: UnsafeRawBufferPointer?) {
        let slice = append(key)
        change { $0.pointee.key = slice }
    }

    /// Sets the value; `nil` makes a tombstone.
    package mutating func setValue(_ value: UnsafeRawBufferPointer?) {
        let slice = append(value)
        change { $0.pointee.value = slice }
    }

    /// Appends a header whose name and value are bytes; a `nil` value is Kafka's null.
    @inline(__always)
    package mutating func addHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        let room = addField(nameLength: name.count, valueLength: value?.count ?? -1)
        Self.copy(name, to: room)
        if let value { Self.copy(value, to: room + name.count) }
        change { $0.pointee.headerCount += 1 }
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
        return Slice(start: Int32(fields.end - source.count), length: Int32(source.count))
    }

    /// Appends the lengths of a field and returns the room for its bytes, which the caller fills.
    private mutating func addField(nameLength: Int, valueLength: Int) -> UnsafeMutableRawPointer {
        let size = max(nameLength, 0) + max(valueLength, 0)
        let start = fields.end
        let end = start + PackedFields.prefixSize + size
        let room = fields.read { $0.pointee.capacity }
        if end > room || !isKnownUniquelyReferenced(&fields) {
            fields = fields.copy(capacity: max(end, end > room ? room * 2 : room))
        }
        change {
            $0.pointee.end = end
            $0.pointee.byteCount += size
        }
        return fields.setLengths(nameLength, valueLength, at: start)
    }

    /// Changes what is known of the record, in a buffer of its own.
    private mutating func change(_ change: (UnsafeMutablePointer<PackedHeader>) -> Void) {
        if !isKnownUniquelyReferenced(&fields) { fields = fields.copy(capacity: fields.read { $0.pointee.capacity }) }
        fields.withUnsafeMutablePointerToHeader(change)
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

    /// Calls `body` with the key's address and length; `nil` and -1 where there is none.
    @inline(__always)
    func withKey<Result>(_ body: (UnsafeRawPointer?, Int) throws -> Result) rethrows -> Result {
        let key = key
        return try withBase { try body(key.length < 0 ? nil : $0 + Int(key.start), Int(key.length)) }
    }

    /// Calls `body` with each header's name and value, in order.
    ///
    /// The bytes are valid only during the call; names and values that are not null have an address, also when they
    /// are empty.
    @inline(__always)
    func forEachHeader(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) throws -> Void) rethrows {
        try withBase { base in
            let end = fields.end
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
            let end = fields.end
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

/// What is known of a packed record beside its bytes.
@usableFromInline
struct PackedHeader {
    @usableFromInline var topic: String
    @usableFromInline var partition: Int32 = -1
    @usableFromInline var timestamp: Int64 = 0
    @usableFromInline var key = PackedMessage.Slice()
    @usableFromInline var value = PackedMessage.Slice()
    @usableFromInline var byteCount = 0
    @usableFromInline var headerCount = 0
    /// The bytes of the fields with their lengths.
    @usableFromInline var end = 0
    /// The bytes there is room for.
    @usableFromInline let capacity: Int

    @inlinable @inline(__always)
    init(topic: String, capacity: Int) {
        self.topic = topic
        self.capacity = capacity
    }
}

/// The buffer of a packed record: fields one after the other, each led by the lengths of its name and its value.
///
/// Keys and values have no name, whose length is -1 then.
@usableFromInline
final class PackedFields: ManagedBuffer<PackedHeader, UInt8> {
    /// The bytes of the two lengths before each field.
    @inlinable
    static var prefixSize: Int { 8 }

    @inlinable @inline(__always)
    static func make(_ topic: String, capacity: Int) -> PackedFields {
        // `create` makes an instance of the class it is called on but is typed as its superclass.
        unsafeDowncast(
            create(minimumCapacity: capacity) { _ in PackedHeader(topic: topic, capacity: capacity) },
            to: PackedFields.self)
    }

    @inlinable @inline(__always)
    var base: UnsafeMutableRawPointer { withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) } }

    /// Reads what is known of the record.
    ///
    /// Past the check for overlapping accesses that `header` makes: who writes has the buffer alone.
    @inlinable @inline(__always)
    func read<Value>(_ body: (UnsafePointer<PackedHeader>) -> Value) -> Value {
        withUnsafeMutablePointerToHeader { body(UnsafePointer($0)) }
    }

    @inlinable @inline(__always)
    var end: Int { read { $0.pointee.end } }

    /// Notes what was written.
    @inlinable @inline(__always)
    func finish(_ writer: PackedWriter) {
        withUnsafeMutablePointerToHeader {
            $0.pointee.key = writer.key
            $0.pointee.value = writer.value
            $0.pointee.byteCount = writer.byteCount
            $0.pointee.headerCount = writer.headerCount
            $0.pointee.end = writer.end
        }
    }

    /// A copy with room for `capacity` bytes, which must be enough for those there are.
    func copy(capacity: Int) -> PackedFields {
        let copy = Self.make(read { $0.pointee.topic }, capacity: capacity)
        read { old in
            copy.withUnsafeMutablePointerToHeader {
                $0.pointee.partition = old.pointee.partition
                $0.pointee.timestamp = old.pointee.timestamp
                $0.pointee.key = old.pointee.key
                $0.pointee.value = old.pointee.value
                $0.pointee.byteCount = old.pointee.byteCount
                $0.pointee.headerCount = old.pointee.headerCount
                $0.pointee.end = old.pointee.end
            }
        }
        memcpy(copy.base, base, end)
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
