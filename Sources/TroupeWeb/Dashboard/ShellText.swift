// Command lines to copy: words of events in quotes that no shell takes apart.

/// Writes command lines for POSIX shells.
enum ShellText {
    /// A command line of words.
    static func command(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

    /// A word as a shell reads it, whatever it holds.
    ///
    /// What a terminal could obey rather than show is written as escapes (`$'...'` of bash, zsh and ksh): pasted as it is,
    /// it could end the quotes.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._:/=@+,".utf8.contains(byte)
            }
        }
        if plain, !word.isEmpty { return word }
        if word.unicodeScalars.allSatisfy(isHarmless) {
            return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
        }
        var text = "$'"
        for byte in word.utf8 {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"): text += "\\" + String(UnicodeScalar(byte))
            case 0x20..<0x7f: text += String(UnicodeScalar(byte))
            default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text + "'"
    }

    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
