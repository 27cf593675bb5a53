// Why a record's envelope cannot be used.

/// A record's headers do not make an event: what is wrong with them.
public struct EnvelopeFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of defect.
    ///
    /// New ones may be added: always keep a default case.
    public struct Reason: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The name as it stands in the header `troupe-reason`.
        public let rawValue: String

        /// Names a reason.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The record has no CloudEvents headers and no route says how to read it without.
        public static let notCloudEvent = Reason(rawValue: "not-a-cloudevent")
        /// A required attribute is missing, null or empty.
        public static let missingAttribute = Reason(rawValue: "missing-attribute")
        /// An attribute is no text, too long or malformed.
        public static let invalidAttribute = Reason(rawValue: "invalid-attribute")
        /// The version of CloudEvents is another than 1.0.
        public static let unsupportedVersion = Reason(rawValue: "unsupported-specversion")
        /// A structured event cannot be read.
        public static let malformedStructure = Reason(rawValue: "malformed-structured-event")

        /// The name.
        public var description: String { rawValue }
    }

    /// The kind of defect.
    public var reason: Reason
    /// What is wrong, naming the header, in one sentence.
    ///
    /// Never the header's value.
    public var detail: String

    /// Says what is wrong.
    public init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }

    /// What is wrong, in one sentence.
    public var description: String { detail }
}
