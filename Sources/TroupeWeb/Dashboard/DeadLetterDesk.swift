// Dead letters as the page sees them: who reads them and sends them again is told by the program.

/// Reads dead letters and sends them again.
///
/// `troupe dashboard` brings one that reads the dead-letter topics.
public protocol DeadLetterDesk: Sendable {
    /// The letters there are, newest first, as many as the desk keeps in sight.
    func letters() async throws -> DeadLetterList
    /// One letter with its bytes; `nil` when there is none at the place.
    func letter(at place: String) async throws -> DeadLetterContent?
    /// Sends letters back to the service that failed, each at most once.
    ///
    /// - Parameter places: Where they lie, as `DeadLetterSummary.place` says.
    func replay(_ places: [String]) async throws -> DeadLetterReplay
}

/// The letters that a desk has in sight.
public struct DeadLetterList: Sendable, Hashable {
    /// The letters, newest first.
    public var letters: [DeadLetterSummary]
    /// Whether there are older ones that the desk does not keep in sight.
    public var isTruncated: Bool

    /// Collects letters.
    public init(letters: [DeadLetterSummary], isTruncated: Bool) {
        self.letters = letters
        self.isTruncated = isTruncated
    }
}

/// A dead letter as a line of a list.
///
/// Times are milliseconds since 1970.
public struct DeadLetterSummary: Sendable, Hashable, Codable, Identifiable {
    /// Where it lies: `topic/partition/offset`.
    public var place: String
    /// The service that failed.
    public var service: String
    /// The topic the event came from.
    public var topic: String
    /// The event's type.
    public var type: String?
    /// The event's id.
    public var event: String?
    /// The flow's id.
    public var flow: String?
    /// What equal failures have in common; empty when it is not known.
    public var fingerprint: String
    /// The error's type.
    public var errorType: String?
    /// What the error says.
    public var errorMessage: String?
    /// Why it was given up, in a word.
    public var reason: String?
    /// How many attempts were made.
    public var attempts: Int?
    /// When the letter was written.
    public var writtenAt: Int64
    /// When the event failed first.
    public var firstFailedAt: Int64?
    /// How many times the event had been sent again before.
    public var replays: Int
    /// When this letter was sent again; `nil` when it was not.
    public var replayedAt: Int64?

    /// Describes a letter.
    public init(place: String, service: String, topic: String, fingerprint: String, writtenAt: Int64, replays: Int = 0)
    {
        self.place = place
        self.service = service
        self.topic = topic
        self.fingerprint = fingerprint
        self.writtenAt = writtenAt
        self.replays = replays
    }

    /// Where it lies.
    public var id: String { place }
}

/// A dead letter with its bytes.
public struct DeadLetterContent: Sendable, Hashable {
    /// A header of the letter's record.
    public struct Header: Sendable, Hashable, Codable {
        /// The header's name.
        public var name: String
        /// The header's value as text.
        public var value: String

        /// Describes a header.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The letter as a line of a list.
    public var summary: DeadLetterSummary
    /// The record's key as text.
    public var key: String?
    /// The record's headers.
    public var headers: [Header]
    /// The record's value.
    public var value: [UInt8]?
    /// How many bytes the value had that was too large to be kept.
    public var omittedBytes: Int?

    /// Describes a letter.
    public init(
        summary: DeadLetterSummary, key: String?, headers: [Header], value: [UInt8]?, omittedBytes: Int? = nil
    ) {
        self.summary = summary
        self.key = key
        self.headers = headers
        self.value = value
        self.omittedBytes = omittedBytes
    }
}

/// What a replay did.
public struct DeadLetterReplay: Sendable, Hashable, Codable {
    /// How many letters were sent.
    public var sent: Int
    /// How many were left out because they had been sent before.
    public var skipped: Int
    /// Why others cannot be sent.
    public var refusals: [String]

    /// Counts letters.
    public init(sent: Int, skipped: Int, refusals: [String]) {
        self.sent = sent
        self.skipped = skipped
        self.refusals = refusals
    }
}
