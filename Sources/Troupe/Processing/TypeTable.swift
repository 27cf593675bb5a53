// Finds what handles a type by the bytes of its name, without making a string.

/// What handles the events of one type, while the routes are laid out.
struct TypeEntry: Sendable {
    /// Handles events; `nil` when only tombstones are handled.
    var route: Route?
    /// Turns an older event into what `route` handles, step by step; empty when there is nothing to turn.
    var upcasts: [Upcast] = []
    /// Handles tombstones.
    var tombstones: Route?
}

/// A fixed table from the bytes of type names to what handles them.
///
/// Open addressing, half full at most.
struct TypeTable: Sendable {
    /// What handles the events of one type, in one reference.
    final class Entry: Sendable {
        let route: Route?
        let upcasts: [Upcast]
        let tombstones: Route?

        init(_ entry: TypeEntry) {
            route = entry.route
            upcasts = entry.upcasts
            tombstones = entry.tombstones
        }
    }

    private let slots: [Int]
    private let names: [[UInt8]]
    private let entries: [Entry]

    init(_ types: [EventType: TypeEntry]) {
        let sorted = types.sorted { $0.key.rawValue < $1.key.rawValue }
        names = sorted.map { Array($0.key.rawValue.utf8) }
        entries = sorted.map { Entry($0.value) }
        var capacity = 8
        while capacity < names.count * 2 { capacity *= 2 }
        var slots = [Int](repeating: -1, count: capacity)
        for (index, name) in names.enumerated() {
            var slot = name.withUnsafeBytes { Self.hash($0) } & (capacity - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
            slots[slot] = index
        }
        self.slots = slots
    }

    /// What handles the type named by `name`.
    func entry(_ name: UnsafeRawBufferPointer) -> Entry? {
        let mask = slots.count - 1
        var slot = Self.hash(name) & mask
        while slots[slot] >= 0 {
            let index = slots[slot]
            if names[index].count == name.count, names[index].withUnsafeBytes({ $0.equals(name) }) {
                return entries[index]
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    // The names in the table are the service's own, so nobody can make them collide.
    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int { Int(truncatingIfNeeded: KeyHash.bytes(bytes)) }
}
