// Records without CloudEvents headers: an envelope made of where they stand.

import EventJSON
import KafkaClient

/// Gives a record without CloudEvents headers the id and source of its place, which every reading of it finds again.
enum ForeignMode {
    /// The record with `ce_id` `<topic>/<partition>/<offset>`, `ce_source` `/topics/<topic>` and `ce_time` its timestamp.
    static func normalized(_ record: KafkaRecord, origin: RecordOrigin) -> KafkaRecord {
        var headers = record.headers.filter { !$0.name.hasPrefix("ce_") }
        headers.append(KafkaHeader(HeaderName.id.text, "\(origin.topic)/\(origin.partition)/\(origin.offset)"))
        headers.append(KafkaHeader(HeaderName.source.text, "/topics/\(origin.topic)"))
        if origin.timestamp.kind != .none {
            headers.append(
                KafkaHeader(HeaderName.time.text, RFC3339.text(milliseconds: origin.timestamp.milliseconds)))
        }
        return KafkaRecord(
            topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp,
            key: record.key.map { Array($0) }, value: record.value.map { Array($0) }, headers: headers)
    }
}
