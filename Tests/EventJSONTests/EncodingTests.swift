// What the encoder writes, for types of every shape.

import EventJSON
import Foundation
import Testing

@Suite struct EncodingTests {
    private func json(_ value: some Encodable) throws -> String {
        String(decoding: try EventJSONEncoder().encode(value), as: UTF8.self)
    }

    private func survives<Value: Codable & Equatable>(_ value: Value) throws {
        let written = try EventJSONEncoder().encode(value)
        #expect(try EventJSONDecoder().decode(Value.self, from: written) == value)
        #expect(try JSONDecoder().decode(Value.self, from: Data(written)) == value)
        let foundations = Array(try JSONEncoder().encode(value))
        #expect(try EventJSONDecoder().decode(Value.self, from: foundations) == value)
    }

    @Test func membersStandInTheOrderOfTheirEncoding() throws {
        let order = Order(
            orderID: "o-1", total: Decimal(string: "12.50")!, lines: [Line(sku: "a/b", quantity: -1, price: 0.1)],
            note: nil)
        #expect(
            try json(order) == #"{"orderID":"o-1","total":12.5,"lines":[{"sku":"a/b","quantity":-1,"price":0.1}]}"#)
        try survives(order)
    }

    @Test func scalarsStandAlone() throws {
        #expect(try json(1) == "1")
        #expect(
            try json("a\"\\\u{8}\u{9}\u{a}\u{c}\u{d}\u{0}\u{1f}\u{7f}/é") == #""a\"\\\b\t\n\f\r\u0000\u001f"#
                + "\u{7f}/é\"")
        #expect(try json(Optional<Int>.none) == "null")
        #expect(try json([true, false]) == "[true,false]")
        #expect(try json([Int64.min, Int64.max]) == "[-9223372036854775808,9223372036854775807]")
        #expect(try json(UInt64.max) == "18446744073709551615")
        #expect(try json([Int128.min, 0]) == "[-170141183460469231731687303715884105728,0]")
        #expect(try json(UInt128.max) == "340282366920938463463374607431768211455")
        #expect(
            try json([1.0, -0.0, 1e16, 9_007_199_254_740_992, 0.1, 123_456_789.125, 1.5e300, 1e-7])
                == "[1,-0,1e+16,9007199254740992,0.1,123456789.125,1.5e+300,1e-07]")
        #expect(try json([Float(0.1), 1, 3.4e38]) == "[0.1,1,3.4e+38]")
        #expect(try json(Date(timeIntervalSince1970: 1_795_259_700.2504)) == #""2026-11-21T11:15:00.250Z""#)
        #expect(try json(Data([0, 1, 255])) == #""AAH/""#)
        #expect(try json(URL(string: "https://example.org/a")) == #""https://example.org/a""#)
        #expect(try json(Decimal(string: "12345678901234567890.123456789")) == "12345678901234567890.123456789")
    }

    @Test func stringsOfEveryLengthAndEscapeAtEveryPlaceSurvive() throws {
        for length in 0..<40 {
            try survives(String(repeating: "x", count: length))
            for place in 0..<length {
                var text = Array(repeating: Character("y"), count: length)
                text[place] = ["\"", "\\", "\n", "é", "\u{1}"][place % 5]
                try survives(String(text))
            }
        }
        try survives(String(repeating: "\u{0}", count: 5000))
        try survives(String(repeating: "long ", count: 50_000))
    }

    @Test func typesOfEveryShapeSurvive() throws {
        try survives(Node(1, [Node(2, [Node(3)]), Node(4)], next: Node(5, next: Node(6))))
        try survives([Payment.cash, .card(number: "1", expires: nil), .split([.cash, .split([])])])
        try survives(["b": [1], "a": [], "": [2, 3]])
        try survives([1: "x", -2: "y"])
        try survives([Country(rawValue: "SE"): 1])
        try survives([UUID(): 1])
        try survives([[[1], []], []])
        try survives([Optional(1), nil])
        try survives(
            Mixed(a: 1, c: 0.5, e: [], f: ["x": -1], g: 1, i: .max, k: [Mixed(), Mixed(b: "é")], m: [3: "c"], n: .max))
        try survives(
            AnyJSON.object(["a": .array([.null, .int(-1), .unsigned(.max), .double(0.5)]), "": .object([:])]))
    }

    @Test func dictionariesAreSortedByTheUTF8OfTheirNames() throws {
        #expect(
            try json(["b": 1, "a": 2, "B": 3, "é": 4, "\"": 5, "ab": 6]) == #"{"\"":5,"B":3,"a":2,"ab":6,"b":1,"é":4}"#)
        #expect(try json([10: ["z": 1, "y": 2], 9: [:]]) == #"{"10":{"y":2,"z":1},"9":{}}"#)
        let many = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("name-\($0)", ["\($0)": $0]) })
        let written = try EventJSONEncoder().encode(many)
        #expect(
            written
                == Array(
                    try {
                        let e = JSONEncoder(); e.outputFormatting = .sortedKeys; return try e.encode(many)
                    }()))
    }

    @Test func superclassesShareTheContainerOrHaveTheirOwn() throws {
        #expect(try json(Dog(name: "Rex")) == #"{"name":"Rex","barks":true}"#)
        #expect(try json([Dog(name: "Rex")]) == #"[{"name":"Rex","barks":true}]"#)
        let cat = #"{"base":{"name":"Tom"},"lives":9,"super":{"name":"Tom"}}"#
        #expect(try json(Cat(name: "Tom")) == cat)
        // Again: now it is known that the type takes the tree.
        #expect(try json(Cat(name: "Tom")) == cat)
        #expect(try EventJSONDecoder().decode(Cat.self, from: Array(cat.utf8)).name == "Tom")
        #expect(
            try EventJSONDecoder().decode(Dog.self, from: Array(#"{"barks":false,"name":"Rex"}"#.utf8)).barks == false)
    }

    private enum Name: String, CodingKey { case a, b, c }

    private struct Custom: Encodable {
        let body: @Sendable (any Encoder) throws -> Void
        func encode(to encoder: any Encoder) throws { try body(encoder) }
    }

    @Test func siblingsMayBeWrittenInTurn() throws {
        let interleaved = Custom { encoder in
            var container = encoder.container(keyedBy: Name.self)
            var first = container.nestedUnkeyedContainer(forKey: .a)
            var second = container.nestedContainer(keyedBy: Name.self, forKey: .b)
            try first.encode(1)
            try second.encode("x", forKey: .a)
            try container.encode(3, forKey: .c)
            var third = first.nestedUnkeyedContainer()
            try second.encodeNil(forKey: .b)
            try third.encode("y")
            try first.encode(2)
        }
        #expect(try json(interleaved) == #"{"a":[1,["y"],2],"b":{"a":"x","b":null},"c":3}"#)
    }

    @Test func theLastValueOfANameCounts() throws {
        let twice = Custom { encoder in
            var container = encoder.container(keyedBy: Name.self)
            try container.encode(1, forKey: .a)
            try container.encode(2, forKey: .b)
            try container.encode(3, forKey: .a)
        }
        #expect(try json(twice) == #"{"a":3,"b":2}"#)
        struct Many: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: AnyJSON.Key.self)
                for index in 0..<200 { try container.encode(index, forKey: AnyJSON.Key("n\(index % 199)")) }
            }
        }
        #expect(try json(Many()).hasPrefix(#"{"n0":199,"n1":1,"#))
    }

    @Test func aValueThatEncodesNothingIsAnEmptyObjectUnlessItIsTheDocument() throws {
        struct Nothing: Encodable { func encode(to encoder: any Encoder) throws {} }
        #expect(try json([Nothing(), Nothing()]) == "[{},{}]")
        #expect(try json(["a": Nothing()]) == #"{"a":{}}"#)
        #expect(throws: EncodingError.self) { try json(Nothing()) }
        let unused = Custom { encoder in
            var container = encoder.container(keyedBy: Name.self)
            _ = container.superEncoder(forKey: .a)
            try container.encode(1, forKey: .b)
        }
        #expect(try json(unused) == #"{"a":{},"b":1}"#)
    }

    @Test func whatJSONCannotSayIsAnErrorWithItsPath() {
        func path(_ value: some Encodable) -> [String]? {
            do {
                _ = try EventJSONEncoder().encode(value)
                return nil
            } catch EncodingError.invalidValue(_, let context) {
                return context.codingPath.map(\.stringValue)
            } catch { return nil }
        }
        #expect(path(["a": [1, Double.nan]]) == ["a", "Index 1"])
        #expect(path([Float.infinity]) == ["Index 0"])
        #expect(path(["x": Date(timeIntervalSince1970: 1e15)]) == ["x"])
        #expect(path([Date(timeIntervalSince1970: .infinity)]) == ["Index 0"])
        #expect(path(["x": Decimal.nan]) == ["x"])
        let again = Custom { encoder in
            var container = encoder.singleValueContainer()
            try container.encode(1)
            try container.encode(2)
        }
        #expect(path(again) == [])
        let both = Custom { encoder in
            _ = encoder.unkeyedContainer()
            _ = encoder.container(keyedBy: Name.self)
        }
        #expect(path(["k": both]) == ["k"])
    }

    @Test func anErrorThatIsCaughtLeavesTheRestWhole() throws {
        let careful = Custom { encoder in
            var container = encoder.container(keyedBy: Name.self)
            try? container.encode(Double.nan, forKey: .a)
            try container.encode(1, forKey: .b)
        }
        #expect(try json(careful) == #"{"b":1}"#)
    }

    @Test func userInfoIsHandedOn() throws {
        struct Told: Codable, Equatable {
            static let tone = CodingUserInfoKey(rawValue: "tone")
            var text = ""
            init() {}
            init(from decoder: any Decoder) throws {
                text = Self.tone.flatMap { decoder.userInfo[$0] } as? String ?? ""
            }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(Self.tone.flatMap { encoder.userInfo[$0] } as? String ?? "")
            }
        }
        let tone = try #require(Told.tone)
        var encoder = EventJSONEncoder()
        encoder.userInfo[tone] = "kind"
        #expect(try encoder.encode([Told()]) == Array(#"["kind"]"#.utf8))
        #expect(try EventJSONEncoder().encode([Told()]) == Array(#"[""]"#.utf8))
        var decoder = EventJSONDecoder()
        decoder.userInfo[tone] = "kind"
        #expect(try decoder.decode([Told].self, from: Array("[1]".utf8)).first?.text == "kind")
        #expect(try EventJSONDecoder().decode([Told].self, from: Array("[1]".utf8)).first?.text == "")
    }
}
