// Fills the buffer of a packed record in one go.

/// Writes key, value and headers of a packed record one after the other, into room that was reserved for all of them.
///
/// Nothing is ever written behind that room: what does not fit is left out, and `fits` says so.
@usableFromInline
package struct PackedWriter {
    @usableFromInline var key = PackedMessage.Slice()
    @usableFromInline var value = PackedMessage.Slice()
    @usableFromInline var headerCount = 0
    @usableFromInline var byteCount = 0
    @usableFromInline var end = 0
    @usableFromInline var fits = true
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let capacity: Int

    @usableFromInline
    init(_ base: UnsafeMutableRawPointer, _ capacity: Int) {
        self.base = base
        // Lengths are kept in 32 bits.
        self.capacity = min(capacity, Int(Int32.max))
    }

    /// The room that a field takes whose name and value have `count` bytes together.
    @inlinable @inline(__always)
    package static func room(_ count: Int) -> Int { PackedFields.prefixSize + count }

    /// Writes the lengths of a field and returns where its bytes go; a length below zero stands for null.
    @inlinable @inline(__always)
    mutating func field(_ nameLength: Int, _ valueLength: Int) -> UnsafeMutableRawPointer? {
        let count = max(nameLength, 0) + max(valueLength, 0)
        guard Self.room(count) <= capacity - end else {
            fits = false
            return nil
        }
        let start = base + end
        start.storeBytes(of: Int32(truncatingIfNeeded: nameLength), as: Int32.self)
        start.storeBytes(of: Int32(truncatingIfNeeded: valueLength), toByteOffset: 4, as: Int32.self)
        end += Self.room(count)
        byteCount += count
        return start + PackedFields.prefixSize
    }

    /// Writes the key.
    package mutating func setKey(_ bytes: UnsafeRawBufferPointer?) {
        guard let bytes, let room = field(-1, bytes.count) else { return }
        if let source = bytes.baseAddress { room.copyMemory(from: source, byteCount: bytes.count) }
        key = PackedMessage.Slice(start: Int32(end - bytes.count), length: Int32(bytes.count))
    }

    /// Writes the value.
    package mutating func setValue(_ bytes: UnsafeRawBufferPointer?) {
        guard let bytes, let room = field(-1, bytes.count) else { return }
        if let source = bytes.baseAddress { room.copyMemory(from: source, byteCount: bytes.count) }
        value = PackedMessage.Slice(start: Int32(end - bytes.count), length: Int32(bytes.count))
    }

    /// Writes a header with a value of `size` bytes, which `write` must write.
    @inlinable @inline(__always)
    package mutating func addHeader(_ name: StaticString, size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        guard let room = field(name.utf8CodeUnitCount, size) else { return }
        room.copyMemory(from: name.utf8Start, byteCount: name.utf8CodeUnitCount)
        write(UnsafeMutableRawBufferPointer(start: room + name.utf8CodeUnitCount, count: size))
        headerCount += 1
    }

    /// Writes a header.
    @inlinable @inline(__always)
    package mutating func addHeader(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
        guard let room = field(name.utf8CodeUnitCount, value.count) else { return }
        room.copyMemory(from: name.utf8Start, byteCount: name.utf8CodeUnitCount)
        if let source = value.baseAddress {
            (room + name.utf8CodeUnitCount).copyMemory(from: source, byteCount: value.count)
        }
        headerCount += 1
    }

    /// Writes headers that were prepared.
    package mutating func addHeaders(_ headers: PackedHeaders) {
        let size = headers.bytes.count
        guard size <= capacity - end else {
            fits = false
            return
        }
        headers.bytes.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { (base + end).copyMemory(from: source, byteCount: size) }
        }
        end += size
        byteCount += headers.byteCount
        headerCount += headers.count
    }
}

/// Headers that many records have in common, prepared once.
package struct PackedHeaders: Sendable {
    let bytes: [UInt8]
    let count: Int
    let byteCount: Int

    /// Prepares headers.
    package init(_ headers: [(name: StaticString, value: String)]) {
        let sizes = headers.map { $0.name.utf8CodeUnitCount + $0.value.utf8.count }
        let room = sizes.reduce(0) { $0 + PackedWriter.room($1) }
        bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            var writer = PackedWriter(UnsafeMutableRawPointer(base), room)
            for (name, value) in headers {
                var value = value
                value.withUTF8 { writer.addHeader(name, UnsafeRawBufferPointer($0)) }
            }
            initialized = writer.end
        }
        count = headers.count
        byteCount = sizes.reduce(0, +)
    }

    /// The room the headers take.
    package var room: Int { bytes.count }
}
