// The memory of one encoding call, and the handle by which containers reach it.

/// What one call of the encoder works in: the bytes written so far and the containers that are open.
///
/// Raw memory, because a call reuses what the one before left without clearing it, and because containers reach it by an
/// address: counting references was more than a quarter of the time.
struct EncodingState: ~Copyable, ReusableState {
    /// An open object or array.
    struct Level {
        /// A number that no other container of the call has; its top bit is set while a value inside is encoded.
        var serial: UInt32
        /// Where its bracket stands.
        var start: UInt32
        var count: UInt32
        /// Its first name in `names`.
        var firstName: UInt32
        /// A set of 64 bits of the names it has.
        var nameBits: UInt64
        var isKeyed: Bool
        /// Whether its members are sorted when it is closed.
        var isSorted: Bool
    }

    /// A name of an open object: its hash, and where it stands.
    struct Name {
        var hash: UInt64
        var start: UInt32
    }

    var generation: UInt32 = 1
    var bytes: UnsafeMutablePointer<UInt8>
    var count = 0
    var capacity = 4096
    var levels: UnsafeMutablePointer<Level>
    var depth = 0
    var levelCapacity = 16
    var names: UnsafeMutablePointer<Name>
    var nameCount = 0
    var nameCapacity = 64
    var lastSerial: UInt32 = 0
    /// Whether something was asked for that cannot be written from front to back.
    var needsTree = false
    var maxDepth = 0
    var maxBytes = 0
    var userInfo: [CodingUserInfoKey: any Sendable] = [:]
    /// Types whose values needed the tree before.
    var treeTypes: Set<UInt> = []
    let cache = ContainerCache()
    let dictionaryKey = DictionaryKey.identity

    /// Bytes the output may keep between calls.
    private static let keptBytes = 1 << 19
    private static let keptNames = 1 << 15
    private static let maxTreeTypes = 256

    init() {
        bytes = .allocate(capacity: capacity)
        levels = .allocate(capacity: levelCapacity)
        names = .allocate(capacity: nameCapacity)
    }

    @inline(__always) mutating func begin(maxDepth: Int, maxBytes: Int) {
        count = 0
        depth = 0
        nameCount = 0
        lastSerial = 0
        needsTree = false
        self.maxDepth = maxDepth
        self.maxBytes = maxBytes
    }

    @inline(__always) mutating func shrink() {
        if capacity > Self.keptBytes || nameCapacity > Self.keptNames { release() }
        if !userInfo.isEmpty { userInfo = [:] }
    }

    private mutating func release() {
        bytes.deallocate()
        names.deallocate()
        capacity = 4096
        nameCapacity = 64
        bytes = .allocate(capacity: capacity)
        names = .allocate(capacity: nameCapacity)
    }

    mutating func noteTreeType(_ type: UInt) {
        if treeTypes.count < Self.maxTreeTypes { treeTypes.insert(type) }
    }

    /// Makes room for `size` more bytes; `false` when there would be too many.
    mutating func grow(_ size: Int) -> Bool {
        guard count + size <= maxBytes else { return false }
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: max(capacity * 2, count + size))
        larger.update(from: bytes, count: count)
        bytes.deallocate()
        bytes = larger
        capacity = max(capacity * 2, count + size)
        return true
    }

    mutating func growLevels() {
        let larger = UnsafeMutablePointer<Level>.allocate(capacity: levelCapacity * 2)
        larger.update(from: levels, count: depth)
        levels.deallocate()
        levels = larger
        levelCapacity *= 2
    }

    mutating func growNames() {
        let larger = UnsafeMutablePointer<Name>.allocate(capacity: nameCapacity * 2)
        larger.update(from: names, count: nameCount)
        names.deallocate()
        names = larger
        nameCapacity *= 2
    }

    static let pool = StatePool<EncodingState>()
}

/// What cannot be written from front to back: the call begins again with a tree, which knows the precise error if it is one.
struct NeedsTree: Error {}

/// A handle on the state of one call; see `Decoding` for what makes it safe.
struct Encoding {
    let state: UnsafeMutablePointer<EncodingState>
    let generation: UInt32

    @inline(__always) var isOver: Bool { state.pointee.generation != generation }

    /// Gives up writing from front to back.
    @inline(never) func giveUp() -> any Error {
        if isOver {
            return EncodingError.invalidValue(
                "",
                EncodingError.Context(
                    codingPath: [],
                    debugDescription: "The encoder was used after the call of encode that it belongs to had returned"))
        }
        state.pointee.needsTree = true
        return NeedsTree()
    }

    /// The path is not kept while writing from front to back: whoever asks gets it from the tree.
    var codingPath: [any CodingKey] {
        if !isOver { state.pointee.needsTree = true }
        return []
    }

    var userInfo: [CodingUserInfoKey: Any] { isOver ? [:] : state.pointee.userInfo.mapValues { $0 } }

    // MARK: - Bytes

    /// Makes room for `size` bytes more.
    @inline(__always) func reserve(_ size: Int) throws {
        if state.pointee.count &+ size > state.pointee.capacity, !state.pointee.grow(size) { throw giveUp() }
    }

    /// Writes a byte that there is room for.
    @inline(__always) func put(_ byte: UInt8) {
        state.pointee.bytes[state.pointee.count] = byte
        state.pointee.count &+= 1
    }

    // MARK: - Containers

    /// Opens a container at `level`, the number of containers around it; 0 instead of a serial number when it cannot be.
    @inline(__always) func open(level: Int, isKeyed: Bool, isSorted: Bool = false) -> UInt32 {
        let state = state
        guard !isOver, state.pointee.depth == level, level < state.pointee.maxDepth,
            state.pointee.lastSerial < Self.isBusy - 1, (try? reserve(1)) != nil
        else { return refuse() }
        if level == state.pointee.levelCapacity { state.pointee.growLevels() }
        let serial = state.pointee.lastSerial &+ 1
        state.pointee.lastSerial = serial
        (state.pointee.levels + level).initialize(
            to: EncodingState.Level(
                serial: serial, start: UInt32(truncatingIfNeeded: state.pointee.count), count: 0,
                firstName: UInt32(truncatingIfNeeded: state.pointee.nameCount), nameBits: 0, isKeyed: isKeyed,
                isSorted: isSorted))
        state.pointee.depth = level &+ 1
        put(isKeyed ? UInt8(ascii: "{") : UInt8(ascii: "["))
        return serial
    }

    @inline(never) func refuse() -> UInt32 {
        _ = giveUp()
        return 0
    }

    /// The top bit of a serial number: a value inside the container is being encoded.
    static let isBusy: UInt32 = 1 << 31

    /// Begins an element of the container `serial` at `level`, closing what is open in it.
    @inline(__always) func beginElement(_ level: Int, _ serial: UInt32) throws {
        guard !isOver, state.pointee.depth > level, state.pointee.levels[level].serial == serial else {
            throw giveUp()
        }
        if state.pointee.depth > level &+ 1 { try close(to: level &+ 1) }
        try reserve(1)
        if state.pointee.levels[level].count > 0 { put(UInt8(ascii: ",")) }
        state.pointee.levels[level].count &+= 1
    }

    /// Closes containers until `depth` are open.
    @inline(__always) func close(to depth: Int) throws {
        while state.pointee.depth > depth {
            try reserve(1)
            let level = state.pointee.levels[state.pointee.depth &- 1]
            if level.isKeyed {
                if level.count > 1, level.isSorted || level.count > Self.maxComparedNames { try finish(level) }
                state.pointee.nameCount = Int(level.firstName)
                put(UInt8(ascii: "}"))
            } else {
                put(UInt8(ascii: "]"))
            }
            state.pointee.depth &-= 1
        }
    }

    // MARK: - Names

    /// Objects with more members than this are searched for names that occur twice when they are closed.
    static let maxComparedNames = 64

    /// Writes a name and its colon.
    @inline(__always) func name(_ key: some CodingKey, _ level: Int, _ serial: UInt32) throws {
        try beginElement(level, serial)
        var name = key.stringValue
        try name.withUTF8 {
            try noteName($0, level)
            try string($0)
        }
        try reserve(1)
        put(UInt8(ascii: ":"))
    }

    @inline(__always) private func noteName(_ name: UnsafeBufferPointer<UInt8>, _ level: Int) throws {
        let hash = NameHash.value(name)
        let bit = 1 as UInt64 &<< (hash &>> 58)
        let bits = state.pointee.levels[level].nameBits
        if bits & bit != 0 { try compareNames(hash, level) }
        state.pointee.levels[level].nameBits = bits | bit
        if state.pointee.nameCount == state.pointee.nameCapacity { state.pointee.growNames() }
        (state.pointee.names + state.pointee.nameCount).initialize(
            to: EncodingState.Name(hash: hash, start: UInt32(truncatingIfNeeded: state.pointee.count)))
        state.pointee.nameCount &+= 1
    }

    /// Of a name that is written twice the last value counts, as with a dictionary: only the tree can do that.
    @inline(never) private func compareNames(_ hash: UInt64, _ level: Int) throws {
        guard state.pointee.levels[level].count <= Self.maxComparedNames else { return }
        for index in Int(state.pointee.levels[level].firstName)..<state.pointee.nameCount
        where state.pointee.names[index].hash == hash {
            throw giveUp()
        }
    }

    /// Sorts the members of a dictionary, and looks for names that occur twice where there were too many to compare.
    @inline(never) private func finish(_ level: EncodingState.Level) throws {
        var names = UnsafeMutableBufferPointer(
            start: state.pointee.names + Int(level.firstName), count: state.pointee.nameCount - Int(level.firstName))
        if level.isSorted { sortMembers(names) }
        guard names.count > Self.maxComparedNames else { return }
        names.sort { $0.hash < $1.hash }
        for index in 1..<names.count where names[index].hash == names[index - 1].hash { throw giveUp() }
    }

    private func sortMembers(_ names: UnsafeMutableBufferPointer<EncodingState.Name>) {
        let end = state.pointee.count
        let members = names.indices.map { index in
            let start = Int(names[index].start)
            let next = index + 1 < names.count ? Int(names[index + 1].start) - 1 : end
            return (name: WrittenName.text(state.pointee.bytes + start), range: start..<next)
        }
        guard let first = members.first else { return }
        let sorted = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let written = Array(
            UnsafeBufferPointer(
                start: state.pointee.bytes + first.range.lowerBound, count: end - first.range.lowerBound))
        state.pointee.count = first.range.lowerBound
        for (index, member) in sorted.enumerated() {
            if index > 0 { put(UInt8(ascii: ",")) }
            let offset = member.range.lowerBound - first.range.lowerBound
            written[offset..<offset + member.range.count].withUnsafeBufferPointer { part in
                guard let address = part.baseAddress else { return }
                (state.pointee.bytes + state.pointee.count).update(from: address, count: part.count)
            }
            state.pointee.count += member.range.count
        }
    }
}

/// Hashes of names, to find those that occur twice.
enum NameHash {
    /// A hash of all bytes; equal ones cost a second look, no more.
    @inline(__always) static func value(_ name: UnsafeBufferPointer<UInt8>) -> UInt64 {
        guard let address = name.baseAddress else { return 0 }
        let raw = UnsafeRawPointer(address)
        let count = name.count
        var hash = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index &+ 8 <= count {
            hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index &+= 8
        }
        var rest: UInt64 = 0
        while index < count {
            rest = rest &<< 8 | UInt64(address[index])
            index &+= 1
        }
        return mix(hash ^ rest)
    }

    @inline(__always) private static func mix(_ value: UInt64) -> UInt64 {
        let product = value &* 0xD6E8_FEB8_6659_FD93
        return (product ^ product &>> 32) &* 0xD6E8_FEB8_6659_FD93
    }
}
