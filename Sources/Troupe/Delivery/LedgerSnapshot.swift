// What is committed of a ledger, and how it is written into the commit's metadata.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What one partition's ledger says at one moment: every offset below `base` is done, and those marked behind it.
package struct LedgerSnapshot: Sendable, Hashable {
    /// The lowest offset that is not done; -1 when nothing is known.
    package let base: Int64
    /// One bit an offset from `base` on, 64 a word; no trailing word is empty.
    package let words: [UInt64]

    /// Describes what is done.
    package init(base: Int64, words: [UInt64] = []) {
        self.base = base
        let length = words.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        self.words = length == words.count ? words : Array(words.prefix(length))
    }

    /// What is known when nothing was committed.
    package static let unknown = LedgerSnapshot(base: -1)

    /// Whether nothing behind the base is done.
    package var isContiguous: Bool { words.isEmpty }

    /// Whether the record at `offset` is done.
    package func covers(_ offset: Int64) -> Bool {
        if offset < base { return true }
        guard base >= 0, offset - base < Int64(words.count * 64) else { return false }
        let place = Int(offset - base)
        return words[place / 64] & (1 << UInt64(place % 64)) != 0
    }
}

// MARK: - In the commit's metadata

extension LedgerSnapshot {
    /// Why metadata is not a ledger's.
    package enum Defect: Error, Hashable {
        /// It was written by something else.
        case foreign
        /// It was written by a newer Troupe, in a form this one does not know.
        case unknownVersion
        /// It is Troupe's, but damaged, or belongs to another offset.
        case damaged

        /// What is wrong, to follow "it is".
        var explanation: String {
            switch self {
            case .foreign: "not of Troupe's making"
            case .unknownVersion: "written by a newer version of Troupe"
            case .damaged: "damaged, or of another offset"
            }
        }
    }

    private static let prefix = "troupe-ledger:"
    private static let version = "1:"

    /// The commit's metadata: empty when the base says it all, and never more than 2,756 bytes of ASCII.
    ///
    /// `troupe-ledger:1:` and base64 of: four bytes of checksum, then the bitmap from `base` on, the lowest bit of the
    /// first byte first, without its trailing zero bytes. The checksum is the first four bytes of SipHash-2-4-128 (zero key) over the base
    /// (eight bytes, little-endian) and the bitmap, so that metadata that was copied to another offset is recognised.
    package var metadata: String {
        guard !isContiguous else { return "" }
        var bitmap: [UInt8] = []
        bitmap.reserveCapacity(words.count * 8)
        for word in words { for byte in 0..<8 { bitmap.append(UInt8(truncatingIfNeeded: word >> UInt64(byte * 8))) } }
        while bitmap.last == 0 { bitmap.removeLast() }
        let sum = Self.checksum(base, bitmap)
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32($0 * 8)) } + bitmap
        return Self.prefix + Self.version + Data(bytes).base64EncodedString()
    }

    /// Reads what was committed.
    ///
    /// - Throws: `Defect` when the metadata says nothing of use: then the base alone counts.
    package init(base: Int64, metadata: String) throws(Defect) {
        guard !metadata.isEmpty else {
            self.init(base: base)
            return
        }
        guard metadata.hasPrefix(Self.prefix) else { throw .foreign }
        let rest = metadata.dropFirst(Self.prefix.count)
        guard rest.hasPrefix(Self.version) else { throw .unknownVersion }
        guard base >= 0, let bytes = Data(base64Encoded: String(rest.dropFirst(Self.version.count))),
            bytes.count > 4, bytes.count <= 4 + Int(OffsetLedger.window / 8)
        else { throw .damaged }
        let bitmap = Array(bytes.dropFirst(4))
        let sum = bytes.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard sum == Self.checksum(base, bitmap) else { throw .damaged }
        var words = [UInt64](repeating: 0, count: (bitmap.count + 7) / 8)
        for (index, byte) in bitmap.enumerated() { words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8) }
        self.init(base: base, words: words)
    }

    private static func checksum(_ base: Int64, _ bitmap: [UInt8]) -> UInt32 {
        var hash = SipHash128()
        withUnsafeBytes(of: base.littleEndian) { hash.update($0) }
        bitmap.withUnsafeBytes { hash.update($0) }
        return UInt32(truncatingIfNeeded: hash.finish().0)
    }
}
