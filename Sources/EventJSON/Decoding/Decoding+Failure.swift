// Errors of decoding: where, what was expected and what was found. All of it is worked out only when an error is thrown.

/// A step of a coding path as the document has it: a name or an index.
struct PathKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(index: Int) {
        stringValue = "Index \(index)"
        intValue = index
    }

    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(index: intValue) }
}

extension Decoding {
    /// The path from the document to the element at `target`, found by walking down to it.
    @inline(never) func path(to target: Int) -> [any CodingKey] {
        guard !isOver else { return [] }
        var path: [any CodingKey] = []
        var container = 1
        while container != target {
            let isObject = tag(container) == Tag.object
            guard isObject || tag(container) == Tag.array else { break }
            let end = next(container)
            var element = container &+ (isObject ? 2 : 1)
            var position = 0
            var found = false
            while element < end, !found {
                let value = isObject ? element &+ 1 : element
                let after = next(value)
                if target >= element, target < after {
                    path.append(
                        isObject
                            ? PathKey(String(decoding: text(word(element)), as: UTF8.self)) : PathKey(index: position))
                    container = value
                    found = true
                }
                element = after
                position += 1
            }
            guard found else { break }
        }
        return path
    }

    /// What kind of value an element is, in words; of strings nothing is told, for they may be secret.
    func summary(_ at: Int) -> String {
        switch tag(at) {
        case Tag.object: "an object"
        case Tag.array: "an array"
        case Tag.string, Tag.unescapedString: "a string"
        case Tag.true, Tag.false: "a boolean"
        case Tag.null: "null"
        default: "the number \(numberText(at, maxBytes: 40))"
        }
    }

    /// The text of a number, cut after `maxBytes`.
    func numberText(_ at: Int, maxBytes: Int = .max) -> String {
        let bytes = text(word(at))
        guard bytes.count > maxBytes else { return String(decoding: bytes, as: UTF8.self) }
        return String(decoding: bytes.prefix(maxBytes), as: UTF8.self) + "..."
    }

    /// An element has another type than the one asked for, or is null.
    @inline(never) func mismatch(_ at: Int, _ type: any Any.Type, _ expected: String) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: path(to: at), debugDescription: "Expected \(expected), but found \(summary(at))")
        return tag(at) == Tag.null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    /// An element has the right type and no value that can be used.
    @inline(never) func corrupted(_ at: Int, _ text: String) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: path(to: at), debugDescription: text))
    }

    /// An object has no member called `key`.
    @inline(never) func missing(_ key: any CodingKey, in object: Int) -> DecodingError {
        .keyNotFound(
            key,
            DecodingError.Context(
                codingPath: path(to: object), debugDescription: "The object has no member \"\(key.stringValue)\""))
    }
}
