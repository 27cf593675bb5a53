// Encoding by way of a tree: for values that do not write from front to back, and for precise errors.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A value that is being put together.
final class TreeNode {
    /// What a node has become.
    enum Content {
        case nothing
        case null
        case bool(Bool)
        case double(Double)
        case float(Float)
        case string(String)
        /// A number as it is written.
        case number(String)
        case array([TreeNode])
        case object(TreeObject)
    }

    var content = Content.nothing
}

/// The members of an object in the order of their first writing; of one written twice the last value counts.
struct TreeObject {
    var names: [String] = []
    var values: [TreeNode] = []
    var isSorted = false
    private var places: [String: Int] = [:]

    init(isSorted: Bool) { self.isSorted = isSorted }

    subscript(name: String) -> TreeNode? {
        get { places[name].map { values[$0] } }
        set {
            guard let newValue else { return }
            if let place = places[name] {
                values[place] = newValue
            } else {
                places[name] = names.count
                names.append(name)
                values.append(newValue)
            }
        }
    }
}

/// What the containers of one call share.
final class TreeCall {
    private(set) var isOver = false
    /// The first thing that was done wrong where nothing can be thrown.
    var misuse: EncodingError?
    /// Given up when the call ends, so that what is in it may hold an encoder without a cycle.
    private(set) var userInfo: [CodingUserInfoKey: Any]
    let maxDepth: Int

    init(userInfo: [CodingUserInfoKey: Any], maxDepth: Int) {
        self.userInfo = userInfo
        self.maxDepth = maxDepth
    }

    /// Ends the call: its containers throw from here on.
    func end() {
        isOver = true
        userInfo = [:]
    }
}

/// Puts the value of one node together.
struct TreeEncoder: Encoder {
    let node: TreeNode
    let call: TreeCall
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { call.userInfo }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        let isSorted = DictionaryKey.isKey(type, known: DictionaryKey.identity)
        switch node.content {
        case .nothing: node.content = .object(TreeObject(isSorted: isSorted))
        case .object: break
        default: return KeyedEncodingContainer(TreeKeyedEncoding(self.refused("an object")))
        }
        return KeyedEncodingContainer(TreeKeyedEncoding(self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        switch node.content {
        case .nothing: node.content = .array([])
        case .array: break
        default: return TreeUnkeyedEncoding(refused("an array"))
        }
        return TreeUnkeyedEncoding(self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { TreeSingleValueEncoding(encoder: self) }

    /// Notes that a node cannot become what it is asked to be; returns an encoder whose writing goes nowhere.
    private func refused(_ kind: String) -> TreeEncoder {
        call.misuse = call.misuse ?? error("The value was begun as something else than \(kind)")
        let stray = TreeNode()
        stray.content = kind == "an object" ? .object(TreeObject(isSorted: false)) : .array([])
        return TreeEncoder(node: stray, call: call, codingPath: codingPath)
    }

    func error(_ text: String, _ value: Any = "") -> EncodingError {
        .invalidValue(value, EncodingError.Context(codingPath: codingPath, debugDescription: text))
    }

    /// The encoder of a value within this one.
    func nested(_ node: TreeNode, _ key: any CodingKey) -> TreeEncoder {
        TreeEncoder(node: node, call: call, codingPath: codingPath + [key])
    }

    // MARK: - Values

    /// Gives the node its content.
    func set(_ content: TreeNode.Content) throws {
        guard !call.isOver else {
            throw error("The encoder was used after the call of encode that it belongs to had returned")
        }
        guard case .nothing = node.content else { throw error("The value was encoded already") }
        node.content = content
    }

    func set<Value: Encodable>(_ value: Value) throws {
        guard codingPath.count <= call.maxDepth else {
            throw error("Objects and arrays are nested more than \(call.maxDepth) deep")
        }
        switch value {
        case let date as Date where Value.self == Date.self:
            guard let milliseconds = WrittenDate.milliseconds(date) else {
                throw error("RFC 3339 holds dates of the years 0000 to 9999 only", date)
            }
            try set(.string(RFC3339.text(milliseconds: milliseconds)))
        case let decimal as Decimal where Value.self == Decimal.self:
            guard decimal.isFinite else { throw error("JSON has no number for \(decimal)", decimal) }
            try set(.number(decimal.description))
        case let data as Data where Value.self == Data.self: try set(.string(data.base64EncodedString()))
        case let url as URL where Value.self == URL.self: try set(.string(url.absoluteString))
        default: try value.encode(to: self)
        }
    }

    func set(_ value: Double) throws {
        guard value.isFinite else { throw error("JSON has no number for \(value)", value) }
        try set(.double(value))
    }

    func set(_ value: Float) throws {
        guard value.isFinite else { throw error("JSON has no number for \(value)", value) }
        try set(.float(value))
    }

    func set(_ value: some FixedWidthInteger) throws { try set(.number(value.description)) }
}
