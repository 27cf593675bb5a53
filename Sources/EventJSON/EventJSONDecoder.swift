// Decoding: bytes in, a Decodable value out.

/// Reads Swift values from JSON.
///
/// A value of options, made anew for each call or kept: it has no state, and the memory it works in is used again by later
/// calls on any thread.
///
/// ```swift
/// let order = try EventJSONDecoder().decode(Order.self, from: bytes)
/// ```
public struct EventJSONDecoder: Sendable {
    /// How deep objects and arrays may be nested; 512 when nothing is said.
    ///
    /// Reading the document takes no stack, but a type that contains itself takes some at every level. At most 1,048,576.
    public var maxDepth = 512
    /// How many bytes a document may have; 64 MiB when nothing is said, and never more than 268,435,455.
    public var maxBytes = 64 << 20
    /// What types find in their decoder's `userInfo`.
    public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

    /// Creates a decoder with the usual limits.
    public init() {}

    /// Reads a value from the JSON in `bytes`, which are used only during the call.
    ///
    /// - Throws: `DecodingError`, with the coding path and what was expected and found. When the bytes are no JSON it is
    ///   `dataCorrupted` with a `JSONSyntaxError` as its underlying error, which says where. Also whatever the type's own
    ///   `init(from:)` throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: UnsafeRawBufferPointer) throws -> Value {
        let state = DecodingState.pool.take()
        defer { DecodingState.pool.give(state) }
        try read(bytes, into: state)
        return try ValueDecoder(Decoding(state: state, generation: state.pointee.generation), 1).decode(type)
    }

    /// Reads a value from the JSON in `bytes`.
    ///
    /// - Throws: What the other `decode(_:from:)` throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try bytes.withUnsafeBytes { try decode(type, from: $0) }
    }

    /// Fills the tape of `state`.
    private func read(_ bytes: UnsafeRawBufferPointer, into state: UnsafeMutablePointer<DecodingState>) throws {
        do throws(SyntaxFault) {
            guard bytes.count <= min(maxBytes, TapeLimits.maxBytes) else {
                throw SyntaxFault(.tooLarge, at: max(maxBytes, 0), expected: "The JSON is larger than is allowed")
            }
            state.pointee.prepare(bytes.count)
            if !userInfo.isEmpty { state.pointee.userInfo = userInfo }
            var tokenizer = Tokenizer(
                bytes, tape: state.pointee.tape, unescaped: state.pointee.unescaped,
                maxDepth: min(maxDepth, TapeLimits.maxDepth))
            try tokenizer.run()
            state.pointee.input = tokenizer.bytes
        } catch {
            let error = error.error(in: bytes)
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: [], debugDescription: "The bytes are not valid JSON", underlyingError: error))
        }
    }
}
