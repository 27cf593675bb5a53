// An encoder's unkeyed container: writes the elements of one array.

/// Writes the elements of one array.
///
/// Three words, so that it fits in an existential without being allocated.
struct UnkeyedEncoding: UnkeyedEncodingContainer {
    private let encoding: Encoding
    private let level: UInt32
    private let serial: UInt32
    /// How many elements this copy has seen, for when the array is closed.
    private var written: UInt32 = 0

    init(_ encoding: Encoding, level: Int, serial: UInt32) {
        self.encoding = encoding
        self.level = UInt32(truncatingIfNeeded: level)
        self.serial = serial
    }

    var codingPath: [any CodingKey] { encoding.codingPath }

    var count: Int {
        let state = encoding.state
        guard !encoding.isOver, state.pointee.depth > level,
            state.pointee.levels[Int(level)].serial & ~Encoding.isBusy == serial
        else { return Int(written) }
        return Int(state.pointee.levels[Int(level)].count)
    }

    @inline(__always) private mutating func element() throws -> Encoding {
        try encoding.beginElement(Int(level), serial)
        written &+= 1
        return encoding
    }

    mutating func encodeNil() throws { try element().null() }
    mutating func encode(_ value: Bool) throws { try element().bool(value) }
    mutating func encode(_ value: String) throws { try element().string(value) }
    mutating func encode(_ value: Double) throws { try element().double(value) }
    mutating func encode(_ value: Float) throws { try element().float(value) }
    mutating func encode(_ value: Int) throws { try element().integer(value) }
    mutating func encode(_ value: Int8) throws { try element().integer(value) }
    mutating func encode(_ value: Int16) throws { try element().integer(value) }
    mutating func encode(_ value: Int32) throws { try element().integer(value) }
    mutating func encode(_ value: Int64) throws { try element().integer(value) }
    mutating func encode(_ value: Int128) throws { try element().integer(value) }
    mutating func encode(_ value: UInt) throws { try element().integer(value) }
    mutating func encode(_ value: UInt8) throws { try element().integer(value) }
    mutating func encode(_ value: UInt16) throws { try element().integer(value) }
    mutating func encode(_ value: UInt32) throws { try element().integer(value) }
    mutating func encode(_ value: UInt64) throws { try element().integer(value) }
    mutating func encode(_ value: UInt128) throws { try element().integer(value) }
    mutating func encode<Value: Encodable>(_ value: Value) throws {
        try element().value(value, level: Int(level) &+ 1)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        let inner = Int(level) &+ 1
        let serial =
            (try? element()) == nil
            ? encoding.refuse() : encoding.open(level: inner, isKeyed: true, isSorted: encoding.sorts(type))
        return EncodingFrame(encoding: encoding, level: UInt32(truncatingIfNeeded: inner), serial: serial).container(
            type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        let inner = Int(level) &+ 1
        let serial = (try? element()) == nil ? encoding.refuse() : encoding.open(level: inner, isKeyed: false)
        return UnkeyedEncoding(encoding, level: inner, serial: serial)
    }

    mutating func superEncoder() -> any Encoder { ValueEncoder.refused(encoding) }
}
