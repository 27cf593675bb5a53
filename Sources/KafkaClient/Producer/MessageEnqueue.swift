// Enqueues a message in its friendly form, without packing it first.

import CRDKafka

extension ProducerQueue {
    /// Enqueues a copy of `message`; its report will carry `opaque`.
    ///
    /// Never waits.
    func enqueue(_ message: borrowing KafkaMessage, opaque: UInt) -> EnqueueResult {
        guard let topic = handle(message.topic) else {
            return .refused(refusal(ofTopic: message.topic))
        }
        let headers = message.headers.isEmpty ? nil : Self.makeHeaders(message.headers)
        let error = withBytes(message.key) { key, keyLength in
            withBytes(message.value) { value, valueLength in
                var record = troupe_record(
                    topic: topic, partition: message.partition ?? -1, key: key, key_length: keyLength, value: value,
                    value_length: valueLength, timestamp: message.timestamp ?? 0, headers: headers,
                    opaque: UnsafeMutableRawPointer(bitPattern: opaque))
                return troupe_produce(client.pointer, &record)
            }
        }
        // The library owns the headers only when it took the record.
        if error != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        switch error {
        case RD_KAFKA_RESP_ERR_NO_ERROR: return .queued
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: return .full
        default:
            return .refused(
                KafkaError(error, "A record was refused", topic: message.topic, partition: message.partition))
        }
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
private func withBytes<Result>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> Result) -> Result {
    guard let bytes else { return body(nil, -1) }
    return bytes.withUnsafeBytes { body($0.baseAddress ?? emptyBytes, $0.count) }
}
