// Encoding: an Encodable value in, bytes out.

/// Writes Swift values as JSON.
///
/// Members stand in the order in which the value encodes them; those of a dictionary with keys of text or numbers are
/// sorted by the UTF-8 of their names, because dictionaries have another order in each process. So the same value gives
/// the same bytes. There is no white space, and slashes are not escaped.
///
/// A value of options, made anew for each call or kept: it has no state, and the memory it works in is used again by later
/// calls on any thread.
public struct EventJSONEncoder: Sendable {
    /// How deep objects and arrays may be nested; 512 when nothing is said.
    ///
    /// Each level of nesting takes some of the thread's stack. At most 1,048,576.
    public var maxDepth = 512
    /// How many bytes the JSON may have; 64 MiB when nothing is said, and never more than 268,435,455.
    public var maxBytes = 64 << 20
    /// What types find in their encoder's `userInfo`.
    public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

    /// Creates an encoder with the usual limits.
    public init() {}

    /// Returns the JSON of `value`.
    ///
    /// - Throws: `EncodingError.invalidValue` for what JSON cannot say (an infinite number, a date beyond the year 9999),
    ///   for a value that encodes nothing, and beyond a limit. Also whatever the type's own `encode(to:)` throws.
    public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
        try withEncodedBytes(of: value) { Array($0) }
    }

    /// Calls `body` with the JSON of `value`, which is valid only during the call.
    ///
    /// Nothing is allocated for the bytes: they lie in memory that is used again.
    ///
    /// - Throws: What `encode(_:)` and `body` throw.
    public func withEncodedBytes<Value: Encodable, Result>(
        of value: Value, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let state = EncodingState.pool.take()
        defer { EncodingState.pool.give(state) }
        try write(value, to: state)
        return try body(UnsafeRawBufferPointer(start: state.pointee.bytes, count: state.pointee.count))
    }

    /// Writes from front to back; a value that cannot be written so, or that fails, is put together as a tree.
    private func write<Value: Encodable>(_ value: Value, to state: UnsafeMutablePointer<EncodingState>) throws {
        begin(state)
        if !userInfo.isEmpty { state.pointee.userInfo = userInfo }
        let type = UInt(bitPattern: identity(Value.self))
        guard state.pointee.treeTypes.isEmpty || !state.pointee.treeTypes.contains(type) else {
            return try Encoding(state: state, generation: state.pointee.generation).tree(value)
        }
        var failed = false
        do { try Encoding(state: state, generation: state.pointee.generation).value(value, level: 0) } catch {
            failed = true
        }
        guard failed || state.pointee.needsTree || state.pointee.count > state.pointee.maxBytes else { return }
        // What the first attempt handed out is of no use in the second.
        state.pointee.generation &+= 1
        begin(state)
        try Encoding(state: state, generation: state.pointee.generation).tree(value)
        state.pointee.noteTreeType(type)
    }

    private func begin(_ state: UnsafeMutablePointer<EncodingState>) {
        state.pointee.begin(
            maxDepth: min(maxDepth, TapeLimits.maxDepth), maxBytes: min(maxBytes, TapeLimits.maxBytes))
    }
}
