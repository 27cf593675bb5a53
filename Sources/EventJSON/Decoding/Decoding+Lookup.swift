// Finding an object's member by name: usually it is the next one.

extension Decoding {
    /// The index of the value of the first member called `key`, or -1.
    ///
    /// Fields are mostly asked for in the order they were written, so the search begins after the member found last.
    /// That finds the first of several members of one name only where there are no several: such objects and those too
    /// large to know are searched otherwise.
    @inline(__always) func find(_ key: some CodingKey, in object: Int, end: Int, advance: Bool) -> Int {
        var name = key.stringValue
        return name.withUTF8 { find($0, in: object, end: end, advance: advance) }
    }

    @inline(__always) private func find(
        _ name: UnsafeBufferPointer<UInt8>, in object: Int, end: Int, advance: Bool
    ) -> Int {
        let tape = state.pointee.tape
        if tape[object] & ObjectFlags.any != 0 { return findFirst(name, in: object, end: end) }
        let start = Int(truncatingIfNeeded: tape[object &+ 1])
        var member = start
        var last = end
        var isSecondPass = false
        while true {
            while member < last {
                if isName(tape[member], name) {
                    tape[object &+ 1] = UInt64(truncatingIfNeeded: advance ? next(member &+ 1) : member)
                    return member &+ 1
                }
                member = next(member &+ 1)
            }
            if isSecondPass { return -1 }
            // Once more from the beginning, up to where the search began.
            isSecondPass = true
            member = object &+ 2
            last = start
        }
    }

    @inline(__always) private func isName(_ word: UInt64, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard word.textLength == name.count else { return false }
        guard let other = name.baseAddress, let own = text(word).baseAddress else { return true }
        return areEqual(own, other, name.count)
    }

    @inline(never) private func findFirst(_ name: UnsafeBufferPointer<UInt8>, in object: Int, end: Int) -> Int {
        if state.pointee.tape[object] & ObjectFlags.isLarge != 0 { return findInIndex(name, in: object, end: end) }
        var member = object &+ 2
        while member < end {
            if isName(word(member), name) { return member &+ 1 }
            member = next(member &+ 1)
        }
        return -1
    }

    // MARK: - Large objects

    // An object's second word holds the start of its table in the upper half and its size in the lower one, 0 before the
    // first lookup. The hash is the standard library's, seeded anew in each process: nobody can make names that collide.

    private func findInIndex(_ name: UnsafeBufferPointer<UInt8>, in object: Int, end: Int) -> Int {
        if word(object &+ 1) == 0 { makeIndex(of: object, end: end) }
        let table = state.pointee.index + Int(word(object &+ 1) &>> 32)
        let mask = word(object &+ 1).link &- 1
        var slot = Self.hash(name) & mask
        while true {
            let member = Int(table[slot])
            if member == 0 { return -1 }
            if isName(word(member), name) { return member &+ 1 }
            slot = (slot &+ 1) & mask
        }
    }

    private func makeIndex(of object: Int, end: Int) {
        var count = 0
        var member = object &+ 2
        while member < end {
            count += 1
            member = next(member &+ 1)
        }
        var size = 16
        while size < count * 2 { size *= 2 }
        let start = state.pointee.makeIndex(size: size)
        state.pointee.tape[object &+ 1] = UInt64(start) &<< 32 | UInt64(size)
        let table = state.pointee.index + start
        member = object &+ 2
        while member < end {
            let name = text(word(member))
            var slot = Self.hash(name) & (size - 1)
            // The first member of a name stays.
            while table[slot] != 0, !isName(word(Int(table[slot])), name) { slot = (slot + 1) & (size - 1) }
            if table[slot] == 0 { table[slot] = UInt32(truncatingIfNeeded: member) }
            member = next(member &+ 1)
        }
    }

    private static func hash(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(name))
        return hasher.finalize()
    }

    /// The names of an object's members in their order, each once.
    func names(of object: Int) -> [String] {
        let end = word(object).link
        let isPlain = word(object) & ObjectFlags.any == 0
        var names: [String] = []
        var member = object &+ 2
        while member < end {
            let name = text(word(member))
            if isPlain || findFirst(name, in: object, end: end) == member &+ 1 {
                names.append(String(decoding: name, as: UTF8.self))
            }
            member = next(member &+ 1)
        }
        return names
    }
}
