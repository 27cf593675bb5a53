// What a decoding error says to people.

import Foundation
import Testing

@testable import Troupe

@Suite struct DecodeFailureTests {
    private struct Order: Codable {
        struct Line: Codable {
            var sku: String
            var quantity: Int
        }
        var lines: [Line]
    }

    private func message(_ json: String) -> String {
        do {
            _ = try Array(json.utf8).withUnsafeBytes { try JSONEventCoder<Order>().decode($0) }
            return "decoded"
        } catch { return DecodeFailure(type: "shop.order.placed", underlying: error).description }
    }

    @Test(arguments: [
        (
            #"{"lines":[{"sku":"a","quantity":1},{"sku":"b","quantity":"two"}]}"#,
            ["At lines[1].quantity: ", "Int", "string"]
        ),
        (#"{"lines":[{"sku":"a"}]}"#, [#"At lines[0]: The field "quantity" is missing"#]),
        (#"{"lines":[{"sku":null,"quantity":1}]}"#, ["At lines[0].sku: Expected String but found null"]),
        (#"{"line":[]}"#, [#"The field "lines" is missing"#]),
        (#"{"lines":"#, ["not valid JSON"]),
    ])
    func aDecodingErrorSaysWhereAndWhat(_ json: String, _ parts: [String]) {
        let text = message(json)
        #expect(text.hasPrefix("The value cannot be decoded as shop.order.placed: "))
        for part in parts { #expect(text.contains(part), "\(text)") }
        for word in ["Context(", "codingPath", "DecodingError", "CodingKeys", "NSError"] {
            #expect(!text.contains(word), "\(text)")
        }
    }
}
