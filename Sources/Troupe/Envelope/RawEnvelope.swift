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
    ///
    /// - Parameter isKnown: Whether the type is one that a route names, which is usable.
    @inline(__always)
    func checkType(in record: KafkaRecord, isKnown: Bool) throws(EnvelopeFailure) {
        if isKnown, record.withUnsafeBytes(of: specVersion, { $0.equals("1.0") }) { return }
        try checkUnusualType(in: record)
    }

    private func checkUnusualType(in record: KafkaRecord) throws(EnvelopeFailure) {
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
        guard slice.count <= maxAttributeBytes else { throw tooLong(name, slice.count) }
        guard record.withUnsafeBytes(of: slice, { $0.isPlainText }) else { throw noText(name) }
    }

    @inline(never)
    private static func tooLong(_ name: StaticString, _ count: Int) -> EnvelopeFailure {
        EnvelopeFailure(
            .invalidAttribute, "The header \(name) has \(count) bytes; at most \(maxAttributeBytes) are read")
    }

    @inline(never)
    private static func noText(_ name: StaticString) -> EnvelopeFailure {
        EnvelopeFailure(.invalidAttribute, "The header \(name) is not UTF-8 without control characters")
    }
}

extension String {
    /// The text of printable ASCII; `nil` for any other bytes, text or not.
    ///
    /// Cheaper than validating in general.
    init?(ascii bytes: UnsafeRawBufferPointer) {
        guard bytes.isPlainASCII else { return nil }
        self = String(decoding: bytes, as: UTF8.self)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes are printable ASCII.
    var isPlainASCII: Bool { allSatisfy { $0 >= 0x20 && $0 < 0x7f } }

    /// Whether the bytes are valid UTF-8 without control characters.
    @inline(__always)
    var isPlainText: Bool {
        guard let base = baseAddress else { return true }
        // Eight bytes at once: all of them printable ASCII is the usual case.
        guard count >= 8 else {
            for byte in self where byte < 0x20 || byte >= 0x7f { return isPlainUnicode }
            return true
        }
        var unusual: UInt64 = 0
        var index = 0
        while index + 8 <= count {
            unusual |= Self.unusual((base + index).loadUnaligned(as: UInt64.self))
            index += 8
        }
        // The last eight bytes, some of them for the second time.
        unusual |= Self.unusual((base + (count - 8)).loadUnaligned(as: UInt64.self))
        return unusual & 0x8080_8080_8080_8080 == 0 ? true : isPlainUnicode
    }

    /// The highest bit of each byte that is no printable ASCII, and perhaps of bytes above such a one.
    @inline(__always)
    private static func unusual(_ word: UInt64) -> UInt64 {
        // Adding 1 carries 0x7f into the highest bit; taking 0x20 from less than that borrows from it.
        word | (word &- 0x2020_2020_2020_2020) | (word &+ 0x0101_0101_0101_0101)
    }

    @inline(never)
    private var isPlainUnicode: Bool {
        guard let text = String(validating: self, as: UTF8.self) else { return false }
        return !text.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }
    }
}
