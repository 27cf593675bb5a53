// A record to be produced, packed for the hot path: two allocations whatever the number of headers.

/// A record to be produced whose key, value and headers lie in one buffer.
///
/// `KafkaMessage` is the friendly form; this one is what the engine builds for each event it publishes.
package struct PackedMessage: Sendable {
    /// A range of `bytes`; a negative length stands for null.
    struct Slice: Sendable {
        var start: Int32 = 0
        var length: Int32 = -1
    }

    /// The topic to produce to.
    package var topic: String
    /// The partition to produce to; -1 lets the partitioner choose by key.
    package var partition: Int32 = -1
    /// Milliseconds since 1970; 0 lets the client stamp the record.
    package var timestamp: Int64 = 0
    private(set) var bytes: [UInt8] = []
    private(set) var key = Slice()
    private(set) var value = Slice()
    private(set) var headerSlices: [(name: Slice, value: Slice)] = []

    /// Creates an empty record for `topic`, with room for `capacity` bytes and `headers` headers.
    package init(topic: String, capacity: Int = 512, headers: Int = 12) {
        self.topic = topic
        bytes.reserveCapacity(capacity)
        headerSlices.reserveCapacity(headers)
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

    /// Sets the key; `nil` means none.
    package mutating func setKey(_ key: UnsafeRawBufferPointer?) { self.key = append(key) }

    /// Sets the value; `nil` makes a tombstone.
    package mutating func setValue(_ value: UnsafeRawBufferPointer?) { self.value = append(value) }

    /// Appends a header whose name and value are bytes; a `nil` value is Kafka's null.
    package mutating func addHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        let name = append(name)
        headerSlices.append((name, append(value)))
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
        let slice = Slice(start: Int32(bytes.count), length: Int32(source.count))
        bytes.append(contentsOf: source)
        return slice
    }

    /// The number of bytes of key, value, header names and header values.
    package var byteCount: Int { bytes.count }

    /// The number of headers.
    package var headerCount: Int { headerSlices.count }

    /// The friendly form.
    package var message: KafkaMessage {
        func copy(_ slice: Slice) -> [UInt8]? {
            slice.length < 0 ? nil : Array(bytes[Int(slice.start)..<Int(slice.start + slice.length)])
        }
        return KafkaMessage(
            topic: topic, partition: partition < 0 ? nil : partition, key: copy(key), value: copy(value),
            headers: headerSlices.map {
                KafkaHeader(String(decoding: copy($0.name) ?? [], as: UTF8.self), bytes: copy($0.value))
            }, timestamp: timestamp == 0 ? nil : timestamp)
    }
}
