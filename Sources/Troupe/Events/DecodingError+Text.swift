// What a decoding error says to people: where, what was expected, what was found.

extension DecodingError {
    /// Where in the value, what was expected, and what was found, in one line.
    package var plainText: String {
        switch self {
        case .typeMismatch(_, let context): Self.text(context.codingPath, context.debugDescription)
        case .valueNotFound(let type, let context):
            Self.text(context.codingPath, "Expected \(type) but found null")
        case .keyNotFound(let key, let context):
            Self.text(context.codingPath, "The field \"\(key.stringValue)\" is missing")
        case .dataCorrupted(let context):
            Self.text(context.codingPath, context.debugDescription)
                + (context.underlyingError.map { " (\(Self.text(of: $0)))" } ?? "")
        @unknown default: "\(self)"
        }
    }

    private static func text(_ path: [any CodingKey], _ what: String) -> String {
        let sentence = what.last == "." ? String(what.dropLast()) : what
        guard !path.isEmpty else { return sentence }
        var place = ""
        for key in path {
            if let index = key.intValue {
                place += "[\(index)]"
            } else {
                place += (place.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return "At \(place): \(sentence)"
    }

    /// Foundation's parser says where the text is wrong in an error of its own.
    private static func text(of error: any Error) -> String {
        if let error = error as? DecodingError { return error.plainText }
        let text = "\(error)"
        guard let start = text.firstRange(of: "NSDebugDescription=")?.upperBound else { return text }
        return String(text[start...].prefix { $0 != "," && $0 != "}" })
    }
}
