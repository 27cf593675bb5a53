// A decoder's unkeyed container: reads the elements of one array in their order.

/// Reads the elements of one array.
///
/// Three words, so that it fits in an existential without being allocated.
struct UnkeyedDecoding: UnkeyedDecodingContainer {
    private let decoding: Decoding
    /// The array's index on the tape.
    private let array: Int32
    /// The next element's index.
    private var cursor: Int32
    private var position: Int32 = 0

    init(_ decoding: Decoding, array: Int) {
        self.decoding = decoding
        self.array = Int32(truncatingIfNeeded: array)
        cursor = Int32(truncatingIfNeeded: array &+ 1)
    }

    var currentIndex: Int { Int(position) }
    var codingPath: [any CodingKey] { decoding.path(to: Int(array)) }
    var isAtEnd: Bool { decoding.isOver || cursor >= decoding.next(Int(array)) }

    var count: Int? {
        guard !decoding.isOver else { return nil }
        var count = currentIndex
        var element = Int(cursor)
        let end = decoding.next(Int(array))
        while element < end {
            element = decoding.next(element)
            count += 1
        }
        return count
    }

    /// The index of the next element.
    @inline(__always) private func element(_ type: any Any.Type) throws -> Int {
        try decoding.check()
        if cursor >= decoding.next(Int(array)) { throw exhausted(type) }
        return Int(cursor)
    }

    @inline(__always) private mutating func advance() {
        cursor = Int32(truncatingIfNeeded: decoding.next(Int(cursor)))
        position &+= 1
    }

    @inline(never) private func exhausted(_ type: any Any.Type) -> DecodingError {
        .valueNotFound(
            type,
            DecodingError.Context(
                codingPath: codingPath + [PathKey(index: currentIndex)],
                debugDescription: "The array has only \(currentIndex) elements"))
    }

    mutating func decodeNil() throws -> Bool {
        guard decoding.isNull(try element(Never?.self)) else { return false }
        advance()
        return true
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool {
        let value = try decoding.bool(element(type))
        advance()
        return value
    }
    mutating func decode(_ type: String.Type) throws -> String {
        let value = try decoding.string(element(type))
        advance()
        return value
    }
    mutating func decode(_ type: Double.Type) throws -> Double {
        let value = try decoding.double(element(type))
        advance()
        return value
    }
    mutating func decode(_ type: Float.Type) throws -> Float {
        let value = try decoding.float(element(type))
        advance()
        return value
    }
    mutating func decode(_ type: Int.Type) throws -> Int {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: Int8.Type) throws -> Int8 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: Int16.Type) throws -> Int16 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: Int32.Type) throws -> Int32 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: Int64.Type) throws -> Int64 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: Int128.Type) throws -> Int128 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: UInt.Type) throws -> UInt {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode(_ type: UInt128.Type) throws -> UInt128 {
        let value = try decoding.integer(element(type), type)
        advance()
        return value
    }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let value = try ValueDecoder(decoding, try element(type)).decode(type)
        advance()
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        let container = try ValueDecoder(decoding, try element(KeyedDecodingContainer<NestedKey>.self))
            .container(keyedBy: type)
        advance()
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let container = try ValueDecoder(decoding, try element((any UnkeyedDecodingContainer).self)).unkeyedContainer()
        advance()
        return container
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = ValueDecoder(decoding, try element((any Decoder).self))
        advance()
        return decoder
    }
}
