// Containers and an encoder that do nothing: by them the coders learn what the standard library does.

/// Why a probe throws: it has nothing to decode and nowhere to encode to.
private struct ProbeOnly: Error {}

/// A key of a probe.
struct ProbeKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// A keyed decoding container to see what the standard library makes of one.
struct ProbeDecoding: KeyedDecodingContainerProtocol {
    typealias Key = ProbeKey

    var codingPath: [any CodingKey] { [] }
    var allKeys: [ProbeKey] { [] }
    func contains(_ key: ProbeKey) -> Bool { false }
    func decodeNil(forKey key: ProbeKey) throws -> Bool { throw ProbeOnly() }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: ProbeKey) throws -> Value { throw ProbeOnly() }
    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: ProbeKey
    ) throws -> KeyedDecodingContainer<NestedKey> { throw ProbeOnly() }
    func nestedUnkeyedContainer(forKey key: ProbeKey) throws -> any UnkeyedDecodingContainer { throw ProbeOnly() }
    func superDecoder() throws -> any Decoder { throw ProbeOnly() }
    func superDecoder(forKey key: ProbeKey) throws -> any Decoder { throw ProbeOnly() }
}

/// A keyed encoding container that drops what is written to it.
struct ProbeEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    private let encoder = ProbeEncoder()

    var codingPath: [any CodingKey] { [] }
    func encodeNil(forKey key: Key) {}
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) {}
    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> { encoder.container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder.unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder }
    func superEncoder(forKey key: Key) -> any Encoder { encoder }
}

/// An unkeyed encoding container that drops what is written to it.
struct ProbeUnkeyedEncoding: UnkeyedEncodingContainer, SingleValueEncodingContainer {
    var codingPath: [any CodingKey] { [] }
    var count: Int { 0 }
    func encodeNil() {}
    func encode<Value: Encodable>(_ value: Value) {}
    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> { KeyedEncodingContainer(ProbeEncoding<NestedKey>()) }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { self }
    func superEncoder() -> any Encoder { ProbeEncoder() }
}

/// An encoder that notes the type of the keys it is asked to write.
struct ProbeEncoder: Encoder {
    /// Notes a key's type.
    final class Note {
        var keyType: UnsafeRawPointer?
    }

    var note: Note?

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        note?.keyType = identity(type)
        return KeyedEncodingContainer(ProbeEncoding<Key>())
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { ProbeUnkeyedEncoding() }
    func singleValueContainer() -> any SingleValueEncodingContainer { ProbeUnkeyedEncoding() }
}

/// What the standard library's dictionaries write their keys with.
enum DictionaryKey {
    /// The type of those keys, which is not public; `nil` when dictionaries write none.
    ///
    /// Only the identity of the type is used, to sort what dictionaries write.
    static let identity: UInt = {
        let note = ProbeEncoder.Note()
        try? ["name": 0].encode(to: ProbeEncoder(note: note))
        return UInt(bitPattern: note.keyType)
    }()

    /// Whether `Key` is that type.
    @inline(__always) static func isKey<Key: CodingKey>(_ type: Key.Type, known: UInt) -> Bool {
        UInt(bitPattern: EventJSON.identity(type)) == known
    }
}
