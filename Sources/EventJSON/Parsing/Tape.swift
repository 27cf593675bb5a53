// The layout of the tape: what the tokenizer writes and the containers read.

// One 64-bit word says what an element is: the tag in the top 8 bits, then
//
//   string, unescaped in place   '"'   28 bits length, 28 bits offset in the input
//   string that had escapes      '\''  28 bits length, 28 bits offset in the buffer of unescaped text
//   integer in Int64             'l'   28 bits length, 28 bits offset of its text; the next word is the value
//   integer in UInt64 only       'u'   the same
//   other number, exact          'd'   the same; the value is a Double's bits
//   other number, not yet read   'D'   the same; the value is unused, the text is read when it is asked for
//   true, false, null        't' 'f' 'n'
//   array                        '['   32 bits: the index after its last element
//   object                       '{'   16 bits of ObjectFlags above 32 bits: the index after its last element
//                                      the next word is where the next lookup begins, or the place of its index
//
// An object's members follow it, each a string and a value; an array's elements follow it. While a container is open its
// 32 bits hold the index of the container around it. The element at index 1 is the document; index 0 is no element.

/// What kind of element a word of the tape begins.
enum Tag {
    static let object = UInt8(ascii: "{")
    static let array = UInt8(ascii: "[")
    static let string = UInt8(ascii: "\"")
    static let unescapedString = UInt8(ascii: "'")
    static let int = UInt8(ascii: "l")
    static let unsigned = UInt8(ascii: "u")
    static let double = UInt8(ascii: "d")
    static let unreadNumber = UInt8(ascii: "D")
    static let `true` = UInt8(ascii: "t")
    static let `false` = UInt8(ascii: "f")
    static let null = UInt8(ascii: "n")

    /// A tag in its place in a word.
    @inline(__always) static func word(_ tag: UInt8) -> UInt64 { UInt64(tag) &<< 56 }

    /// The word of a string or a number.
    @inline(__always) static func word(_ tag: UInt8, offset: Int, length: Int) -> UInt64 {
        UInt64(tag) &<< 56 | UInt64(truncatingIfNeeded: length) &<< 28 | UInt64(truncatingIfNeeded: offset)
    }
}

/// What is known of an object's names beyond the words themselves.
enum ObjectFlags {
    /// Two members have the same name: the first counts.
    static let hasDuplicates: UInt64 = 1 &<< 40
    /// There are too many members to compare each name with the others: lookups go through an index.
    static let isLarge: UInt64 = 1 &<< 41
    /// Either of them.
    static let any = hasDuplicates | isLarge
}

/// Limits that follow from the layout.
enum TapeLimits {
    /// The most bytes of a document: offsets have 28 bits.
    static let maxBytes = 1 << 28 - 1
    /// The most members of an object whose names are compared with each other.
    static let maxComparedMembers = 32
    /// The deepest nesting that may be asked for.
    static let maxDepth = 1 << 20
}

/// Where the text of a string or number lies.
extension UInt64 {
    @inline(__always) var textOffset: Int { Int(truncatingIfNeeded: self & 0xFFF_FFFF) }
    @inline(__always) var textLength: Int { Int(truncatingIfNeeded: self &>> 28 & 0xFFF_FFFF) }
    @inline(__always) var tag: UInt8 { UInt8(truncatingIfNeeded: self &>> 56) }
    @inline(__always) var link: Int { Int(truncatingIfNeeded: self & 0xFFFF_FFFF) }
}

/// Whether `count` bytes are the same.
@inline(__always) func areEqual(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    let x = UnsafeRawPointer(a)
    let y = UnsafeRawPointer(b)
    if count >= 8 {
        var index = 0
        while index &+ 8 <= count {
            if x.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                != y.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            {
                return false
            }
            index &+= 8
        }
        // The last eight bytes, some of them a second time.
        return x.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            == y.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    }
    if count >= 4 {
        return x.loadUnaligned(as: UInt32.self) == y.loadUnaligned(as: UInt32.self)
            && x.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
                == y.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
    }
    var index = 0
    while index < count {
        if a[index] != b[index] { return false }
        index &+= 1
    }
    return true
}
