// What a stream keeps in memory for a slow client.

import Testing

@testable import TroupeWeb

@Suite struct ResponseStreamTests {
    @Test func whatAClientHasHadIsNotKeptThoughItNeverCatchesUp() async throws {
        // A stream of no connection: it always has something to send, so it is never suspended.
        let pointer = try #require(OpaquePointer(bitPattern: 8))
        let stream = ResponseStream(ConnectionPointer(pointer: pointer), heartbeat: [])
        let size = 8192
        try await stream.write([UInt8](repeating: 0, count: size))
        var largest = 0
        var wrong = 0
        var piece = [UInt8](repeating: 0, count: size)
        for number in 1...2000 {
            try await stream.write([UInt8](repeating: UInt8(number % 251), count: size))
            let count = piece.withUnsafeMutableBytes { stream.read(into: $0) }
            if count != size || piece.contains(where: { $0 != UInt8((number - 1) % 251) }) { wrong += 1 }
            largest = max(largest, stream.byteCount)
        }
        #expect(wrong == 0)
        #expect(largest <= 2 * ResponseStream.bound)
    }
}
