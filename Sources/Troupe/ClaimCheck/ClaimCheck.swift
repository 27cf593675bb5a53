// The claim check: values too large for Kafka lie elsewhere, and their records say where.

package import KafkaClient

/// Keeps values that are too large for records.
///
/// When an event's value has more bytes than `ClaimCheckPolicy.threshold`, it is stored before its record is published;
/// the record has an empty value and the reference in the header `troupe-claim-check`. A service that has the same store
/// gets the value back before its handler runs.
///
/// ```swift
/// configuration.claimCheck = ClaimCheckPolicy(FileClaimCheck(directory: "/mnt/shared/claims"))
/// ```
///
/// What is stored must outlive the records that refer to it: nothing here removes it. Give the store a retention that is
/// longer than that of the event's topic and of the dead-letter topics that may hold the record.
public protocol ClaimCheck: Sendable {
    /// Keeps `bytes` and returns a reference by which every service finds them: at most 4,096 bytes of plain text.
    ///
    /// The same handling, run again, stores under the same event's id: storing again under an id replaces what is there,
    /// or keeps it.
    /// - Parameters:
    ///   - bytes: The value.
    ///   - eventID: The event's id.
    /// - Throws: Anything; the handling is tried again as its retry policy says.
    func store(_ bytes: [UInt8], eventID: String) async throws -> String

    /// Returns the bytes that `reference` stands for.
    ///
    /// The reference comes from a record that anybody may have written: treat it as hostile.
    /// - Throws: `ClaimCheckError` when it stands for nothing and never will: then the record is dead-lettered. Anything
    ///   else is tried again as the route's retry policy says.
    func fetch(_ reference: String) async throws -> [UInt8]
}

/// Where values go that are too large for records, and from what size on.
public struct ClaimCheckPolicy: Sendable {
    /// Keeps the values.
    public var store: any ClaimCheck
    /// Values with more bytes than this are stored; 256 KiB when nothing is said.
    public var threshold: Int

    /// Describes what is stored where.
    public init(_ store: any ClaimCheck, threshold: Int = 256 * 1024) {
        self.store = store
        self.threshold = max(threshold, 0)
    }
}

/// A reference that stands for no value, or a record that carries one where no store is known.
public struct ClaimCheckError: Error, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let description: String

    /// Describes what is wrong.
    public init(_ description: String) { self.description = description }
}

/// A value that is to be stored before its record is published.
package struct Claim: Sendable {
    /// Which of the emitter's messages it belongs to.
    package let message: Int
    /// The event's id.
    package let id: String
    package let value: [UInt8]
}

extension ClaimCheckPolicy? {
    /// The messages, after the values that are too large for them were stored.
    package func deposit(_ claims: [Claim], of messages: [PackedMessage]) async throws -> [PackedMessage] {
        guard let policy = self, !claims.isEmpty else { return messages }
        var messages = messages
        for claim in claims {
            let reference = try await policy.store.store(claim.value, eventID: claim.id)
            guard !reference.isEmpty, reference.utf8.count <= RawEnvelope.maxAttributeBytes else {
                throw ClaimCheckError(
                    "The store's reference for the event \(claim.id) has \(reference.utf8.count) bytes; it must have 1 to "
                        + "\(RawEnvelope.maxAttributeBytes)")
            }
            messages[claim.message].addHeader(HeaderName.claimCheck, reference)
        }
        return messages
    }
}

extension RecordProcessor {
    /// The messages of `emitter`, after the values that are too large for them were stored.
    func deposited(_ claims: [Claim], _ messages: [PackedMessage]) async throws -> Publications {
        .several(try await settings.claimCheck.deposit(claims, of: messages))
    }

    /// The handling of the same record with the value that its reference stands for.
    ///
    /// The record itself stays as it is: what is retried or dead-lettered goes on carrying the reference.
    func redeemed(_ handling: Handling) async throws -> Handling {
        let record = handling.record
        let type = EventType(handling.eventType)
        guard let reference = record.text(of: handling.envelope.claimCheck) else { return handling }
        guard let policy = settings.claimCheck else {
            throw DecodeFailure(
                type: type,
                underlying: ClaimCheckError(
                    "The value was too large for the record and lies elsewhere (\(HeaderName.claimCheck): \(reference)). "
                        + "Set the service's claimCheck to the store the publisher uses"))
        }
        let value: [UInt8]
        do { value = try await policy.store.fetch(reference) } catch let error as ClaimCheckError {
            throw DecodeFailure(type: type, underlying: error)
        }
        return handling.with(
            KafkaRecord(
                topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp,
                key: record.key.map { Array($0) }, value: value, headers: record.headers))
    }
}
