// Lays the bytes of a record into one allocation.

import CRDKafka

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Fills a record's single allocation: header table, then key, value and headers in the order they are set.
struct RecordBuilder: ~Copyable {
    private let storage: RecordStorage
    private let base: UnsafeMutableRawPointer
    private var end: Int

    /// Reserves room for `room` bytes of key, value, names and header values, and for the table of the headers.
    ///
    /// The places of key and value in `fields` are null until they are set.
    @inline(__always)
    init(_ fields: RecordFields, room: Int) {
        end = Int(fields.headerCount) &* MemoryLayout<RecordEntry>.stride
        let buffer = RecordStorage.create(minimumCapacity: end + room) { _ in fields }
        // `create` makes an instance of the class it is called on but is typed as its superclass.
        storage = unsafeDowncast(buffer, to: RecordStorage.self)
        base = storage.base
    }

    @inline(__always)
    mutating func setKey(_ bytes: UnsafeRawBufferPointer?) {
        let key = append(bytes)
        storage.withUnsafeMutablePointerToHeader { $0.pointee.key = key }
    }

    @inline(__always)
    mutating func setValue(_ bytes: UnsafeRawBufferPointer?) {
        let value = append(bytes)
        storage.withUnsafeMutablePointerToHeader { $0.pointee.value = value }
    }

    @inline(__always)
    mutating func setHeader(_ index: Int, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        let entry = RecordEntry(name: append(name), value: append(value))
        base.storeBytes(of: entry, toByteOffset: index * MemoryLayout<RecordEntry>.stride, as: RecordEntry.self)
    }

    /// Sets a header whose value lies `gap` bytes behind its name: both are copied at once, with what is between.
    @inline(__always)
    mutating func setHeader(
        _ index: Int, name: UnsafeRawPointer, nameLength: Int, gap: Int, valueLength: Int
    ) {
        let length = nameLength &+ gap &+ valueLength
        memcpy(base + end, name, length)
        let entry = RecordEntry(
            name: RecordSlice(start: UInt32(truncatingIfNeeded: end), length: UInt32(truncatingIfNeeded: nameLength)),
            value: RecordSlice(
                start: UInt32(truncatingIfNeeded: end &+ nameLength &+ gap),
                length: UInt32(truncatingIfNeeded: valueLength)))
        end &+= length
        base.storeBytes(of: entry, toByteOffset: index &* MemoryLayout<RecordEntry>.stride, as: RecordEntry.self)
    }

    @inline(__always)
    private mutating func append(_ bytes: UnsafeRawBufferPointer?) -> RecordSlice {
        guard let bytes else { return .null }
        if let source = bytes.baseAddress, bytes.count > 0 { memcpy(base + end, source, bytes.count) }
        defer { end &+= bytes.count }
        return RecordSlice(
            start: UInt32(truncatingIfNeeded: end), length: UInt32(truncatingIfNeeded: bytes.count))
    }

    /// Ends the record.
    @inline(__always)
    consuming func finish() -> KafkaRecord { KafkaRecord(storage: storage) }
}

/// One header of a message of librdkafka's, which owns the bytes.
private struct MessageHeader {
    var name: UnsafeRawPointer
    var nameLength: Int
    var value: UnsafeRawPointer?
    var valueLength: Int
}

extension KafkaRecord {
    /// Copies a message of librdkafka.
    ///
    /// The message may be destroyed afterwards.
    init(copying message: UnsafePointer<rd_kafka_message_t>, topic: String) {
        var headers: OpaquePointer?
        var count = 0
        if rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers {
            count = rd_kafka_header_cnt(headers)
        }
        let timestamp = KafkaTimestamp(of: message)
        self = withUnsafeTemporaryAllocation(of: MessageHeader.self, capacity: max(count, 1)) { entries in
            var bytes = message.pointee.key_len + message.pointee.len
            var found = 0
            while let headers, found < count {
                var name: UnsafePointer<CChar>?
                var value: UnsafeRawPointer?
                var length = 0
                guard rd_kafka_header_get_all(headers, found, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR,
                    let name
                else { break }
                let header = MessageHeader(
                    name: UnsafeRawPointer(name), nameLength: strlen(name), value: value, valueLength: length)
                entries.initializeElement(at: found, to: header)
                bytes &+= header.nameLength &+ length
                found &+= 1
            }
            // Kafka's lengths are below 2 GiB, so that none of these sums overflows; behind each name is a null.
            var builder = RecordBuilder(
                RecordFields(
                    topic: topic, offset: message.pointee.offset, timestamp: timestamp,
                    partition: message.pointee.partition, headerCount: Int32(truncatingIfNeeded: found), key: .null,
                    value: .null, byteCount: UInt32(truncatingIfNeeded: bytes)),
                room: bytes &+ found)
            builder.setKey(
                message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) })
            builder.setValue(
                message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) })
            for index in 0..<found {
                let header = entries[index]
                // librdkafka keeps a header's value right behind its name and the null that ends it: where that is so,
                // one copy does.
                if let value = header.value, value == header.name + (header.nameLength &+ 1) {
                    builder.setHeader(
                        index, name: header.name, nameLength: header.nameLength, gap: 1,
                        valueLength: header.valueLength)
                } else {
                    builder.setHeader(
                        index, name: UnsafeRawBufferPointer(start: header.name, count: header.nameLength),
                        value: header.value.map { UnsafeRawBufferPointer(start: $0, count: header.valueLength) })
                }
            }
            return builder.finish()
        }
    }
}

extension KafkaTimestamp {
    /// The timestamp of a message of librdkafka's.
    init(of message: UnsafePointer<rd_kafka_message_t>) {
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let milliseconds = rd_kafka_message_timestamp(message, &kind)
        switch kind {
        case RD_KAFKA_TIMESTAMP_CREATE_TIME: self.init(milliseconds: milliseconds, kind: .createTime)
        case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME: self.init(milliseconds: milliseconds, kind: .logAppendTime)
        default: self = .none
        }
    }
}
