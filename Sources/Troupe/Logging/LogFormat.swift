// The text of a log line, for people and for machines.

import EventJSON

/// How log lines are written.
public enum LogFormat: String, Sendable, Hashable, CaseIterable {
    /// One readable line: time, level, label, message, values.
    case text
    /// One JSON object a line.
    case json

    /// The line's text, ended by a newline.
    /// - Parameter milliseconds: the time of the line, since 1970.
    func render(_ line: LogLine, milliseconds: Int64) -> String {
        switch self {
        case .text:
            var text = "\(RFC3339.text(milliseconds: milliseconds)) \(line.level.rawValue.uppercased()) "
            text += "\(line.label): \(Self.oneLine(line.message))"
            for (key, value) in line.metadata.sorted(by: { $0.key < $1.key }) {
                text += " \(key)=\(Self.word(value))"
            }
            return text + "\n"
        case .json:
            var text = "{\"time\":\"\(RFC3339.text(milliseconds: milliseconds))\",\"level\":\"\(line.level.rawValue)\""
            text += ",\"label\":\(Self.json(line.label)),\"message\":\(Self.json(line.message))"
            for (key, value) in line.metadata.sorted(by: { $0.key < $1.key }) {
                // The fixed members come first and cannot be written twice.
                let key = ["time", "level", "label", "message"].contains(key) ? "_\(key)" : key
                text += ",\(Self.json(key)):\(Self.json(value))"
            }
            return text + "}\n"
        }
    }

    private static func word(_ value: String) -> String {
        let plain = !value.isEmpty && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" }
        return plain ? oneLine(value) : json(value)
    }

    // Control characters could forge lines or move the cursor.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                escaped.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            } else {
                escaped.append(scalar)
            }
        }
        return String(escaped)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
    }

    static func json(_ text: String) -> String {
        var escaped = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            case "\t": escaped += "\\t"
            case _ where isControl(scalar):
                let digits = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped + "\""
    }
}
