// Payload schemas: what is derived from types of all kinds.

import EventJSON
import Foundation
import Testing

@testable import Troupe

@Suite struct PayloadSchemaTests {
    private func schema<T: Decodable>(_ type: T.Type) -> JSONTree { SchemaDerivation().derive(type).node.json }

    private func expect<T: Decodable>(
        _ type: T.Type, _ json: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = schema(type).line
        #expect(try found == JSONTree(parsing: json).line, sourceLocation: sourceLocation)
    }

    // MARK: The usual types

    private struct Line: Codable { var sku: String, quantity: Int, price: Decimal }
    private struct Everything: Codable {
        var text: String, flag: Bool, small: UInt8, real: Double, price: Decimal, at: Date, bytes: Data, id: UUID
        var link: URL, lines: [Line], tags: Set<String>, counts: [String: Int], maybe: Int?, holes: [Int?]
    }

    @Test func everyUsualTypeIsDescribedAsItIsWritten() throws {
        let line = """
            {"type":"object","properties":{"sku":{"type":"string"},"quantity":{"type":"integer"},"price":{"type":"number"}},\
            "required":["sku","quantity","price"]}
            """
        try expect(
            Everything.self,
            """
            {"type":"object","properties":{"text":{"type":"string"},"flag":{"type":"boolean"},
            "small":{"type":"integer","minimum":0},"real":{"type":"number"},"price":{"type":"number"},
            "at":{"type":"string","format":"date-time"},"bytes":{"type":"string","contentEncoding":"base64"},
            "id":{"type":"string","format":"uuid"},"link":{"type":"string","format":"uri"},
            "lines":{"type":"array","items":\(line)},
            "tags":{"type":"array","items":{"type":"string"},"uniqueItems":true},
            "counts":{"type":"object","additionalProperties":{"type":"integer"}},"maybe":{"type":"integer"},
            "holes":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}},
            "required":["text","flag","small","real","price","at","bytes","id","link","lines","tags","counts","holes"]}
            """)
    }

    // MARK: Enumerations

    private enum Size: String, Codable, CaseIterable { case small, large }
    private enum Grade: Int, Codable { case one = 1, two = 2, seven = 7 }
    private enum Lonely: String, Codable { case only }
    private enum Shade: String, Codable { case light = "l", middle = "m", dark = "d" }
    private struct Painted: Codable { var shade: Shade, grade: Grade, size: Size, after: Int }

    @Test func casesOfEnumerationsAreNamedAlsoWhereNothingListsThem() throws {
        try expect(Size.self, #"{"type":"string","enum":["small","large"]}"#)
        try expect(
            Painted.self,
            """
            {"type":"object","properties":{"shade":{"type":"string","enum":["l","m","d"]},
            "grade":{"type":"integer","enum":[1,2,7]},"size":{"type":"string","enum":["small","large"]},
            "after":{"type":"integer"}},"required":["shade","grade","size","after"]}
            """)
    }

    private enum Empty: Decodable {
        init(from decoder: any Decoder) throws { throw DecodeFailure(type: "t", underlying: CancellationError()) }
    }
    private struct Byte: Codable { var value: UInt8 }
    private struct Flag: Codable { var value: Bool }
    private enum Loaded: Codable { case flag(Bool), other(Bool), none }

    @Test func onlyPlainEnumerationsAreListedByTheirLayout() {
        #expect(EnumerationLayout.cases(of: Shade.self) == [.light, .middle, .dark])
        #expect(EnumerationLayout.cases(of: Lonely.self) == nil)
        #expect(EnumerationLayout.cases(of: Grade.self) == [.one, .two, .seven])
        #expect(EnumerationLayout.cases(of: Empty.self) == nil)
        #expect(EnumerationLayout.cases(of: Never.self) == nil)
        #expect(EnumerationLayout.cases(of: Byte.self) == nil)
        #expect(EnumerationLayout.cases(of: Flag.self) == nil)
        #expect(EnumerationLayout.cases(of: Bool.self) == nil)
        #expect(EnumerationLayout.cases(of: Loaded.self) == nil)
        #expect(EnumerationLayout.cases(of: Bool?.self) == nil)
        #expect(EnumerationLayout.cases(of: String.self) == nil)
        #expect(EnumerationLayout.cases(of: Int8.self) == nil)
    }

    private enum Payment: Codable { case card(token: String, limit: Int?), cash, voucher(Int) }

    @Test func anEnumerationWithValuesIsOneObjectOfSeveral() throws {
        try expect(
            Payment.self,
            """
            {"anyOf":[{"type":"object","properties":{"card":{"type":"object","properties":{"token":{"type":"string"},
            "limit":{"type":"integer"}},"required":["token"]}},"required":["card"]},
            {"type":"object","properties":{"cash":{"type":"object","properties":{}}},"required":["cash"]},
            {"type":"object","properties":{"voucher":{"type":"object","properties":{"_0":{"type":"integer"}},
            "required":["_0"]}},"required":["voucher"]}]}
            """)
    }

    // MARK: Types with an init(from:) of their own

    private struct Tolerant: Decodable {
        let name: String, count: Int, mode: String
        enum CodingKeys: CodingKey { case name, count, mode, old }
        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            if let old = try? values.decode(String.self, forKey: .old) {
                name = old
            } else {
                name = try values.decode(String.self, forKey: .name)
            }
            count = (try? values.decode(Int.self, forKey: .count)) ?? 0
            if let mode = try? values.decode(String.self, forKey: .mode) {
                self.mode = mode
            } else {
                self.mode = String(try values.decode(Int.self, forKey: .mode))
            }
        }
    }

    @Test func whatMayBeMissingOrOfAnotherFormIsFoundByRefusingIt() throws {
        try expect(
            Tolerant.self,
            """
            {"type":"object","properties":{"old":{"type":"string"},"count":{"type":"integer"},
            "mode":{"anyOf":[{"type":"string"},{"type":"integer"}]},"name":{"type":"string"}},"required":["mode"]}
            """)
    }

    private enum Either: Decodable {
        case number(Int), text(String)
        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(Int.self) {
                self = .number(number)
            } else {
                self = .text(try value.decode(String.self))
            }
        }
    }

    @Test func aValueOfSeveralFormsHasThemAll() throws {
        try expect(Either.self, #"{"anyOf":[{"type":"integer"},{"type":"string"}]}"#)
    }

    private struct Currency: Codable {
        let code: String
        init(from decoder: any Decoder) throws {
            code = try decoder.singleValueContainer().decode(String.self)
            guard code.count == 3 else {
                throw DecodingError.dataCorrupted(
                    DecodingError.Context(codingPath: decoder.codingPath, debugDescription: "no currency"))
            }
        }
        func encode(to encoder: any Encoder) throws {}
    }
    private struct Strict: Codable {
        let code: String
        init(from decoder: any Decoder) throws {
            code = try decoder.singleValueContainer().decode(String.self)
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: decoder.codingPath, debugDescription: "nothing is good enough"))
        }
        func encode(to encoder: any Encoder) throws {}
    }
    private struct Priced: Codable { var currency: Currency, amount: Int }
    private struct Doubtful: Codable { var before: Int, strict: Strict, after: Int }

    @Test func typesWithRulesAreReadWhereASampleFits() throws {
        try expect(
            Priced.self,
            """
            {"type":"object","properties":{"currency":{"type":"string"},"amount":{"type":"integer"}},
            "required":["currency","amount"]}
            """)
    }

    @Test func whatCannotBeKnownIsSaidAndNotInvented() {
        let found = schema(Doubtful.self)
        #expect(found["properties"]?.members.map(\.name) == ["before", "strict"])
        #expect(found["properties"]?["strict"]?["type"] == "string")
        #expect(found["$comment"]?.text?.contains("Strict") == true)
    }

    // MARK: Nesting without end

    private final class Tree: Codable {
        let name: String, children: [Tree], parent: Tree?, index: [String: Tree]
        init() { (name, children, parent, index) = ("", [], nil, [:]) }
    }

    @Test func aTypeThatContainsItselfEndsAtTheSecondTime() throws {
        let again = #"{"$comment":"Tree once more"}"#
        try expect(
            Tree.self,
            """
            {"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":\(again)},
            "parent":\(again),"index":{"type":"object","additionalProperties":\(again)}},
            "required":["name","children","index"]}
            """)
    }

    private struct Forest: Codable { var first: Tree, all: [Tree] }

    @Test func whatWasCutShortInOnePlaceIsWholeInAnother() {
        let found = schema(Forest.self)
        #expect(found["properties"]?["all"]?["items"] == found["properties"]?["first"])
        #expect(found["properties"]?["first"]?["properties"]?.members.count == 4)
    }

    private struct A: Codable { var b: [B], c: [C], d: [D], e: [E] }
    private struct B: Codable { var a: [A], c: [C], d: [D], e: [E] }
    private struct C: Codable { var a: [A], b: [B], d: [D], e: [E] }
    private struct D: Codable { var a: [A], b: [B], c: [C], e: [E] }
    private struct E: Codable { var a: [A], b: [B], c: [C], d: [D] }

    @Test(.timeLimit(.minutes(1)))
    func typesThatContainOneAnotherInManyWaysComeToAnEnd() {
        #expect(schema(A.self)["properties"]?.members.count == 4)
    }

    private class Animal: Codable { var name = "" }
    private final class Dog: Animal {
        var tricks: [String] = []
        enum CodingKeys: CodingKey { case tricks }
        required init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            tricks = try values.decode([String].self, forKey: .tricks)
            try super.init(from: values.superDecoder())
        }
    }
    private struct Pair: Decodable {
        let x: Int, y: String
        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            x = try values.decode(Int.self)
            y = try values.decode(String.self)
        }
    }

    @Test func superclassesAndTuplesAreFollowed() throws {
        try expect(
            Dog.self,
            """
            {"type":"object","properties":{"tricks":{"type":"array","items":{"type":"string"}},
            "super":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}},
            "required":["tricks","super"]}
            """)
        try expect(Pair.self, #"{"type":"array","items":[{"type":"integer"},{"type":"string"}]}"#)
    }

    private struct Endless: Decodable {
        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            while true { _ = try values.decode(Int.self) }
        }
    }
    private struct Anything: Decodable {
        struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        let values: [String: Int]
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            values = try Dictionary(
                uniqueKeysWithValues: container.allKeys.map {
                    ($0.stringValue, try container.decode(Int.self, forKey: $0))
                })
        }
    }

    @Test func oddReadersNeitherHangNorCrash() throws {
        #expect(schema(Endless.self)["type"] == "array")
        #expect(schema(Anything.self)["type"] == "object")
        #expect(schema(Never.self)["$comment"] != nil || schema(Never.self)["type"] != nil)
    }

    // MARK: Events

    private struct Ordered: Event {
        static let type: EventType = "test.ordered"
        static let topic: Topic = "orders"
        var key: EventKey { customer }
        let customer: EventKey
        let next: EventType
    }
    private struct Raw: RawEvent {
        static let type: EventType = "test.raw"
        static let topic: Topic = "orders"
        static var coder: RawBytesCoder<Raw> { RawBytesCoder(contentType: "application/json") }
        var key: EventKey { .none }
        let rawBytes: [UInt8]
    }

    @Test func anEventsSchemaIsADocumentOfItsOwn() throws {
        let text = try #require(PayloadSchema.derived(from: Ordered.self))
        let schema = try JSONTree(parsing: text)
        #expect(schema["$schema"] == "http://json-schema.org/draft-07/schema#")
        #expect(schema["title"] == "test.ordered")
        #expect(schema["required"] == ["customer", "next"])
        // EventKey reads null as no key.
        #expect(schema["properties"]?["customer"]?.line == #"{"anyOf":[{"type":"string"},{"type":"null"}]}"#)
        #expect(PayloadSchema.derived(from: Ordered.self) == text)
        #expect(PayloadSchema.derived(from: Raw.self) == nil)
    }
}
