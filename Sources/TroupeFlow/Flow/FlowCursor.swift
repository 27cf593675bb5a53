// A place in the list of flows, from which its next page is asked for.

/// A place in the list of flows: behind the flow that it names, whether that is still there or not.
///
/// As text, and in JSON, it is the start and the id with a full stop between: `1795259700000.order-42`. It says what it says
/// of every list, whatever was asked for, and of every store that read the same records.
public struct FlowCursor: Sendable, Hashable {
    /// When the flow started, in milliseconds since 1970.
    public var startedAt: Int64
    /// The flow's id, by which flows of one millisecond are ordered.
    public var id: String

    /// Names a place.
    public init(startedAt: Int64, id: String) {
        self.startedAt = startedAt
        self.id = id
    }
}

extension FlowCursor: LosslessStringConvertible {
    /// Reads a place as `description` writes it; `nil` for other text.
    public init?(_ description: String) {
        // By bytes: an id may begin with a mark that would make one character with the full stop.
        guard let end = description.utf8.firstIndex(of: UInt8(ascii: ".")), let startedAt = Int64(description[..<end])
        else { return nil }
        self.init(startedAt: startedAt, id: String(description[description.utf8.index(after: end)...]))
    }

    /// The start and the id, with a full stop between.
    public var description: String { "\(startedAt).\(id)" }
}

extension FlowCursor: Codable {
    /// Reads a place from text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let cursor = FlowCursor(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "A place in the list of flows is a start and an id")
        }
        self = cursor
    }

    /// Writes the place as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
