// The memory of one decoding call, and the handle by which containers reach it.

/// What one call of the decoder works in: the tape, the text without escapes, the index of large objects.
///
/// Raw memory, because a call reuses what the one before left without clearing it, and because containers reach it by an
/// address: counting references was more than a quarter of the time.
struct DecodingState: ~Copyable, ReusableState {
    var generation: UInt32 = 1
    /// The document, valid during the call.
    var input: UnsafePointer<UInt8>
    var tape: UnsafeMutablePointer<UInt64>
    var tapeCapacity = 1024
    var unescaped: UnsafeMutablePointer<UInt8>
    var unescapedCapacity = 1024
    /// Hash tables of large objects, one after the other: indices of names on the tape.
    var index: UnsafeMutablePointer<UInt32>
    var indexCapacity = 16
    var indexCount = 0
    var userInfo: [CodingUserInfoKey: any Sendable] = [:]
    let cache = ContainerCache()

    /// Words a tape may keep between calls: half a mebibyte.
    private static let keptWords = 1 << 16

    init() {
        tape = .allocate(capacity: tapeCapacity)
        unescaped = .allocate(capacity: unescapedCapacity)
        index = .allocate(capacity: indexCapacity)
        input = UnsafePointer(unescaped)
    }

    /// Makes room for a document of `count` bytes.
    ///
    /// No document needs more words than it has bytes and two: an element of two words has at least two bytes with the
    /// comma or bracket beside it. Memory that is not written to costs nothing.
    mutating func prepare(_ count: Int) {
        if tapeCapacity < count + 8 {
            tape.deallocate()
            tapeCapacity = count * 2 + 8
            tape = .allocate(capacity: tapeCapacity)
        }
        if unescapedCapacity < count + 8 {
            unescaped.deallocate()
            unescapedCapacity = count * 2 + 8
            unescaped = .allocate(capacity: unescapedCapacity)
        }
        indexCount = 0
    }

    @inline(__always) mutating func shrink() {
        if tapeCapacity > Self.keptWords || indexCapacity > Self.keptWords { release() }
        if !userInfo.isEmpty { userInfo = [:] }
    }

    private mutating func release() {
        tape.deallocate()
        unescaped.deallocate()
        index.deallocate()
        tapeCapacity = 1024
        unescapedCapacity = 1024
        indexCapacity = 16
        tape = .allocate(capacity: tapeCapacity)
        unescaped = .allocate(capacity: unescapedCapacity)
        index = .allocate(capacity: indexCapacity)
    }

    /// Where a hash table of `size` entries of zero begins, made at the end of the others.
    mutating func makeIndex(size: Int) -> Int {
        let start = indexCount
        if indexCapacity < start + size {
            let capacity = max(indexCapacity * 2, start + size)
            let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
            larger.update(from: index, count: start)
            index.deallocate()
            index = larger
            indexCapacity = capacity
        }
        (index + start).update(repeating: 0, count: size)
        indexCount = start + size
        return start
    }

    static let pool = StatePool<DecodingState>()
}

/// A handle on the state of one call: two numbers, copied without counting references.
///
/// Counting them took a quarter of the time. What makes it safe: a state is never freed, and whatever outlives its call
/// finds another generation and throws before it reads anything.
struct Decoding {
    let state: UnsafeMutablePointer<DecodingState>
    let generation: UInt32

    @inline(__always) var isOver: Bool { state.pointee.generation != generation }

    /// Throws when the call that made this handle has returned.
    @inline(__always) func check() throws {
        if isOver { throw Self.escaped() }
    }

    @inline(never) static func escaped() -> DecodingError {
        .dataCorrupted(
            DecodingError.Context(
                codingPath: [],
                debugDescription: "The decoder was used after the call of decode that it belongs to had returned"))
    }

    @inline(__always) func word(_ at: Int) -> UInt64 { state.pointee.tape[at] }
    @inline(__always) func tag(_ at: Int) -> UInt8 { state.pointee.tape[at].tag }
    @inline(__always) func next(_ at: Int) -> Int { Tokenizer.next(state.pointee.tape, at) }

    /// The bytes of the string whose word is given.
    @inline(__always) func text(_ word: UInt64) -> UnsafeBufferPointer<UInt8> {
        let base = word.tag == Tag.unescapedString ? UnsafePointer(state.pointee.unescaped) : state.pointee.input
        return UnsafeBufferPointer(start: base + word.textOffset, count: word.textLength)
    }
}
