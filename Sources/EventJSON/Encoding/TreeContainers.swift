// The containers by which a tree is put together.

/// Writes members of an object of the tree.
struct TreeKeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    private let encoder: TreeEncoder

    init(_ encoder: TreeEncoder) { self.encoder = encoder }

    var codingPath: [any CodingKey] { encoder.codingPath }

    /// Adds a value once it is whole: one that fails leaves nothing behind.
    private func add(_ key: Key, _ fill: (TreeEncoder) throws -> Void) throws {
        let child = TreeNode()
        try fill(encoder.nested(child, key))
        insert(child, key.stringValue)
    }

    private func insert(_ child: TreeNode, _ name: String) {
        guard !encoder.call.isOver, case .object(var object) = encoder.node.content else { return }
        // Nothing else holds the members while one is added: else each time all would be copied.
        encoder.node.content = .nothing
        object[name] = child
        encoder.node.content = .object(object)
    }

    /// The encoder of a new value called `key`, whatever becomes of it.
    private func member(_ key: any CodingKey) -> TreeEncoder {
        let child = TreeNode()
        insert(child, key.stringValue)
        return encoder.nested(child, key)
    }

    /// The encoder of the container called `key`, which may have been begun before.
    private func container(_ key: Key) -> TreeEncoder {
        if case .object(let object) = encoder.node.content, let child = object[key.stringValue] {
            return encoder.nested(child, key)
        }
        return member(key)
    }

    func encodeNil(forKey key: Key) throws { try add(key) { try $0.set(.null) } }
    func encode(_ value: Bool, forKey key: Key) throws { try add(key) { try $0.set(.bool(value)) } }
    func encode(_ value: String, forKey key: Key) throws { try add(key) { try $0.set(.string(value)) } }
    func encode(_ value: Double, forKey key: Key) throws { try add(key) { try $0.set(value) } }
    func encode(_ value: Float, forKey key: Key) throws { try add(key) { try $0.set(value) } }
    func encode(_ value: Int, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: Int8, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: Int16, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: Int32, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: Int64, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: Int128, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt8, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt16, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt32, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt64, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt128, forKey key: Key) throws { try add(key) { try $0.set(.number(value.description)) } }
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws { try add(key) { try $0.set(value) } }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> { container(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { container(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { member(PathKey("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { member(key) }
}

/// Writes elements of an array of the tree.
struct TreeUnkeyedEncoding: UnkeyedEncodingContainer {
    private let encoder: TreeEncoder

    init(_ encoder: TreeEncoder) { self.encoder = encoder }

    var codingPath: [any CodingKey] { encoder.codingPath }

    var count: Int {
        guard case .array(let elements) = encoder.node.content else { return 0 }
        return elements.count
    }

    /// Adds an element once it is whole: one that fails leaves nothing behind.
    private func add(_ fill: (TreeEncoder) throws -> Void) throws {
        let child = TreeNode()
        try fill(encoder.nested(child, PathKey(index: count)))
        append(child)
    }

    private func append(_ child: TreeNode) {
        guard !encoder.call.isOver, case .array(var elements) = encoder.node.content else { return }
        // Nothing else holds the elements while one is added: else each time all would be copied.
        encoder.node.content = .nothing
        elements.append(child)
        encoder.node.content = .array(elements)
    }

    /// The encoder of a new element, whatever becomes of it.
    private func element() -> TreeEncoder {
        let child = TreeNode()
        let index = count
        append(child)
        return encoder.nested(child, PathKey(index: index))
    }

    func encodeNil() throws { try add { try $0.set(.null) } }
    func encode(_ value: Bool) throws { try add { try $0.set(.bool(value)) } }
    func encode(_ value: String) throws { try add { try $0.set(.string(value)) } }
    func encode(_ value: Double) throws { try add { try $0.set(value) } }
    func encode(_ value: Float) throws { try add { try $0.set(value) } }
    func encode(_ value: Int) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: Int8) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: Int16) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: Int32) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: Int64) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: Int128) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt8) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt16) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt32) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt64) throws { try add { try $0.set(.number(value.description)) } }
    func encode(_ value: UInt128) throws { try add { try $0.set(.number(value.description)) } }
    func encode<Value: Encodable>(_ value: Value) throws { try add { try $0.set(value) } }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> { element().container(keyedBy: type) }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }
    func superEncoder() -> any Encoder { element() }
}

/// Writes one value of the tree.
struct TreeSingleValueEncoding: SingleValueEncodingContainer {
    let encoder: TreeEncoder

    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() throws { try encoder.set(.null) }
    func encode(_ value: Bool) throws { try encoder.set(.bool(value)) }
    func encode(_ value: String) throws { try encoder.set(.string(value)) }
    func encode(_ value: Double) throws { try encoder.set(value) }
    func encode(_ value: Float) throws { try encoder.set(value) }
    func encode(_ value: Int) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: Int8) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: Int16) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: Int32) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: Int64) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: Int128) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: UInt) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: UInt8) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: UInt16) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: UInt32) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: UInt64) throws { try encoder.set(.number(value.description)) }
    func encode(_ value: UInt128) throws { try encoder.set(.number(value.description)) }
    func encode<Value: Encodable>(_ value: Value) throws { try encoder.set(value) }
}
