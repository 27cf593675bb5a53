// An error as headers and logs can hold it: type, message, fingerprint.

/// The type, message and fingerprint of an error.
package struct ErrorSummary: Sendable, Hashable {
    /// The most bytes of a message that are kept.
    package static let maxMessageBytes = 4096

    /// The error's type, such as `Shipping.CountryUnknown`.
    package let type: String
    /// The error's text, at most 4 KiB, cut on a character boundary.
    package let message: String

    /// Describes an error.
    package init(_ error: any Error) {
        self.init(type: Self.stableName(of: Swift.type(of: error)), message: String(describing: error))
    }

    /// Describes an error by its parts.
    package init(type: String, message: String) {
        self.type = Self.cut(type, 512)
        self.message = Self.cut(message, Self.maxMessageBytes)
    }

    /// A short text by which equal failures are grouped: a hash of the type and of the message with every word that
    /// has a digit in it replaced, so that ids and counts make no difference.
    package var fingerprint: String {
        var hash = SipHash128()
        hash.updateField(type)
        hash.updateField(Self.normalized(message))
        return Hex.text(hash.finish().0.byteSwapped)
    }

    /// The text with each word that has a digit in it replaced by `#`.
    static func normalized(_ text: String) -> String {
        var result: [UInt8] = []
        var word: [UInt8] = []
        var hasDigit = false
        func endWord() {
            if hasDigit { result.append(UInt8(ascii: "#")) } else { result.append(contentsOf: word) }
            word.removeAll(keepingCapacity: true)
            hasDigit = false
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                hasDigit = true
                word.append(byte)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
                UInt8(ascii: "_"), 0x80...:
                word.append(byte)
            default:
                endWord()
                result.append(byte)
            }
        }
        endWord()
        return String(decoding: result, as: UTF8.self)
    }

    /// At most `limit` bytes of the text, cut between characters.
    static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var end = text.startIndex
        var bytes = 0
        for index in text.indices {
            bytes += text[index].utf8.count
            guard bytes <= limit else { break }
            end = text.index(after: index)
        }
        return String(text[..<end])
    }

    /// The full name of a type without the addresses that Swift puts into the names of private ones.
    private static func stableName(of type: any Any.Type) -> String {
        var name = String(reflecting: type)[...]
        var result = ""
        while let start = name.range(of: "(unknown context at ") {
            result += name[..<start.lowerBound]
            name = name[start.upperBound...]
            guard let end = name.firstIndex(of: ")") else { break }
            name = name[name.index(after: end)...]
            if name.first == "." { name = name.dropFirst() }
        }
        return result + name
    }
}

extension Substring {
    /// The first place of `text`, found without Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index..<self.index(index, offsetBy: text.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
