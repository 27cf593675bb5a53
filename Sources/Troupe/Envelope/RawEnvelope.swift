// One pass over a record's headers: where the attributes of its event lie.

import KafkaClient

/// The places of an event's attributes within its record.
///
/// No text is made until somebody asks.
struct RawEnvelope: Sendable {
    /// The most bytes an attribute may have.
    ///
    /// CloudEvents sets no bound; this one keeps headers from being a weapon.
    static let maxAttributeBytes = 4096

    var specVersion = RecordSlice.null
    var id = RecordSlice.null
    var type = RecordSlice.null
    var source = RecordSlice.null
    var time = RecordSlice.null
    var subject = RecordSlice.null
    var dataSchema = RecordSlice.null
    var correlationID = RecordSlice.null
    var causationID = RecordSlice.null
    var contentType = RecordSlice.null
    var traceParent = RecordSlice.null
    var traceState = RecordSlice.null
    var claimCheck = RecordSlice.null

    /// Finds the attributes.
    ///
    /// The last of several headers of one name wins, as in Kafka's own clients.
    @inline(__always)
    init(scanning record: KafkaRecord) {
        var found = RawEnvelope()
        record.forEachHeaderSlice { name, value in
            switch name.count {
            case 5 where name.equals(HeaderName.id): found.id = value
            case 7 where name.equals(HeaderName.type): found.type = value
            case 7 where name.equals(HeaderName.time): found.time = value
            case 9 where name.equals(HeaderName.source): found.source = value
            case 10 where name.equals(HeaderName.subject): found.subject = value
            case 10 where name.equals(HeaderName.traceState): found.traceState = value
            case 11 where name.equals(HeaderName.traceParent): found.traceParent = value
            case 12 where name.equals(HeaderName.contentType): found.contentType = value
            case 13 where name.equals(HeaderName.dataSchema): found.dataSchema = value
            case 14 where name.equals(HeaderName.specVersion): found.specVersion = value
            case 14 where name.equals(HeaderName.causationID): found.causationID = value
            case 18 where name.equals(HeaderName.claimCheck): found.claimCheck = value
            case 16 where name.equals(HeaderName.correlationID): found.correlationID = value
            default: break
            }
        }
        self = found
    }

    private init() {}

    /// Whether the record carries no attribute of CloudEvents at all.
    var isForeign: Bool { specVersion.isNull && id.isNull && type.isNull && source.isNull }

    /// Checks the attributes that CloudEvents requires and the ones Troupe uses.
    ///
    /// The event's type is checked first by `checkType`, so that events nobody routes are never looked at further.
    func check(in record: KafkaRecord) throws(EnvelopeFailure) {
        try Self.require(id, HeaderName.id, in: record)
        try Self.require(source, HeaderName.source, in: record)
        try Self.checkText(correlationID, HeaderName.correlationID, in: record)
        try Self.checkText(causationID, HeaderName.causationID, in: record)
        try Self.checkText(subject, HeaderName.subject, in: record)
        try Self.checkText(claimCheck, HeaderName.claimCheck, in: record)
    }

    /// Checks that there is a usable type, and the version of CloudEvents.
    func checkType(in record: KafkaRecord) throws(EnvelopeFailure) {
        try Self.require(type, HeaderName.type, in: record)
        try Self.require(specVersion, HeaderName.specVersion, in: record)
        guard record.withUnsafeBytes(of: specVersion, { $0.equals("1.0") }) else {
            throw EnvelopeFailure(
                .unsupportedVersion, "The header ce_specversion is not 1.0, the only version Troupe reads")
        }
    }

    private static func require(
        _ slice: RecordSlice, _ name: StaticString, in record: KafkaRecord
    ) throws(EnvelopeFailure) {
        guard slice.count > 0 else {
            throw EnvelopeFailure(.missingAttribute, "The header \(name) is missing or empty")
        }
        try checkText(slice, name, in: record)
    }

    private static func checkText(
        _ slice: RecordSlice, _ name: StaticString, in record: KafkaRecord
    ) throws(EnvelopeFailure) {
        guard !slice.isNull else { return }
        guard slice.count <= maxAttributeBytes else {
            throw EnvelopeFailure(
                .invalidAttribute, "The header \(name) has \(slice.count) bytes; at most \(maxAttributeBytes) are read")
        }
        guard record.withUnsafeBytes(of: slice, { $0.isPlainText }) else {
            throw EnvelopeFailure(.invalidAttribute, "The header \(name) is not UTF-8 without control characters")
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are valid UTF-8 without control characters.
    var isPlainText: Bool {
        guard let base = baseAddress else { return true }
        // Eight bytes at once: all of them printable ASCII is the usual case.
        let high: UInt64 = 0x8080_8080_8080_8080
        var index = 0
        while index + 8 <= count {
            let word = (base + index).loadUnaligned(as: UInt64.self)
            let del = word ^ 0x7f7f_7f7f_7f7f_7f7f
            let unusual =
                word | (word &- 0x2020_2020_2020_2020) | ((del &- 0x0101_0101_0101_0101) & ~del)
            if unusual & high != 0 { return isPlainUnicode }
            index += 8
        }
        while index < count {
            let byte = (base + index).load(as: UInt8.self)
            if byte < 0x20 || byte >= 0x7f { return isPlainUnicode }
            index += 1
        }
        return true
    }

    private var isPlainUnicode: Bool {
        guard let text = String(validating: self, as: UTF8.self) else { return false }
        return !text.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }
    }
}
