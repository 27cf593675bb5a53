// Which members a path of names masks.

import Testing

@testable import TroupeWeb

@Suite struct PayloadMaskTests {
    @Test(arguments: [
        (#"{"customer":{"email":1}}"#, #"{"customer":{"email":"•••"}}"#),
        (#"{"customer":{"contact":{"email":1}}}"#, #"{"customer":{"contact":{"email":"•••"}}}"#),
        (#"{"a":[{"customer":[{"b":{"email":1}}]}]}"#, #"{"a":[{"customer":[{"b":{"email":"•••"}}]}]}"#),
        (#"{"customer":{"email":{"email":1}}}"#, #"{"customer":{"email":"•••"}}"#),
        (#"{"email":1,"customer":{"name":2},"seller":{"email":3}}"#, nil),
        (#"{"email":{"customer":1}}"#, nil),
    ])
    func aPathMasksAtAnyDepthWithinWhatItNames(_ json: String, _ expected: String?) throws {
        let masked = try #require(PayloadMask(["customer.email"]).masked(Array(json.utf8)))
        #expect(String(decoding: masked.bytes, as: UTF8.self) == expected ?? json)
        #expect(masked.count == (expected == nil ? 0 : 1))
    }

    @Test func namesOfAPathKeepTheirOrder() throws {
        let json = #"{"b":{"a":{"c":1}},"a":{"x":{"b":{"y":{"c":2}}}}}"#
        let masked = try #require(PayloadMask(["a.b.c"]).masked(Array(json.utf8)))
        #expect(
            String(decoding: masked.bytes, as: UTF8.self)
                == #"{"b":{"a":{"c":1}},"a":{"x":{"b":{"y":{"c":"•••"}}}}}"#)
    }
}
