// Server-Sent Events, as the HTML standard writes them (section 9.2).

/// One event of an event stream.
public struct ServerSentEvent: Sendable, Hashable {
    /// What a client that lost the connection sends as `Last-Event-ID`; `nil` leaves the last one in place.
    public var id: String?
    /// The event's name; `nil` for `message`.
    public var event: String?
    /// The data; line breaks are kept.
    public var data: [UInt8]
    /// How many milliseconds a client that lost the connection waits before it connects again; `nil` leaves it as it is.
    public var retry: Int?

    /// Makes an event whose data is text.
    public init(_ data: String, event: String? = nil, id: String? = nil, retry: Int? = nil) {
        self.init(bytes: Array(data.utf8), event: event, id: id, retry: retry)
    }

    /// Makes an event whose data is UTF-8.
    public init(bytes: [UInt8], event: String? = nil, id: String? = nil, retry: Int? = nil) {
        data = bytes
        self.event = event
        self.id = id
        self.retry = retry
    }

    /// The event as it is sent.
    public var framed: [UInt8] {
        var bytes: [UInt8] = []
        if let retry { Self.append("retry", String(retry).utf8, to: &bytes) }
        if let id { Self.append("id", Self.oneLine(id), to: &bytes) }
        if let event { Self.append("event", Self.oneLine(event), to: &bytes) }
        // A carriage return ends a line too.
        var rest = data[...]
        repeat {
            let end = rest.firstIndex { $0 == 0x0a || $0 == 0x0d } ?? rest.endIndex
            Self.append("data", rest[..<end], to: &bytes)
            guard end < rest.endIndex else { break }
            let next = end + 1
            rest = rest[end] == 0x0d && next < rest.endIndex && rest[next] == 0x0a ? rest[(next + 1)...] : rest[next...]
        } while true
        bytes.append(0x0a)
        return bytes
    }

    /// A comment, which clients pass over.
    static let heartbeat: [UInt8] = Array(":\n\n".utf8)

    private static func append(_ name: StaticString, _ value: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: name.description.utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: value)
        bytes.append(0x0a)
    }

    /// A field's value cannot hold a line break, nor an id a NUL.
    private static func oneLine(_ text: String) -> [UInt8] { text.utf8.filter { $0 != 0x0a && $0 != 0x0d && $0 != 0 } }
}
