// A decoder's keyed container: finds members of one object.

/// What a keyed container works on, apart from its key type.
struct DecodingFrame {
    var decoding: Decoding
    /// The object's index on the tape.
    var object: Int32
    /// The index after its last member.
    var end: Int32
}

/// Memory of a frame that no cache keeps: it lives as long as its container.
final class DecodingFrameOwner {
    let frame: UnsafeMutablePointer<DecodingFrame>

    init(_ frame: DecodingFrame) {
        self.frame = .allocate(capacity: 1)
        self.frame.initialize(to: frame)
    }

    deinit { frame.deallocate() }
}

/// Reads members of one object.
///
/// Its frame is reached by an address, so that the container's box can be used again for another object.
struct KeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let frame: UnsafeMutablePointer<DecodingFrame>
    /// Keeps the frame alive where the cache does not.
    private let owner: DecodingFrameOwner?

    private init(_ frame: UnsafeMutablePointer<DecodingFrame>, owner: DecodingFrameOwner?) {
        self.frame = frame
        self.owner = owner
    }

    @inline(never) fileprivate static func newContainer(_ frame: DecodingFrame) -> KeyedDecodingContainer<Key> {
        let cache = frame.decoding.state.pointee.cache
        guard cache.hasRoom(identity(Key.self)) else {
            let owner = DecodingFrameOwner(frame)
            return KeyedDecodingContainer(KeyedDecoding(owner.frame, owner: owner))
        }
        let memory = UnsafeMutablePointer<DecodingFrame>.allocate(capacity: 1)
        memory.initialize(to: frame)
        let container = KeyedDecodingContainer(KeyedDecoding(memory, owner: nil))
        cache.keep(container, identity(Key.self), UnsafeMutableRawPointer(memory))
        return container
    }

    private var decoding: Decoding { @inline(__always) get { frame.pointee.decoding } }
    private var object: Int { @inline(__always) get { Int(frame.pointee.object) } }

    var codingPath: [any CodingKey] { decoding.path(to: object) }

    var allKeys: [Key] {
        decoding.isOver ? [] : decoding.names(of: object).compactMap { Key(stringValue: $0) }
    }

    /// The index of the value of `key`, or -1.
    @inline(__always) private func find(_ key: Key, advance: Bool = true) throws -> Int {
        let frame = frame.pointee
        try frame.decoding.check()
        return frame.decoding.find(key, in: Int(frame.object), end: Int(frame.end), advance: advance)
    }

    /// The index of the value of `key`.
    @inline(__always) private func value(_ key: Key, advance: Bool = true) throws -> Int {
        let at = try find(key, advance: advance)
        if at < 0 { throw decoding.missing(key, in: object) }
        return at
    }

    /// The index of the value of `key`, or -1 when there is none or it is null.
    @inline(__always) private func optional(_ key: Key) throws -> Int {
        let at = try find(key)
        return at < 0 || decoding.isNull(at) ? -1 : at
    }

    func contains(_ key: Key) -> Bool { (try? find(key, advance: false)).map { $0 >= 0 } ?? false }
    func decodeNil(forKey key: Key) throws -> Bool { decoding.isNull(try value(key, advance: false)) }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try decoding.bool(value(key)) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try decoding.string(value(key)) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try decoding.double(value(key)) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try decoding.float(value(key)) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try decoding.integer(value(key), type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try decoding.integer(value(key), type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try decoding.integer(value(key), type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try decoding.integer(value(key), type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try decoding.integer(value(key), type) }
    func decode(_ type: Int128.Type, forKey key: Key) throws -> Int128 { try decoding.integer(value(key), type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try decoding.integer(value(key), type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try decoding.integer(value(key), type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try decoding.integer(value(key), type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try decoding.integer(value(key), type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try decoding.integer(value(key), type) }
    func decode(_ type: UInt128.Type, forKey key: Key) throws -> UInt128 { try decoding.integer(value(key), type) }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try ValueDecoder(decoding, try value(key)).decode(type)
    }

    // One search for each: what the protocol would do instead searches three times.
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.bool(at)
    }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.string(at)
    }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.double(at)
    }
    func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.float(at)
    }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: Int128.Type, forKey key: Key) throws -> Int128? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent(_ type: UInt128.Type, forKey key: Key) throws -> UInt128? {
        let at = try optional(key)
        return at < 0 ? nil : try decoding.integer(at, type)
    }
    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        let at = try optional(key)
        return at < 0 ? nil : try ValueDecoder(decoding, at).decode(type)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try ValueDecoder(decoding, try value(key)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try ValueDecoder(decoding, try value(key)).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        try decoding.check()
        let key = PathKey("super")
        let at = decoding.find(key, in: object, end: Int(frame.pointee.end), advance: true)
        if at < 0 { throw decoding.missing(key, in: object) }
        return ValueDecoder(decoding, at)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { ValueDecoder(decoding, try value(key)) }
}

// Functions outside of the generic container: the type itself is then instantiated only for a new one.
extension Decoding {
    /// A container for the object at `object`, in a box that was used before if there is one.
    @inline(__always) func keyedContainer<Key: CodingKey>(
        _ type: Key.Type, object: Int
    ) -> KeyedDecodingContainer<Key> {
        let frame = DecodingFrame(
            decoding: self, object: Int32(truncatingIfNeeded: object), end: Int32(truncatingIfNeeded: next(object)))
        if let (box, memory) = state.pointee.cache.take(identity(type)) {
            memory.assumingMemoryBound(to: DecodingFrame.self).pointee = frame
            return unsafeBitCast(box, to: KeyedDecodingContainer<Key>.self)
        }
        return newKeyedDecoding(frame)
    }
}

@inline(never) private func newKeyedDecoding<Key: CodingKey>(_ frame: DecodingFrame) -> KeyedDecodingContainer<Key> {
    KeyedDecoding<Key>.newContainer(frame)
}
