// Decoding of paths and queries (RFC 3986).

/// Percent-encoding.
enum PercentCoding {
    /// Decodes `text`; `nil` when an escape is broken, or what comes out is no UTF-8 or has a NUL.
    static func decode(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                let value = high << 4 | low
                guard value != 0 else { return nil }
                bytes.append(value)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// What stands behind the `?` of a request's target, decoded.
public struct HTTPQuery: Sendable, Hashable {
    private var items: [Item] = []

    private struct Item: Sendable, Hashable {
        var name: String
        var value: String
    }

    /// Makes an empty query.
    public init() {}

    /// Decodes a query like `a=1&b=two+words`; `nil` when it cannot be decoded.
    public init?(_ text: some StringProtocol) {
        for part in Substring(text).split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(pair[0], plusIsSpace: true),
                let value = PercentCoding.decode(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
            else { return nil }
            items.append(Item(name: name, value: value))
        }
    }

    /// The first value of a name; `nil` when it is not there.
    public subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    /// All values of a name, in order.
    public func values(of name: String) -> [String] { items.lazy.filter { $0.name == name }.map(\.value) }
}

/// What a request asks for: the two halves of its target.
struct RequestTarget: Sendable, Hashable {
    /// The path, still encoded.
    var path: String
    /// What stands behind the first `?`, still encoded.
    var query: String

    /// Takes a target apart; `nil` when it is neither in origin form nor in absolute form (RFC 9112, section 3.2).
    init?(_ target: String) {
        var rest = target[...]
        for scheme in ["http://", "https://"] where rest.lowercased().hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            rest = rest.drop { $0 != "/" && $0 != "?" }
            if rest.first != "/" { rest = "/" + rest }
        }
        guard rest.first == "/" else { return nil }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts[0])
        query = parts.count > 1 ? String(parts[1]) : ""
    }
}
