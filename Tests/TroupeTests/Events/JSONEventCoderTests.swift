// The rules of JSON for dates, data and decimals.

import Foundation
import Testing

@testable import Troupe

@Suite struct JSONEventCoderTests {
    private struct Everything: Codable, Equatable {
        var date = Date(timeIntervalSince1970: 1_795_259_700.25)
        var data = Data([0, 1, 255])
        var amount = Decimal(0)
        var text = "a/b"
    }

    private func decode(_ json: String) throws -> Everything {
        try Array(json.utf8).withUnsafeBytes { try JSONEventCoder<Everything>().decode($0) }
    }

    private func encode(_ value: Everything) throws -> String {
        String(decoding: try JSONEventCoder<Everything>().encode(value), as: UTF8.self)
    }

    @Test func datesAreRFC3339WithMilliseconds() throws {
        #expect(try encode(Everything()).contains(#""date":"2026-11-21T11:15:00.250Z""#))
        let json = #"{"date":"2026-11-21T12:15:00.2509+01:00","data":"AAH/","amount":0,"text":"a/b"}"#
        #expect(try decode(json) == Everything())
        #expect(throws: DecodingError.self) { try decode(json.replacingOccurrences(of: "2026", with: "26")) }
        #expect(throws: EncodingError.self) { try encode(Everything(date: Date(timeIntervalSince1970: .infinity))) }
        #expect(throws: EncodingError.self) { try encode(Everything(date: Date(timeIntervalSince1970: 1e15))) }
    }

    @Test func dataIsBase64AndSlashesStayAsTheyAre() throws {
        let json = try encode(Everything())
        #expect(json.contains(#""data":"AAH/""#) && json.contains(#""text":"a/b""#))
    }

    @Test(arguments: ["0.1", "1234567890.123456789", "-0.000000001", "99999999999999999999.99", "3"])
    func decimalsKeepEveryDigit(_ text: String) throws {
        let amount = try #require(Decimal(string: text))
        let json = try encode(Everything(amount: amount))
        #expect(json.contains("\"amount\":\(text)"))
        #expect(try decode(json).amount == amount)
        #expect(try decode(json).amount.description == text)
    }

    @Test func unknownFieldsAreIgnoredAndMissingOnesAreNot() throws {
        let json = try encode(Everything())
        #expect(try decode(json.dropLast() + #","new":[1,{"a":null}]}"#) == Everything())
        #expect(throws: DecodingError.self) { try decode("{}") }
        #expect(throws: DecodingError.self) { try decode("") }
    }

    @Test func deepNestingIsAnErrorAndNoCrash() {
        #expect(throws: DecodingError.self) { try decode(String(repeating: "[", count: 200_000)) }
    }
}
