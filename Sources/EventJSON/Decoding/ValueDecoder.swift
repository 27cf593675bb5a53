// The decoder of one value, and its single-value container.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Decodes the value at one index of the tape.
struct ValueDecoder: Decoder {
    let decoding: Decoding
    private let index: Int32

    @inline(__always) init(_ decoding: Decoding, _ at: Int) {
        self.decoding = decoding
        index = Int32(truncatingIfNeeded: at)
    }

    var at: Int { @inline(__always) get { Int(index) } }
    var codingPath: [any CodingKey] { decoding.path(to: at) }
    var userInfo: [CodingUserInfoKey: Any] { decoding.isOver ? [:] : decoding.state.pointee.userInfo.mapValues { $0 } }

    /// Decodes a value of any type; the types JSON has a form of its own for are not asked.
    @inline(__always) func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        // The casts change nothing: each is made only where the two types are one.
        if Value.self == Date.self { return unsafeBitCast(try decoding.date(at), to: Value.self) }
        if Value.self == Decimal.self { return unsafeBitCast(try decoding.decimal(at), to: Value.self) }
        if Value.self == String.self { return unsafeBitCast(try decoding.string(at), to: Value.self) }
        if Value.self == Data.self { return unsafeBitCast(try decoding.data(at), to: Value.self) }
        if Value.self == URL.self { return unsafeBitCast(try decoding.url(at), to: Value.self) }
        return try Value(from: self)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try decoding.check()
        guard decoding.tag(at) == Tag.object else { throw decoding.mismatch(at, [String: Any].self, "an object") }
        return decoding.keyedContainer(type, object: at)
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try decoding.check()
        guard decoding.tag(at) == Tag.array else { throw decoding.mismatch(at, [Any].self, "an array") }
        return UnkeyedDecoding(decoding, array: at)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        try decoding.check()
        return SingleValueDecoding(decoder: self)
    }
}

/// Reads one value.
struct SingleValueDecoding: SingleValueDecodingContainer {
    let decoder: ValueDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }

    private var decoding: Decoding {
        @inline(__always) get throws {
            try decoder.decoding.check()
            return decoder.decoding
        }
    }

    private var at: Int { @inline(__always) get { decoder.at } }

    func decodeNil() -> Bool { !decoder.decoding.isOver && decoder.decoding.isNull(at) }
    func decode(_ type: Bool.Type) throws -> Bool { try decoding.bool(at) }
    func decode(_ type: String.Type) throws -> String { try decoding.string(at) }
    func decode(_ type: Double.Type) throws -> Double { try decoding.double(at) }
    func decode(_ type: Float.Type) throws -> Float { try decoding.float(at) }
    func decode(_ type: Int.Type) throws -> Int { try decoding.integer(at, type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try decoding.integer(at, type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try decoding.integer(at, type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try decoding.integer(at, type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try decoding.integer(at, type) }
    func decode(_ type: Int128.Type) throws -> Int128 { try decoding.integer(at, type) }
    func decode(_ type: UInt.Type) throws -> UInt { try decoding.integer(at, type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try decoding.integer(at, type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try decoding.integer(at, type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try decoding.integer(at, type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try decoding.integer(at, type) }
    func decode(_ type: UInt128.Type) throws -> UInt128 { try decoding.integer(at, type) }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try decoder.decoding.check()
        return try decoder.decode(type)
    }
}
