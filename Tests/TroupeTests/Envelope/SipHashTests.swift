// Our SipHash against the vectors its authors publish.

import Testing

@testable import Troupe

@Suite struct SipHashTests {
    /// Lines of `vectors_sip128` in the authors' reference implementation.
    ///
    /// The key is 00..0f, the message 00, 01, and so on.
    static let vectors: [(length: Int, hash: String)] = [
        (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
        (2, "8177228da4a45dc7fca38bdef60affe4"), (3, "9c70b60c5267a94e5f33b6b02985ed51"),
        (4, "f88164c12d9c8faf7d0f6e7c7bcd5579"), (7, "a1f1ebbed8dbc153c0b84aa61ff08239"),
        (8, "3b62a9ba6258f5610f83e264f31497b4"), (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
        (16, "6ee2a4ca67b054bbfd3315bf85230577"), (63, "5150d1772f50834a503e069a973fbd7c"),
    ]

    @Test(arguments: vectors) func equalsThePublishedVectors(_ vector: (length: Int, hash: String)) {
        var hash = SipHash128(key0: 0x0706_0504_0302_0100, key1: 0x0f0e_0d0c_0b0a_0908)
        Array(0..<UInt8(vector.length)).withUnsafeBytes { hash.update($0) }
        let (first, second) = hash.finish()
        let bytes = [first, second].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        #expect(Hex.text(of: bytes) == vector.hash)
    }

    @Test func oneGoGivesTheSameAsParts() {
        for count in 0...100 {
            var buffer = Array(UInt8(1)...UInt8(count + 8))
            var parts = SipHash128()
            buffer.withUnsafeBytes { parts.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            let whole = buffer.withUnsafeMutableBytes { SipHash128.hash(count, of: $0) }
            #expect(whole == parts.finish())
        }
    }

    @Test func partsMakeNoDifference() {
        let bytes = Array(UInt8(0)..<100)
        var whole = SipHash128()
        bytes.withUnsafeBytes { whole.update($0) }
        let expected = whole.finish()
        for cut in 0...bytes.count {
            var parts = SipHash128()
            bytes[..<cut].withUnsafeBytes { parts.update($0) }
            bytes[cut...].withUnsafeBytes { parts.update($0) }
            #expect(parts.finish() == expected)
        }
    }
}
