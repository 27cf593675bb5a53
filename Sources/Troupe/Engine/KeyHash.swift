// A fast hash of record keys, for lanes. Not for anything that is stored or sent.

package import KafkaClient

/// Hashes keys to lanes: 64 bits, so that two keys of one moment practically never share a lane.
package enum KeyHash {
    /// The hash of a record's key; a record without a key gets a lane of its own.
    @inline(__always)
    package static func of(_ record: KafkaRecord) -> UInt64 {
        let key = record.keySlice
        guard !key.isNull else { return of(offset: record.offset) }
        return record.withUnsafeBytes(of: key) { bytes($0) }
    }

    /// The hash of a record that shares its lane with no other one.
    @inline(__always)
    package static func of(offset: Int64) -> UInt64 { mix(UInt64(bitPattern: offset), 0xD6E8_FEB8_6659_FD93) }

    @inline(__always)
    static func bytes(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
        var index = 0
        while index + 8 <= bytes.count {
            hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self), 0xD6E8_FEB8_6659_FD93)
            index += 8
        }
        while index < bytes.count {
            hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3
            index += 1
        }
        return mix(hash, 0xA076_1D64_78BD_642F)
    }

    @inline(__always)
    private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}
