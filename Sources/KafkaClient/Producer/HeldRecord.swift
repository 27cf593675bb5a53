// A record that is held back, in the form it came in: keeping it copies nothing.

import CRDKafka

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A record that waits before librdkafka gets it.
struct HeldRecord: Sendable {
    enum Content: Sendable {
        case packed(PackedMessage)
        case message(KafkaMessage)
    }

    let content: Content
    let opaque: UInt
    /// When it began to wait; nanoseconds of the monotonic clock.
    let since: UInt64
    /// Its timestamp: that of its sender, or the time when it began to wait, in milliseconds since 1970.
    private let timestamp: Int64

    init(_ content: Content, opaque: UInt) {
        self.content = content
        self.opaque = opaque
        since = SendWindow.now
        let own =
            switch content {
            case .packed(let record): record.timestamp
            case .message(let message): message.timestamp ?? 0
            }
        timestamp = own > 0 ? own : Self.wallMilliseconds
    }

    private static var wallMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// The record in the form that can be sent again.
    var packed: PackedMessage {
        switch content {
        case .packed(let record): record
        case .message(let message): PackedMessage(message)
        }
    }

    /// Gives the record to librdkafka.
    func produce(_ client: OpaquePointer, _ topic: OpaquePointer, _ windows: TopicWindows) -> rd_kafka_resp_err_t {
        switch content {
        case .packed(let record):
            windows.produce(record.partition) { record.produce(client, topic, opaque: opaque, timestamp: timestamp) }
        case .message(let message):
            windows.produce(message.partition ?? -1) {
                message.produce(client, topic, opaque: opaque, timestamp: timestamp)
            }
        }
    }
}

/// A record that librdkafka refused, or was never given, after its sender was told that it is queued.
final class HeldRefusal: Sendable {
    let topic: String
    let record: HeldRecord
    let error: KafkaError

    init(topic: String, record: HeldRecord, error: KafkaError) {
        self.topic = topic
        self.record = record
        self.error = error
    }
}

extension PackedMessage {
    /// The bytes it takes in a request at most, but for the lengths of large fields.
    var requestBytes: Int { byteCount + 64 + 8 * headerCount }

    /// Gives a copy of the record to librdkafka.
    func produce(
        _ client: OpaquePointer, _ topic: OpaquePointer, opaque: UInt, timestamp: Int64
    ) -> rd_kafka_resp_err_t {
        withBase { base -> rd_kafka_resp_err_t in
            let (key, value) = (key, value)
            let headers = headerCount > 0 ? rd_kafka_headers_new(headerCount) : nil
            forEachHeader { name, value in
                // Names and values that are empty have an address all the same; only a null value has none.
                rd_kafka_header_add(
                    headers, name.baseAddress?.assumingMemoryBound(to: CChar.self), name.count, value?.baseAddress,
                    value?.count ?? 0)
            }
            var packed = troupe_record(
                topic: topic, partition: partition, key: base + Int(key.start), key_length: Int(key.length),
                value: base + Int(value.start), value_length: Int(value.length), timestamp: timestamp,
                headers: headers, opaque: UnsafeMutableRawPointer(bitPattern: opaque))
            let error = troupe_produce(client, &packed)
            // The library owns the headers only when it took the record.
            if error != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
            return error
        }
    }
}

extension KafkaMessage {
    /// The bytes of key, value, header names and header values.
    var byteCount: Int {
        var count = (key?.count ?? 0) + (value?.count ?? 0)
        for header in headers { count += header.name.utf8.count + (header.value?.count ?? 0) }
        return count
    }

    /// The bytes it takes in a request at most, but for the lengths of large fields.
    var requestBytes: Int { byteCount + 64 + 8 * headers.count }

    /// Gives a copy of the record to librdkafka, without packing it first.
    func produce(
        _ client: OpaquePointer, _ topic: OpaquePointer, opaque: UInt, timestamp: Int64
    ) -> rd_kafka_resp_err_t {
        let headers = headers.isEmpty ? nil : Self.makeHeaders(headers)
        let error = withBytes(key) { key, keyLength in
            withBytes(value) { value, valueLength in
                var record = troupe_record(
                    topic: topic, partition: partition ?? -1, key: key, key_length: keyLength, value: value,
                    value_length: valueLength, timestamp: timestamp, headers: headers,
                    opaque: UnsafeMutableRawPointer(bitPattern: opaque))
                return troupe_produce(client, &record)
            }
        }
        // The library owns the headers only when it took the record.
        if error != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        return error
    }

    private static func makeHeaders(_ headers: [KafkaHeader]) -> OpaquePointer? {
        let list = rd_kafka_headers_new(headers.count)
        for header in headers {
            var name = header.name
            name.withUTF8 { name in
                withBytes(header.value) { value, length in
                    // An empty name still needs a pointer that is not null.
                    let start = UnsafeRawPointer(name.baseAddress) ?? emptyBytes
                    rd_kafka_header_add(
                        list, start.assumingMemoryBound(to: CChar.self), name.count, value, max(length, 0))
                }
            }
        }
        return list
    }
}

/// Calls `body` with the bytes; a null pointer and -1 stand for `nil`, a pointer and 0 for no bytes.
@inline(__always)
func withBytes<Result>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> Result) -> Result {
    guard let bytes else { return body(nil, -1) }
    return bytes.withUnsafeBytes { body($0.baseAddress ?? emptyBytes, $0.count) }
}
