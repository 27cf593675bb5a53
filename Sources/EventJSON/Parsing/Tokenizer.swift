// Turns the bytes of a document into the tape, in one pass and without recursion.

/// Reads one document into a tape.
///
/// A struct with mutating functions over raw pointers: the compiler keeps all of it in registers, and captured closures
/// would be boxed. Every read is guarded by `length`, every write by what `DecodingState.prepare` made room for.
struct Tokenizer {
    let bytes: UnsafePointer<UInt8>
    let length: Int
    let tape: UnsafeMutablePointer<UInt64>
    /// Where unescaped text goes: room for as many bytes as the document has.
    let unescaped: UnsafeMutablePointer<UInt8>
    let maxDepth: Int
    /// The next byte to read.
    var position = 0
    /// The next word to write.
    var count = 1
    /// How many bytes of `unescaped` are used.
    var unescapedCount = 0
    /// The open container's word, 0 for none.
    var container = 0
    var depth = 0

    init(
        _ bytes: UnsafeRawBufferPointer, tape: UnsafeMutablePointer<UInt64>, unescaped: UnsafeMutablePointer<UInt8>,
        maxDepth: Int
    ) {
        // An empty buffer may have no address; nothing is read from it then.
        self.bytes = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? UnsafePointer(unescaped)
        length = bytes.count
        self.tape = tape
        self.unescaped = unescaped
        self.maxDepth = maxDepth
    }

    /// Reads the whole document.
    @inline(__always) mutating func run() throws(SyntaxFault) {
        value: while true {
            skipSpace()
            guard position < length else { throw unexpected("a value") }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position &+= 1
                try string()
            case UInt8(ascii: "{"):
                try open(Tag.object)
                tape[count] = 0
                count &+= 1
                skipSpace()
                guard position < length else { throw unexpected("a name or '}'") }
                if bytes[position] != UInt8(ascii: "}") {
                    try name()
                    continue value
                }
                close()
            case UInt8(ascii: "["):
                try open(Tag.array)
                skipSpace()
                guard position < length else { throw unexpected("a value or ']'") }
                if bytes[position] != UInt8(ascii: "]") { continue value }
                close()
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
            case UInt8(ascii: "t"): try literal("true", Tag.true)
            case UInt8(ascii: "f"): try literal("false", Tag.false)
            case UInt8(ascii: "n"): try literal("null", Tag.null)
            default: throw unexpected("a value")
            }
            // After a value: what goes on, or the ends of containers.
            while true {
                skipSpace()
                if container == 0 {
                    if position == length { return }
                    throw SyntaxFault(.trailingBytes, at: position, expected: "the end of the JSON")
                }
                let isObject = tape[container].tag == Tag.object
                guard position < length else { throw unexpected(isObject ? "',' or '}'" : "',' or ']'") }
                let byte = bytes[position]
                if byte == UInt8(ascii: ",") {
                    position &+= 1
                    if isObject {
                        skipSpace()
                        try name()
                    }
                    continue value
                }
                guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw unexpected(isObject ? "',' or '}'" : "',' or ']'")
                }
                close()
            }
        }
    }

    @inline(__always) mutating func skipSpace() {
        while position < length, bytes[position] <= 0x20 {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): position &+= 1
            default: return
            }
        }
    }

    /// A fault at the place reached.
    @inline(never) func unexpected(_ expected: StaticString) -> SyntaxFault {
        SyntaxFault(position < length ? .unexpectedByte : .unexpectedEnd, at: position, expected: expected)
    }

    // MARK: - Containers

    @inline(__always) private mutating func open(_ tag: UInt8) throws(SyntaxFault) {
        depth &+= 1
        if depth > maxDepth {
            throw SyntaxFault(.tooDeep, at: position, expected: "Objects and arrays are nested too deeply")
        }
        tape[count] = Tag.word(tag) | UInt64(truncatingIfNeeded: container)
        container = count
        count &+= 1
        position &+= 1
    }

    @inline(__always) private mutating func close() {
        position &+= 1
        let word = tape[container]
        let parent = word.link
        tape[container] = word & 0xFFFF_FFFF_0000_0000 | UInt64(truncatingIfNeeded: count)
        // While the object was open this word held which names there were: now it is where lookups begin.
        if word.tag == Tag.object {
            tape[container &+ 1] =
                word & ObjectFlags.isLarge == 0 ? UInt64(truncatingIfNeeded: container &+ 2) : 0
        }
        container = parent
        depth &-= 1
    }

    @inline(__always) private mutating func name() throws(SyntaxFault) {
        guard position < length, bytes[position] == UInt8(ascii: "\"") else { throw unexpected("a name in quotes") }
        let word = count
        position &+= 1
        try string()
        noteName(word)
        skipSpace()
        guard position < length, bytes[position] == UInt8(ascii: ":") else { throw unexpected("':'") }
        position &+= 1
    }

    // MARK: - Names that occur twice

    /// Notes a name in its object's set of 64 bits, and looks closer when its bit is set already.
    @inline(__always) private mutating func noteName(_ index: Int) {
        let word = tape[index]
        let text = word.tag == Tag.string ? bytes + word.textOffset : UnsafePointer(unescaped) + word.textOffset
        let bit = 1 as UInt64 &<< (Self.mix(text, word.textLength) &>> 58)
        let set = tape[container &+ 1]
        tape[container &+ 1] = set | bit
        if set & bit != 0 { compareNames(index) }
    }

    /// A cheap hash whose upper bits are good.
    @inline(__always) private static func mix(_ text: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
        let raw = UnsafeRawPointer(text)
        var hash = UInt64(truncatingIfNeeded: length)
        if length >= 8 {
            hash ^= raw.loadUnaligned(as: UInt64.self)
            hash = hash &* 0x9E37_79B9_7F4A_7C15
            hash ^= raw.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        } else if length >= 4 {
            hash ^= UInt64(raw.loadUnaligned(as: UInt32.self)) &<< 32
            hash ^= UInt64(raw.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self))
        } else {
            for index in 0..<length { hash = hash &<< 8 | UInt64(text[index]) }
        }
        return hash &* 0xD6E8_FEB8_6659_FD93
    }

    /// Compares a name with those before it in its object, unless there are too many.
    @inline(never) private mutating func compareNames(_ index: Int) {
        let flags = tape[container]
        guard flags & ObjectFlags.any == 0 else { return }
        let word = tape[index]
        var member = container &+ 2
        var compared = 0
        while member < index {
            if compared == TapeLimits.maxComparedMembers {
                tape[container] = flags | ObjectFlags.isLarge
                return
            }
            let other = tape[member]
            if other.textLength == word.textLength, areEqual(text(other), text(word), word.textLength) {
                tape[container] = flags | ObjectFlags.hasDuplicates
                return
            }
            member = Self.next(tape, member &+ 1)
            compared &+= 1
        }
    }

    private func text(_ word: UInt64) -> UnsafePointer<UInt8> {
        (word.tag == Tag.string ? bytes : UnsafePointer(unescaped)) + word.textOffset
    }

    /// The index after the element at `index`.
    @inline(__always) static func next(_ tape: UnsafePointer<UInt64>, _ index: Int) -> Int {
        let word = tape[index]
        switch word.tag {
        case Tag.object, Tag.array: return word.link
        case Tag.int, Tag.unsigned, Tag.double, Tag.unreadNumber: return index &+ 2
        default: return index &+ 1
        }
    }

    @inline(__always) private mutating func literal(_ text: StaticString, _ tag: UInt8) throws(SyntaxFault) {
        let size = text.utf8CodeUnitCount
        guard position &+ size <= length, areEqual(bytes + position, text.utf8Start, size) else {
            throw SyntaxFault(.unexpectedByte, at: position, expected: "true, false or null")
        }
        tape[count] = Tag.word(tag)
        count &+= 1
        position &+= size
    }
}
