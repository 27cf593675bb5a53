// The names of the headers Troupe reads and writes, in one place.

/// Headers of CloudEvents 1.0 in Kafka's binary mode, with the correlation extension and W3C Trace Context.
package enum HeaderName {
    package static let specVersion: StaticString = "ce_specversion"
    package static let id: StaticString = "ce_id"
    package static let type: StaticString = "ce_type"
    package static let source: StaticString = "ce_source"
    package static let time: StaticString = "ce_time"
    package static let subject: StaticString = "ce_subject"
    package static let dataSchema: StaticString = "ce_dataschema"
    package static let correlationID: StaticString = "ce_correlationid"
    package static let causationID: StaticString = "ce_causationid"
    package static let contentType: StaticString = "content-type"
    package static let traceParent: StaticString = "traceparent"
    package static let traceState: StaticString = "tracestate"
    /// Where the value lies that was too large for the record.
    package static let claimCheck: StaticString = "troupe-claim-check"
}

/// Headers that say how a record failed.
///
/// All begin with `troupe-`; numbers are decimal, times are milliseconds since 1970.
package enum FailureHeaderName {
    package static let prefix: StaticString = "troupe-"
    package static let originTopic: StaticString = "troupe-origin-topic"
    package static let originPartition: StaticString = "troupe-origin-partition"
    package static let originOffset: StaticString = "troupe-origin-offset"
    package static let originTimestamp: StaticString = "troupe-origin-timestamp"
    package static let service: StaticString = "troupe-service"
    package static let reason: StaticString = "troupe-reason"
    package static let attempt: StaticString = "troupe-attempt"
    package static let notBefore: StaticString = "troupe-not-before"
    package static let firstFailedAt: StaticString = "troupe-first-failed-at"
    package static let errorType: StaticString = "troupe-error-type"
    package static let errorMessage: StaticString = "troupe-error-message"
    package static let fingerprint: StaticString = "troupe-fingerprint"
    package static let replayCount: StaticString = "troupe-replay-count"
    package static let valueOmitted: StaticString = "troupe-value-omitted"
    package static let headersOmitted: StaticString = "troupe-headers-omitted"
    package static let keyOmitted: StaticString = "troupe-key-omitted"

    /// Every one of them: these are replaced, never repeated, when a record fails again.
    package static let all: [StaticString] = [
        originTopic, originPartition, originOffset, originTimestamp, service, reason, attempt, notBefore,
        firstFailedAt, errorType, errorMessage, fingerprint, replayCount, valueOmitted, headersOmitted, keyOmitted,
    ]

    /// Whether `name` is one of them.
    static func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        name.starts(with: prefix) && all.contains { name.equals($0) }
    }
}

extension StaticString {
    /// The text; these names are all ASCII with a pointer representation.
    package var text: String { String(describing: self) }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of `text`.
    @inline(__always)
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        // The text's own count, which is known when this is compiled: no loop is left.
        return bytes(equal: UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// Whether the bytes are those of `other`.
    @inline(__always)
    func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let start = other.baseAddress else { return count == other.count }
        return bytes(equal: start, count)
    }

    /// Whether the bytes begin with those of `text`.
    func starts(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && UnsafeRawBufferPointer(rebasing: self[..<text.utf8CodeUnitCount])
                .bytes(equal: UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// Whether the first `count` bytes, which there must be, are those at `other`.
    @inline(__always)
    private func bytes(equal other: UnsafeRawPointer, _ count: Int) -> Bool {
        guard let base = baseAddress else { return true }
        if count >= 8 {
            var index = 0
            while index &+ 8 <= count {
                if Self.differ(base + index, other + index, UInt64.self) { return false }
                index &+= 8
            }
            // The last eight bytes, some of them for the second time.
            return !Self.differ(base + (count &- 8), other + (count &- 8), UInt64.self)
        }
        if count >= 4 {
            return !Self.differ(base, other, UInt32.self)
                && !Self.differ(base + (count &- 4), other + (count &- 4), UInt32.self)
        }
        var index = 0
        while index < count {
            if Self.differ(base + index, other + index, UInt8.self) { return false }
            index &+= 1
        }
        return true
    }

    @inline(__always)
    private static func differ<Word: FixedWidthInteger & BitwiseCopyable>(
        _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ type: Word.Type
    ) -> Bool { a.loadUnaligned(as: type) != b.loadUnaligned(as: type) }
}
