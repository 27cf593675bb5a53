// Lays the bytes of a record into one allocation.

import CRDKafka

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Fills a record's single allocation: header table, then key, value and headers in the order they are set.
struct RecordBuilder {
    private let storage: RecordStorage
    private var end: Int
    private var key: (start: UInt32, length: UInt32) = (0, RecordStorage.null)
    private var value: (start: UInt32, length: UInt32) = (0, RecordStorage.null)
    private let headerCount: Int

    /// Reserves room for `headerCount` headers and `byteCount` bytes of key, value, names and header values.
    @inline(__always)
    init(headerCount: Int, byteCount: Int) {
        end = headerCount * RecordStorage.entrySize
        self.headerCount = headerCount
        let buffer = RecordStorage.create(minimumCapacity: end + byteCount) { _ in
            RecordFields(
                topic: "", offset: 0, timestamp: .none, partition: 0, headerCount: 0, keyStart: 0,
                keyLength: RecordStorage.null, valueStart: 0, valueLength: RecordStorage.null)
        }
        // `create` makes an instance of the class it is called on but is typed as its superclass.
        storage = unsafeDowncast(buffer, to: RecordStorage.self)
    }

    @inline(__always)
    mutating func setKey(_ bytes: UnsafeRawBufferPointer?) { key = append(bytes) }

    @inline(__always)
    mutating func setValue(_ bytes: UnsafeRawBufferPointer?) { value = append(bytes) }

    @inline(__always)
    mutating func setHeader(_ index: Int, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        let entry = storage.base + index * RecordStorage.entrySize
        let name = append(name)
        let value = append(value)
        entry.storeBytes(of: name.start, as: UInt32.self)
        entry.storeBytes(of: name.length, toByteOffset: 4, as: UInt32.self)
        entry.storeBytes(of: value.start, toByteOffset: 8, as: UInt32.self)
        entry.storeBytes(of: value.length, toByteOffset: 12, as: UInt32.self)
    }

    @inline(__always)
    private mutating func append(_ bytes: UnsafeRawBufferPointer?) -> (start: UInt32, length: UInt32) {
        guard let bytes else { return (UInt32(end), RecordStorage.null) }
        if let source = bytes.baseAddress, bytes.count > 0 { memcpy(storage.base + end, source, bytes.count) }
        defer { end += bytes.count }
        return (UInt32(end), UInt32(bytes.count))
    }

    @inline(__always)
    consuming func finish(topic: String, partition: Int32, offset: Int64, timestamp: KafkaTimestamp) -> KafkaRecord {
        storage.header = RecordFields(
            topic: topic, offset: offset, timestamp: timestamp, partition: partition, headerCount: Int32(headerCount),
            keyStart: key.start, keyLength: key.length, valueStart: value.start, valueLength: value.length,
            byteCount: UInt32(end - headerCount * RecordStorage.entrySize))
        return KafkaRecord(storage: storage)
    }
}

extension KafkaRecord {
    /// Copies a message of librdkafka.
    ///
    /// The message may be destroyed afterwards.
    init(copying message: UnsafePointer<rd_kafka_message_t>, topic: String) {
        let fields = message.pointee
        var headers: OpaquePointer?
        var count = 0
        if rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers {
            count = rd_kafka_header_cnt(headers)
        }
        let timestamp = KafkaTimestamp(of: message)
        typealias Entry = (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?)
        self = withUnsafeTemporaryAllocation(of: Entry.self, capacity: max(count, 1)) { entries in
            var total = fields.key_len + fields.len
            var found = 0
            while let headers, found < count {
                var name: UnsafePointer<CChar>?
                var value: UnsafeRawPointer?
                var length = 0
                guard rd_kafka_header_get_all(headers, found, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR,
                    let name
                else { break }
                let entry: Entry = (
                    UnsafeRawBufferPointer(start: name, count: strlen(name)),
                    value.map { UnsafeRawBufferPointer(start: $0, count: length) }
                )
                entries.initializeElement(at: found, to: entry)
                total += entry.name.count + length
                found += 1
            }
            var builder = RecordBuilder(headerCount: found, byteCount: total)
            builder.setKey(fields.key.map { UnsafeRawBufferPointer(start: $0, count: fields.key_len) })
            builder.setValue(fields.payload.map { UnsafeRawBufferPointer(start: $0, count: fields.len) })
            for index in 0..<found {
                builder.setHeader(index, name: entries[index].name, value: entries[index].value)
            }
            return builder.finish(
                topic: topic, partition: fields.partition, offset: fields.offset, timestamp: timestamp)
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
