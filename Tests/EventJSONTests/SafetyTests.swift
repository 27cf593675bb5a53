// What misuse and hostile input come to: errors, never a crash.

import EventJSON
import Foundation
import Synchronization
import Testing

@Suite struct SafetyTests {
    private enum Name: String, CodingKey { case a, b }

    /// Keeps what a decoder or encoder handed out beyond its call.
    private final class Kept: @unchecked Sendable {
        // Used by one thread at a time.
        var decoder: (any Decoder)?
        var keyed: KeyedDecodingContainer<Name>?
        var unkeyed: (any UnkeyedDecodingContainer)?
        var single: (any SingleValueDecodingContainer)?
        var encoder: (any Encoder)?
        var keyedEncoding: KeyedEncodingContainer<Name>?
        var unkeyedEncoding: (any UnkeyedEncodingContainer)?
        var singleEncoding: (any SingleValueEncodingContainer)?
    }

    private struct Leaking: Codable {
        static let kept = CodingUserInfoKey(rawValue: "kept")

        init() {}

        init(from decoder: any Decoder) throws {
            let kept = Self.kept.flatMap { decoder.userInfo[$0] } as? Kept
            let keyed = try decoder.container(keyedBy: Name.self)
            kept?.decoder = decoder
            kept?.keyed = keyed
            kept?.unkeyed = try keyed.nestedUnkeyedContainer(forKey: .a)
            kept?.single = try keyed.superDecoder(forKey: .b).singleValueContainer()
        }

        func encode(to encoder: any Encoder) throws {
            let kept = Self.kept.flatMap { encoder.userInfo[$0] } as? Kept
            var keyed = encoder.container(keyedBy: Name.self)
            kept?.encoder = encoder
            kept?.keyedEncoding = keyed
            var unkeyed = keyed.nestedUnkeyedContainer(forKey: .a)
            try unkeyed.encode(1)
            kept?.unkeyedEncoding = unkeyed
            try keyed.encode(Single(kept: kept), forKey: .b)
        }
    }

    private struct Single: Encodable {
        let kept: Kept?
        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(2)
            kept?.singleEncoding = container
        }
    }

    @Test func decodingContainersThatOutliveTheirCallFailCleanly() throws {
        let kept = Kept()
        var decoder = EventJSONDecoder()
        decoder.userInfo[try #require(Leaking.kept)] = kept
        _ = try decoder.decode(Leaking.self, from: Array(#"{"a":[1,2],"b":3}"#.utf8))
        // Other calls use the same memory for other documents, larger and smaller.
        _ = try EventJSONDecoder().decode(
            AnyJSON.self, from: Array(#"{"x":"\#(String(repeating: "y", count: 100_000))"}"#.utf8))
        _ = try EventJSONDecoder().decode(Int.self, from: Array("7".utf8))

        let keyed = try #require(kept.keyed)
        #expect(throws: DecodingError.self) { try keyed.decode(Int.self, forKey: .b) }
        #expect(throws: DecodingError.self) { try keyed.decodeIfPresent(AnyJSON.self, forKey: .b) }
        #expect(throws: DecodingError.self) { try keyed.nestedContainer(keyedBy: Name.self, forKey: .a) }
        #expect(throws: DecodingError.self) { try keyed.superDecoder() }
        #expect(!keyed.contains(.a) && keyed.allKeys.isEmpty && keyed.codingPath.isEmpty)
        var unkeyed = try #require(kept.unkeyed)
        #expect(throws: DecodingError.self) { try unkeyed.decode(Int.self) }
        #expect(throws: DecodingError.self) { try unkeyed.decodeNil() }
        #expect(unkeyed.isAtEnd && unkeyed.count == nil && unkeyed.codingPath.isEmpty)
        let single = try #require(kept.single)
        #expect(throws: DecodingError.self) { try single.decode(Int.self) }
        #expect(throws: DecodingError.self) { try single.decode(Data.self) }
        #expect(!single.decodeNil() && single.codingPath.isEmpty)
        let late = try #require(kept.decoder)
        #expect(throws: DecodingError.self) { try late.container(keyedBy: Name.self) }
        #expect(throws: DecodingError.self) { try late.unkeyedContainer() }
        #expect(throws: DecodingError.self) { try late.singleValueContainer() }
        #expect(late.userInfo.isEmpty && late.codingPath.isEmpty)
    }

    @Test(arguments: [false, true]) func encodingContainersThatOutliveTheirCallFailCleanly(_ byTree: Bool) throws {
        let kept = Kept()
        var encoder = EventJSONEncoder()
        encoder.userInfo[try #require(Leaking.kept)] = kept
        struct ByTree: Encodable {
            func encode(to encoder: any Encoder) throws {
                _ = encoder.codingPath
                try Leaking().encode(to: encoder)
            }
        }
        let written = byTree ? try encoder.encode(ByTree()) : try encoder.encode(Leaking())
        #expect(String(decoding: written, as: UTF8.self) == #"{"a":[1],"b":2}"#)
        _ = try EventJSONEncoder().encode(String(repeating: "y", count: 1_000_000))
        _ = try EventJSONEncoder().encode([1])

        var keyed = try #require(kept.keyedEncoding)
        #expect(throws: EncodingError.self) { try keyed.encode(1, forKey: .a) }
        #expect(throws: EncodingError.self) { try keyed.encodeNil(forKey: .a) }
        var nested = keyed.nestedContainer(keyedBy: Name.self, forKey: .a)
        #expect(throws: EncodingError.self) { try nested.encode("x", forKey: .a) }
        var single = keyed.superEncoder().singleValueContainer()
        #expect(throws: EncodingError.self) { try single.encode("x") }
        var unkeyed = try #require(kept.unkeyedEncoding)
        #expect(throws: EncodingError.self) { try unkeyed.encode("x") }
        var inner = unkeyed.nestedUnkeyedContainer()
        #expect(throws: EncodingError.self) { try inner.encode([1]) }
        var lateSingle = try #require(kept.singleEncoding)
        #expect(throws: EncodingError.self) { try lateSingle.encode(1) }
        let late = try #require(kept.encoder)
        var lateKeyed = late.container(keyedBy: Name.self)
        #expect(throws: EncodingError.self) { try lateKeyed.encode(1, forKey: .a) }
        var lateUnkeyed = late.unkeyedContainer()
        #expect(throws: EncodingError.self) { try lateUnkeyed.encode(1) }
        // And the next call is not disturbed.
        #expect(try EventJSONEncoder().encode(["a": 1]) == Array(#"{"a":1}"#.utf8))
    }

    @Test func containersOfOneKeyTypeAreToldApart() throws {
        // Both containers are alive at once, though a box could be used again.
        struct Pair: Decodable {
            let sum: Int
            init(from decoder: any Decoder) throws {
                let outer = try decoder.container(keyedBy: Name.self)
                let first = try outer.nestedContainer(keyedBy: Name.self, forKey: .a)
                let second = try outer.nestedContainer(keyedBy: Name.self, forKey: .b)
                sum = try first.decode(Int.self, forKey: .a) + 10 * second.decode(Int.self, forKey: .a)
            }
        }
        for _ in 0..<3 {
            let pairs = try EventJSONDecoder().decode(
                [Pair].self, from: Array(#"[{"a":{"a":1},"b":{"a":2}},{"b":{"a":4},"a":{"a":3}}]"#.utf8))
            #expect(pairs.map(\.sum) == [21, 43])
        }
    }

    @Test func moreKindsOfKeysThanAreKeptWork() throws {
        // Key types made at run time: each generic argument is another one.
        struct Key<Kind>: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        struct Box<Kind>: Codable {
            var value: Int
            init(_ value: Int) { self.value = value }
            init(from decoder: any Decoder) throws {
                value = try decoder.container(keyedBy: Key<Kind>.self).decode(
                    Int.self, forKey: Key(stringValue: "value")!)
            }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Key<Kind>.self)
                try container.encode(value, forKey: Key(stringValue: "value")!)
            }
        }
        func check<Kind>(_ kind: Kind.Type, _ depth: Int) throws {
            let written = try EventJSONEncoder().encode(Box<Kind>(depth))
            #expect(written == Array(#"{"value":\#(depth)}"#.utf8))
            #expect(try EventJSONDecoder().decode(Box<Kind>.self, from: written).value == depth)
            if depth > 0 { try check(Kind?.self, depth - 1) }
        }
        try check(Int.self, 200)
    }

    @Test func callsWithinCallsAndOnManyThreadsDoNotMeet() async throws {
        struct Inner: Codable, Equatable {
            var text: String
            init(_ text: String) { self.text = text }
            init(from decoder: any Decoder) throws {
                let json = try decoder.singleValueContainer().decode(String.self)
                text = try EventJSONDecoder().decode([String].self, from: Array(json.utf8))[0]
            }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(String(decoding: EventJSONEncoder().encode([text]), as: UTF8.self))
            }
        }
        let failures = await withTaskGroup(of: Int.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    var failures = 0
                    for index in 0..<500 {
                        let value = ["a": Inner("\(worker)/\(index)"), "b": Inner("\"")]
                        let written = try? EventJSONEncoder().encode(value)
                        let read = written.flatMap { try? EventJSONDecoder().decode([String: Inner].self, from: $0) }
                        if read != value { failures += 1 }
                    }
                    return failures
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 0)
    }

    // MARK: - Limits

    @Test func depthIsLimited() throws {
        for depth in [1, 512, 513, 1_000_000] {
            let document =
                Array(repeating: UInt8(ascii: "["), count: depth) + Array(repeating: UInt8(ascii: "]"), count: depth)
            let kind = syntaxError(document)?.kind
            #expect(kind == (depth > 512 ? .tooDeep : nil))
        }
        var shallow = EventJSONDecoder()
        shallow.maxDepth = 2
        #expect(try shallow.decode([[Int]].self, from: Array("[[1]]".utf8)) == [[1]])
        #expect(throws: DecodingError.self) { try shallow.decode([[[Int]]].self, from: Array("[[[1]]]".utf8)) }
        final class Endless: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Name.self)
                try container.encode(self, forKey: .a)
            }
        }
        #expect(throws: EncodingError.self) { try EventJSONEncoder().encode(Endless()) }
        var narrow = EventJSONEncoder()
        narrow.maxDepth = 2
        #expect(try narrow.encode([[1]]) == Array("[[1]]".utf8))
        #expect(throws: EncodingError.self) { try narrow.encode([[[1]]]) }
    }

    @Test func sizeIsLimited() throws {
        var decoder = EventJSONDecoder()
        decoder.maxBytes = 5
        #expect(try decoder.decode([Int].self, from: Array("[1,2]".utf8)) == [1, 2])
        #expect(throws: DecodingError.self) { try decoder.decode([Int].self, from: Array("[1,22]".utf8)) }
        var encoder = EventJSONEncoder()
        encoder.maxBytes = 5
        #expect(try encoder.encode([1, 2]) == Array("[1,2]".utf8))
        #expect(throws: EncodingError.self) { try encoder.encode([1, 22]) }
        #expect(throws: EncodingError.self) { try encoder.encode(String(repeating: "x", count: 1_000_000)) }
    }

    @Test func hostileObjectsAreReadInTimeProportionalToTheirSize() throws {
        // Twenty thousand members of few names, and of as many names: quadratic work would take minutes in a debug build.
        let few = "{" + (0..<20_000).map { "\"n\($0 % 40)\":\($0)" }.joined(separator: ",") + "}"
        #expect(try EventJSONDecoder().decode([String: Int].self, from: Array(few.utf8)).count == 40)
        let many = "{" + (0..<20_000).map { "\"n\($0)\":\($0)" }.joined(separator: ",") + "}"
        let read = try EventJSONDecoder().decode([String: Int].self, from: Array(many.utf8))
        #expect(read.count == 20_000 && read["n19999"] == 19_999)
        #expect(try EventJSONEncoder().encode(read).count == many.utf8.count)
        #expect(try EventJSONDecoder().decode(Mixed.self, from: Array(many.utf8)) == Mixed())
    }

    // MARK: - Messages

    private func syntaxError(_ document: [UInt8]) -> JSONSyntaxError? {
        do {
            _ = try EventJSONDecoder().decode(Ignored.self, from: document)
            return nil
        } catch DecodingError.dataCorrupted(let context) {
            return context.underlyingError as? JSONSyntaxError
        } catch { return nil }
    }

    private struct Ignored: Decodable { init(from decoder: any Decoder) throws {} }

    @Test(
        arguments: [
            (#"{"a":1,}"#, 7, "Expected a name in quotes, but found '}' at byte 7"),
            (#"{"a":1 "b":2}"#, 7, "Expected ',' or '}', but found '\"' at byte 7"),
            ("[1,2", 4, "Expected ',' or ']', but the JSON ends at byte 4"),
            ("[1]x", 3, "Expected the end of the JSON, but found 'x' at byte 3"),
            ("", 0, "Expected a value, but the JSON ends at byte 0"),
            ("\u{FEFF}1", 0, "Expected a value, but found a byte order mark at byte 0"),
            ("[01]", 2, "Expected no digit after a leading zero, but found '1' at byte 2"),
            ("\"\\ud83d\"", 2, "Expected both halves of a surrogate pair, but found 'u' at byte 2"),
            ("\"a\nb\"", 2, "Expected control characters in strings to be escaped, but found the byte 0x0a at byte 2"),
        ] as [(String, Int, String)]) func syntaxErrorsSayWhatAndWhere(_ json: String, _ offset: Int, _ text: String)
    {
        let error = syntaxError(Array(json.utf8))
        #expect(error?.byteOffset == offset)
        #expect(error?.description == text)
    }

    @Test func typeErrorsSayWhatWasExpectedAndFoundAndWhere() {
        func context<Value: Decodable>(_ json: String, _ type: Value.Type) -> DecodingError.Context? {
            do {
                _ = try EventJSONDecoder().decode(type, from: Array(json.utf8))
                return nil
            } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
                DecodingError.keyNotFound(_, let context), DecodingError.dataCorrupted(let context)
            {
                return context
            } catch { return nil }
        }
        let wrong = context(
            #"[{"sku":"secret","quantity":1,"price":2},{"sku":"a","quantity":"secret","price":1}]"#, [Line].self)
        #expect(wrong?.debugDescription == "Expected a number (Int), but found a string")
        #expect(wrong?.codingPath.map(\.stringValue) == ["Index 1", "quantity"])
        #expect(wrong?.codingPath.first?.intValue == 1)
        #expect(
            context(#"{"a":300}"#, [String: Int8].self)?.debugDescription
                == "The number 300 is no Int8, or out of its range")
        #expect(
            context(#"{"quantity":1,"price":2}"#, Line.self)?.debugDescription == "The object has no member \"sku\"")
        #expect(context("[1,null]", [Int].self)?.debugDescription == "Expected a number (Int), but found null")
        #expect(
            context(#"["2026-13-01T00:00:00Z"]"#, [Date].self)?.debugDescription
                == "Expected a date like 2026-11-21T11:15:00.000Z (RFC 3339)")
    }
}
