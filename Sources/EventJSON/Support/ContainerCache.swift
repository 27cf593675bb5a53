// Keyed containers made before, used again: the standard library puts each into a box of its own on the heap.

/// Boxes of keyed containers that nobody holds any more.
///
/// `KeyedDecodingContainer` and `KeyedEncodingContainer` each hold one reference to such a box, which `boxesAreReferences`
/// makes sure of at run time; where that is not so, nothing is kept and each container is allocated. A box is used again
/// only while the cache holds the one reference to it.
struct ContainerCache {
    /// What a box holds: only its reference count is looked at.
    final class Box {}

    private struct Entry {
        var keyType: UnsafeRawPointer?
        var box: Box?
        var frame: UnsafeMutableRawPointer?
    }

    private static let capacity = 64
    private static let probes = 8
    private let entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: Self.capacity)
        entries.initialize(repeating: Entry(), count: Self.capacity)
    }

    /// A container for keys of `type` that nobody holds, and its frame.
    @inline(__always) func take(_ type: UnsafeRawPointer) -> (box: Box, frame: UnsafeMutableRawPointer)? {
        let start = Self.slot(type)
        for probe in 0..<Self.probes {
            // `&` comes before `+`.
            let entry = entries + (start &+ probe) & (Self.capacity - 1)
            guard let key = entry.pointee.keyType else { return nil }
            if key == type, isKnownUniquelyReferenced(&entry.pointee.box), let box = entry.pointee.box,
                let frame = entry.pointee.frame
            {
                return (box, frame)
            }
        }
        return nil
    }

    /// Whether another container for keys of `type` can be kept.
    func hasRoom(_ type: UnsafeRawPointer) -> Bool {
        guard Self.boxesAreReferences else { return false }
        let start = Self.slot(type)
        return (0..<Self.probes).contains { entries[(start + $0) & (Self.capacity - 1)].keyType == nil }
    }

    /// Keeps a container, whose frame must live as long as the cache.
    func keep<Container>(_ container: Container, _ type: UnsafeRawPointer, _ frame: UnsafeMutableRawPointer) {
        let start = Self.slot(type)
        for probe in 0..<Self.probes {
            let entry = entries + (start + probe) & (Self.capacity - 1)
            if entry.pointee.keyType == nil {
                let box = unsafeBitCast(container, to: Unmanaged<Box>.self).takeUnretainedValue()
                entry.pointee = Entry(keyType: type, box: box, frame: frame)
                return
            }
        }
    }

    @inline(__always) private static func slot(_ type: UnsafeRawPointer) -> Int {
        Int(truncatingIfNeeded: (UInt(bitPattern: type) &* 0x9E37_79B9_7F4A_7C15) &>> 58)
    }

    /// Whether the standard library's keyed containers are what they have been: a struct of one reference.
    static let boxesAreReferences =
        isReference(KeyedDecodingContainer(ProbeDecoding()))
        && isReference(KeyedEncodingContainer(ProbeEncoding<ProbeKey>()))

    static func isReference<Container>(_ container: Container) -> Bool {
        let children = Mirror(reflecting: container).children
        guard MemoryLayout<Container>.size == MemoryLayout<Box>.size, children.count == 1,
            let child = children.first, type(of: child.value) is AnyClass
        else { return false }
        return unsafeBitCast(container, to: UnsafeRawPointer.self)
            == UnsafeRawPointer(Unmanaged.passUnretained(child.value as AnyObject).toOpaque())
    }
}

/// The type as a number, to compare and look up.
@inline(__always) func identity(_ type: any Any.Type) -> UnsafeRawPointer {
    unsafeBitCast(type, to: UnsafeRawPointer.self)
}
