// Writes a tree as bytes.

extension Encoding {
    /// Puts `value` together as a tree and writes it.
    func tree<Value: Encodable>(_ value: Value) throws {
        let call = TreeCall(userInfo: userInfo, maxDepth: state.pointee.maxDepth)
        defer { call.end() }
        let root = TreeEncoder(node: TreeNode(), call: call, codingPath: [])
        try root.set(value)
        if let misuse = call.misuse { throw misuse }
        if case .nothing = root.node.content { throw root.error("The value encodes nothing", value) }
        do {
            try write(root.node, depth: 0)
        } catch is NeedsTree {
            // Of a tree nothing else can be refused.
            throw root.error("The JSON has more than \(state.pointee.maxBytes) bytes")
        }
        if state.pointee.count > state.pointee.maxBytes {
            throw root.error("The JSON has more than \(state.pointee.maxBytes) bytes")
        }
    }

    private func write(_ node: TreeNode, depth: Int) throws {
        switch node.content {
        case .nothing: try raw("{}")
        case .null: try null()
        case .bool(let value): try bool(value)
        case .double(let value): try double(value)
        case .float(let value): try float(value)
        case .string(let value): try string(value)
        case .number(let text): try raw(text)
        case .array(let elements):
            try enter(depth)
            try raw("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { try raw(",") }
                try write(element, depth: depth + 1)
            }
            try raw("]")
        case .object(let object):
            try enter(depth)
            try raw("{")
            var places = Array(object.names.indices)
            if object.isSorted {
                places.sort { object.names[$0].utf8.lexicographicallyPrecedes(object.names[$1].utf8) }
            }
            for (index, place) in places.enumerated() {
                if index > 0 { try raw(",") }
                try string(object.names[place])
                try raw(":")
                try write(object.values[place], depth: depth + 1)
            }
            try raw("}")
        }
    }

    private func enter(_ depth: Int) throws {
        guard depth < state.pointee.maxDepth else {
            throw EncodingError.invalidValue(
                "",
                EncodingError.Context(
                    codingPath: [],
                    debugDescription: "Objects and arrays are nested more than \(state.pointee.maxDepth) deep"))
        }
    }
}
