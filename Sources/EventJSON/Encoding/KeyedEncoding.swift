// An encoder's keyed container: writes members of one object.

/// What a keyed container writes to, apart from its key type.
struct EncodingFrame {
    var encoding: Encoding
    /// How many containers are around the object.
    var level: UInt32
    /// Which container it is.
    var serial: UInt32
}

/// Memory of a frame that no cache keeps: it lives as long as its container.
final class EncodingFrameOwner {
    let frame: UnsafeMutablePointer<EncodingFrame>

    init(_ frame: EncodingFrame) {
        self.frame = .allocate(capacity: 1)
        self.frame.initialize(to: frame)
    }

    deinit { frame.deallocate() }
}

/// Writes members of one object.
///
/// Its frame is reached by an address, so that the container's box can be used again for another object.
struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    private let frame: UnsafeMutablePointer<EncodingFrame>
    /// Keeps the frame alive where the cache does not.
    private let owner: EncodingFrameOwner?

    private init(_ frame: UnsafeMutablePointer<EncodingFrame>, owner: EncodingFrameOwner?) {
        self.frame = frame
        self.owner = owner
    }

    @inline(never) fileprivate static func newContainer(_ frame: EncodingFrame) -> KeyedEncodingContainer<Key> {
        let cache = frame.encoding.state.pointee.cache
        guard !frame.encoding.isOver, cache.hasRoom(identity(Key.self)) else {
            let owner = EncodingFrameOwner(frame)
            return KeyedEncodingContainer(KeyedEncoding(owner.frame, owner: owner))
        }
        let memory = UnsafeMutablePointer<EncodingFrame>.allocate(capacity: 1)
        memory.initialize(to: frame)
        let container = KeyedEncodingContainer(KeyedEncoding(memory, owner: nil))
        cache.keep(container, identity(Key.self), UnsafeMutableRawPointer(memory))
        return container
    }

    private var encoding: Encoding { @inline(__always) get { frame.pointee.encoding } }
    private var level: Int { @inline(__always) get { Int(frame.pointee.level) } }

    var codingPath: [any CodingKey] { encoding.codingPath }

    /// Writes the name of a member, and returns what writes its value.
    @inline(__always) private func member(_ key: Key) throws -> Encoding {
        let frame = frame.pointee
        try frame.encoding.name(key, Int(frame.level), frame.serial)
        return frame.encoding
    }

    func encodeNil(forKey key: Key) throws { try member(key).null() }
    func encode(_ value: Bool, forKey key: Key) throws { try member(key).bool(value) }
    func encode(_ value: String, forKey key: Key) throws { try member(key).string(value) }
    func encode(_ value: Double, forKey key: Key) throws { try member(key).double(value) }
    func encode(_ value: Float, forKey key: Key) throws { try member(key).float(value) }
    func encode(_ value: Int, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: Int8, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: Int16, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: Int32, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: Int64, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: Int128, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: UInt, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: UInt8, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: UInt16, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: UInt32, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: UInt64, forKey key: Key) throws { try member(key).integer(value) }
    func encode(_ value: UInt128, forKey key: Key) throws { try member(key).integer(value) }
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        try member(key).value(value, level: level &+ 1)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        let encoding = encoding
        let level = level &+ 1
        let serial =
            (try? member(key)) == nil
            ? encoding.refuse() : encoding.open(level: level, isKeyed: true, isSorted: encoding.sorts(type))
        return EncodingFrame(encoding: encoding, level: UInt32(truncatingIfNeeded: level), serial: serial).container(
            type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        let encoding = encoding
        let level = level &+ 1
        let serial = (try? member(key)) == nil ? encoding.refuse() : encoding.open(level: level, isKeyed: false)
        return UnkeyedEncoding(encoding, level: level, serial: serial)
    }

    // What a super encoder writes may come at any time: that takes the tree.

    func superEncoder() -> any Encoder { ValueEncoder.refused(encoding) }
    func superEncoder(forKey key: Key) -> any Encoder { ValueEncoder.refused(encoding) }
}

// Functions outside of the generic container: the type itself is then instantiated only for a new one.
extension EncodingFrame {
    /// A container that writes to the frame, in a box that was used before if there is one.
    @inline(__always) func container<Key: CodingKey>(_ type: Key.Type) -> KeyedEncodingContainer<Key> {
        // What outlived its call must not touch a cache that another call may be using.
        if !encoding.isOver, let (box, memory) = encoding.state.pointee.cache.take(identity(type)) {
            memory.assumingMemoryBound(to: EncodingFrame.self).pointee = self
            return unsafeBitCast(box, to: KeyedEncodingContainer<Key>.self)
        }
        return newKeyedEncoding(self)
    }
}

@inline(never) private func newKeyedEncoding<Key: CodingKey>(_ frame: EncodingFrame) -> KeyedEncodingContainer<Key> {
    KeyedEncoding<Key>.newContainer(frame)
}
