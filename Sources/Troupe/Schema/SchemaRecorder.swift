// A decoder without data, which notes what it is asked for.

/// A decoder without data, which notes what it is asked for.
struct SchemaRecorder: Decoder, SingleValueDecodingContainer {
    let record: SchemaRecord
    let slot: SchemaSlot
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        slot.becomeObject()
        return KeyedDecodingContainer(SchemaKeyedRecorder<Key>(record: record, slot: slot, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        slot.becomeArray()
        return SchemaUnkeyedRecorder(record: record, slot: slot, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool {
        slot.isNullable = true
        return false
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> T { try record.value(type, at: slot, codingPath) }
}

private struct SchemaKeyedRecorder<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let record: SchemaRecord
    let slot: SchemaSlot
    let codingPath: [any CodingKey]

    /// One key of an enumeration's, the trial says which; none where they cannot be foreseen.
    var allKeys: [Key] {
        guard let keys = EnumerationLayout.cases(of: Key.self), !keys.isEmpty else {
            slot.isOpen = true
            return []
        }
        slot.variants = keys.map(\.stringValue)
        return [keys[min(record.trial.variant, keys.count - 1)]]
    }

    func contains(_ key: Key) -> Bool {
        slot.member(key.stringValue).isOptional = true
        return true
    }

    func decodeNil(forKey key: Key) -> Bool {
        let member = slot.member(key.stringValue)
        // Whoever asked whether it is there (`decodeIfPresent`) takes null for its absence.
        if !member.isOptional { member.isNullable = true }
        return false
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try record.value(type, at: slot.member(key.stringValue), codingPath + [key])
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        let member = slot.member(key.stringValue)
        member.isOptional = true
        let derived = record.derivation.derive(type)
        member.add(derived.node)
        return derived.sample
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedDecodingContainer<Nested> { superDecoder(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedDecodingContainer {
        superDecoder(key).unkeyedContainer()
    }

    func superDecoder() -> any Decoder {
        SchemaRecorder(record: record, slot: slot.member("super"), codingPath: codingPath)
    }

    func superDecoder(forKey key: Key) -> any Decoder { superDecoder(key) }

    private func superDecoder(_ key: Key) -> SchemaRecorder {
        SchemaRecorder(record: record, slot: slot.member(key.stringValue), codingPath: codingPath + [key])
    }
}

/// An array that has one element as long as nobody asks for more.
private struct SchemaUnkeyedRecorder: UnkeyedDecodingContainer {
    let record: SchemaRecord
    let slot: SchemaSlot
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(record: SchemaRecord, slot: SchemaSlot, codingPath: [any CodingKey]) {
        self.record = record
        self.slot = slot
        self.codingPath = codingPath
    }

    var count: Int? { nil }
    var isAtEnd: Bool { currentIndex > 0 }

    private mutating func next() throws -> SchemaSlot {
        guard currentIndex < 64 else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: codingPath, debugDescription: "No more elements are made up"))
        }
        defer { currentIndex += 1 }
        return slot.element(currentIndex)
    }

    mutating func decodeNil() throws -> Bool {
        slot.element(currentIndex).isNullable = true
        return false
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try record.value(type, at: try next(), codingPath)
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try nested().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try nested().unkeyedContainer() }

    mutating func superDecoder() throws -> any Decoder { try nested() }

    private mutating func nested() throws -> SchemaRecorder {
        SchemaRecorder(record: record, slot: try next(), codingPath: codingPath)
    }
}
