// Masks members of JSON: byte by byte, so that a payload of which only the beginning is kept is masked too.

import EventJSON

/// Which members of JSON payloads are not shown.
struct PayloadMask: Sendable {
    /// What stands in place of a masked value.
    static let cover = Array("\"•••\"".utf8)

    /// The names of members from the outermost that is named to the masked one, in lower case.
    private let paths: [[String]]

    init(_ fields: [String]) {
        paths = fields.map { $0.lowercased().split(separator: ".").map(String.init) }.filter { !$0.isEmpty }
    }

    var isEmpty: Bool { paths.isEmpty }

    /// The JSON with the values of masked members covered, and how many were; `nil` when it is no JSON.
    ///
    /// The JSON may end anywhere, as one does of which only the beginning is kept.
    func masked(_ json: [UInt8]) -> (bytes: [UInt8], count: Int)? {
        var scanner = MaskScanner(json, paths)
        return scanner.run() ? (scanner.output, scanner.count) : nil
    }
}

/// Goes through JSON once, copying what may be seen.
private struct MaskScanner {
    private enum Container {
        /// An object, with the name of the member whose value comes.
        case object(name: String)
        case array
    }

    private let json: [UInt8]
    private let paths: [[String]]
    private var index = 0
    private var containers: [Container] = []
    private(set) var output: [UInt8] = []
    private(set) var count = 0

    init(_ json: [UInt8], _ paths: [[String]]) {
        self.json = json
        self.paths = paths
        output.reserveCapacity(json.count)
    }

    /// `false` when it meets what cannot be JSON.
    mutating func run() -> Bool {
        guard let first = json.first(where: { !Self.isSpace($0) }),
            first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
        else { return false }
        var expectsName = false
        while index < json.count {
            let byte = json[index]
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                containers.append(byte == UInt8(ascii: "{") ? .object(name: "") : .array)
                expectsName = byte == UInt8(ascii: "{")
                copy(1)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard !containers.isEmpty else { return false }
                containers.removeLast()
                copy(1)
            case UInt8(ascii: ","):
                if case .object = containers.last { expectsName = true }
                copy(1)
            case UInt8(ascii: "\""):
                let end = endOfString(from: index)
                let text = json[index..<end]
                copy(end - index)
                guard expectsName, case .object = containers.last else { continue }
                expectsName = false
                containers[containers.count - 1] = .object(name: Self.name(text))
                guard takeColon() else { return index == json.count }
                if isMasked { coverValue() }
            default:
                guard Self.isSpace(byte) || Self.isScalar(byte), byte != UInt8(ascii: ":") else { return false }
                copy(1)
            }
        }
        return true
    }

    private mutating func copy(_ length: Int) {
        output += json[index..<index + length]
        index += length
    }

    /// Passes the colon behind a name.
    private mutating func takeColon() -> Bool {
        while index < json.count, Self.isSpace(json[index]) { copy(1) }
        guard index < json.count, json[index] == UInt8(ascii: ":") else { return false }
        copy(1)
        while index < json.count, Self.isSpace(json[index]) { copy(1) }
        return true
    }

    /// Whether the member that was named last is to be masked.
    private var isMasked: Bool {
        let names = containers.compactMap { container -> String? in
            if case .object(let name) = container { name } else { nil }
        }
        return paths.contains { path in
            guard path.last == names.last else { return false }
            // Each name lies within the one before it, with any others in between.
            var outer = path.dropLast()
            for name in names.dropLast() where name == outer.first { outer.removeFirst() }
            return outer.isEmpty
        }
    }

    /// Writes the cover in place of the value that comes, whatever it is.
    private mutating func coverValue() {
        guard index < json.count else { return }
        count += 1
        output += PayloadMask.cover
        var depth = 0
        while index < json.count {
            let byte = json[index]
            switch byte {
            case UInt8(ascii: "\""):
                index = endOfString(from: index)
                if depth == 0 { return }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return }
                depth -= 1
                if depth == 0 {
                    index += 1
                    return
                }
            case UInt8(ascii: ","): if depth == 0 { return }
            default: break
            }
            index += 1
        }
    }

    /// The index behind a string that begins at `start`; the end of the JSON when it does not end.
    private func endOfString(from start: Int) -> Int {
        var index = start + 1
        while index < json.count {
            if json[index] == UInt8(ascii: "\\") {
                index += 2
            } else if json[index] == UInt8(ascii: "\"") {
                return index + 1
            } else {
                index += 1
            }
        }
        return json.count
    }

    /// A member's name without quotes and escapes, in lower case.
    private static func name(_ text: ArraySlice<UInt8>) -> String {
        let bytes = text.dropFirst().dropLast(text.count > 1 && text.last == UInt8(ascii: "\"") ? 1 : 0)
        guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self).lowercased() }
        // A name may be written with escapes to hide from masks.
        let name = try? EventJSONDecoder().decode([String].self, from: Array("[".utf8) + text + Array("]".utf8))
        return (name?.first ?? String(decoding: bytes, as: UTF8.self)).lowercased()
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }

    /// Whether a byte may be part of a number, of `true`, `false` or `null`.
    private static func isScalar(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || "+-.E".utf8.contains(byte)
    }
}
