// The encoder of one value, and its single-value container.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Encodes one value at the place reached.
struct ValueEncoder: Encoder {
    let encoding: Encoding
    /// How many containers are around the value.
    private let outer: UInt32
    /// Where the value begins.
    private let start: UInt32

    init(_ encoding: Encoding, level: Int) {
        self.encoding = encoding
        outer = UInt32(truncatingIfNeeded: level)
        start = UInt32(truncatingIfNeeded: encoding.state.pointee.count)
    }

    private init(refused encoding: Encoding) {
        self.encoding = encoding
        outer = .max
        start = .max
    }

    /// An encoder to which nothing can be written from front to back.
    static func refused(_ encoding: Encoding) -> ValueEncoder {
        _ = encoding.giveUp()
        return ValueEncoder(refused: encoding)
    }

    var codingPath: [any CodingKey] { encoding.codingPath }
    var userInfo: [CodingUserInfoKey: Any] { encoding.userInfo }
    var level: Int { Int(outer) }

    /// Whether nothing of the value was written yet.
    var isUnwritten: Bool {
        !encoding.isOver && encoding.state.pointee.count == start && encoding.state.pointee.depth == outer
    }

    /// The value's container: the one it has, or a new one if nothing was written.
    @inline(__always) private func container(isKeyed: Bool, isSorted: Bool = false) -> UInt32 {
        if isUnwritten { return encoding.open(level: level, isKeyed: isKeyed, isSorted: isSorted) }
        guard !encoding.isOver, encoding.state.pointee.depth > outer else { return encoding.refuse() }
        let existing = encoding.state.pointee.levels[level]
        guard existing.start == start, existing.isKeyed == isKeyed else { return encoding.refuse() }
        return existing.serial & ~Encoding.isBusy
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        let serial = container(isKeyed: true, isSorted: encoding.sorts(type))
        return EncodingFrame(encoding: encoding, level: outer, serial: serial).container(type)
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        UnkeyedEncoding(encoding, level: level, serial: container(isKeyed: false))
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SingleValueEncoding(encoder: self) }
}

extension Encoding {
    /// Writes a value of any type; the types JSON has a form of its own for are not asked.
    @inline(__always) func value<Value: Encodable>(_ value: Value, level: Int) throws {
        // The casts change nothing: each is made only where the two types are one.
        if Value.self == Date.self { return try date(unsafeBitCast(value, to: Date.self)) }
        if Value.self == Decimal.self { return try decimal(unsafeBitCast(value, to: Decimal.self)) }
        if Value.self == String.self { return try string(unsafeBitCast(value, to: String.self)) }
        if Value.self == Data.self { return try data(unsafeBitCast(value, to: Data.self)) }
        if Value.self == URL.self { return try url(unsafeBitCast(value, to: URL.self)) }
        guard level <= state.pointee.maxDepth else { throw giveUp() }
        // While the value writes itself, nothing else may write to the container around it.
        let start = state.pointee.count
        let serial = level > 0 ? state.pointee.levels[level &- 1].serial : 0
        if level > 0 { state.pointee.levels[level &- 1].serial = serial | Self.isBusy }
        try value.encode(to: ValueEncoder(self, level: level))
        guard state.pointee.depth >= level else { throw giveUp() }
        if level > 0 { state.pointee.levels[level &- 1].serial = serial }
        try close(to: level)
        if state.pointee.count == start { try emptyObject(level) }
    }

    /// A value that writes nothing is an empty object, unless it is the document.
    private func emptyObject(_ level: Int) throws {
        guard level > 0 else { throw giveUp() }
        try reserve(2)
        put(UInt8(ascii: "{"))
        put(UInt8(ascii: "}"))
    }

    /// Whether members with keys of `type` are sorted: dictionaries have another order in each process.
    @inline(__always) func sorts<Key: CodingKey>(_ type: Key.Type) -> Bool {
        DictionaryKey.isKey(type, known: state.pointee.dictionaryKey)
    }
}

/// Writes one value.
struct SingleValueEncoding: SingleValueEncodingContainer {
    let encoder: ValueEncoder

    var codingPath: [any CodingKey] { encoder.codingPath }

    private var encoding: Encoding {
        @inline(__always) get throws {
            guard encoder.isUnwritten else { throw encoder.encoding.giveUp() }
            return encoder.encoding
        }
    }

    func encodeNil() throws { try encoding.null() }
    func encode(_ value: Bool) throws { try encoding.bool(value) }
    func encode(_ value: String) throws { try encoding.string(value) }
    func encode(_ value: Double) throws { try encoding.double(value) }
    func encode(_ value: Float) throws { try encoding.float(value) }
    func encode(_ value: Int) throws { try encoding.integer(value) }
    func encode(_ value: Int8) throws { try encoding.integer(value) }
    func encode(_ value: Int16) throws { try encoding.integer(value) }
    func encode(_ value: Int32) throws { try encoding.integer(value) }
    func encode(_ value: Int64) throws { try encoding.integer(value) }
    func encode(_ value: Int128) throws { try encoding.integer(value) }
    func encode(_ value: UInt) throws { try encoding.integer(value) }
    func encode(_ value: UInt8) throws { try encoding.integer(value) }
    func encode(_ value: UInt16) throws { try encoding.integer(value) }
    func encode(_ value: UInt32) throws { try encoding.integer(value) }
    func encode(_ value: UInt64) throws { try encoding.integer(value) }
    func encode(_ value: UInt128) throws { try encoding.integer(value) }
    func encode<Value: Encodable>(_ value: Value) throws { try encoding.value(value, level: encoder.level) }
}
