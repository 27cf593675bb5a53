// The same results as Foundation's coder on documents that are tricky to read.

import EventJSON
import Foundation
import Testing

@Suite struct ParityTests {
    static let targets = [
        Target(AnyJSON.self), Target(Int.self), Target(Int8.self), Target(UInt8.self), Target(Int64.self),
        Target(UInt64.self), Target(Int128.self), Target(UInt128.self), Target(Double.self) { $0.bitPattern },
        Target(Float.self) { $0.bitPattern }, Target(Decimal.self) { "\($0)" }, Target(Bool.self),
        Target(String.self) { Array($0.utf8) }, Target(Int?.self), Target([Int].self), Target([Int?].self),
        Target([String].self),
        Target([[Int]].self), Target([String: Int].self) { $0.sorted { $0.key < $1.key }.map { "\($0)" } },
        Target([Int: String].self) { $0.sorted { $0.key < $1.key }.map { "\($0)" } }, Target(URL.self),
        Target(Data.self) { Array($0) },
        Target(UUID.self), Target(Mixed.self), Target([Payment].self), Target(Line.self),
    ]

    static let documents: [String] = [
        // Numbers at the limits.
        "0", "-0", "-0.0", "0.0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "9223372036854775807",
        "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "18446744073709551616", "19999999999999999999", "20000000000000000000", "99999999999999999999",
        "170141183460469231731687303715884105727", "170141183460469231731687303715884105728",
        "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105729",
        "340282366920938463463374607431768211455", "340282366920938463463374607431768211456",
        "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0", "-9007199254740993",
        "1.0", "1.5", "100e-2", "1e2", "1E+2", "1e-2", "1.5e1", "1.25e1", "0e400", "0.0e-400", "0e99999999999", "1e18",
        "1e19", "1e20",
        "12345678901234567890e-1", "123456789012345678e1", "12345678901234567890.5", "1e400", "-1e400", "1e308",
        "1e309",
        "1.7976931348623157e308", "1.7976931348623159e308", "5e-324", "2e-324", "2.2250738585072011e-308",
        "2.2250738585072014e-308", "0.1", "0.30000000000000004", "3.141592653589793238462643383279",
        "0.000000000000000000000000000001", "123456789.123456789", "16777217", "16777217.0", "16777216.5",
        "1.00000017881393432617187499", "1.00000017881393432617187500", "1.00000017881393432617187501",
        "3.4028235e38", "3.4028236e38", "1e39", "1e-45", "1e-46", "8.5899345920000002e9", "7.038531e-26", "1.50",
        "1.500",
        "12345678901234567890123456789012345678", "123456789012345678901234567890123456789012345678901234567890",
        "0.12345678901234567890123456789012345678901234567890", "1e127", "1e128", "1e-128", "1e-129", "1e-127",
        "99999999999999999999999999999999999999e127", "1234567890.123456789", "-0.000000001",
        // Numbers that are none.
        "01", "-", "-01", "00", "1.", ".5", "1.e5", "1e", "1e+", "+1", "0x10", "1_000", "1 2", "--1", "1e5.5", "NaN",
        "nan",
        "Infinity", "-Infinity", "1,", "1a", "1e1000000000000000000000",
        // Literals and white space.
        "true", "false", "null", "tru", "truee", "nul", "nulll", "True", "NULL", "", " ", "\n", " 1 ", "\t\r\n1\n",
        "1\u{0B}",
        "1\u{0C}", "\u{A0}1", "1\u{A0}", "// c\n1", "1 // c", "/**/1", "'a'", "undefined",
        // Strings.
        #""""#, #""a""#, #""\u0041\n\t\"\\\/\b\f\r""#, #""\ud83d\ude00""#, #""\uD83D\uDE00""#, #""\ud83d""#,
        #""\ude00""#,
        #""\ud83d\u0041""#, #""\ud83d\ud83d""#, #""\ud83dx""#, #""\ude00\ud83d""#, #""\u00""#, #""\u00g0""#, #""\u""#,
        #""\x""#, #""\u0000""#,
        #""\uFFFF""#, #""\uFEFFa""#, #""\u00e9""#, #""\u20ac""#, "\"a\u{1}b\"", "\"tab\there\"", "\"line\nbreak\"",
        "\"\u{7f}\u{80}\u{2028}\"",
        "\"é😀漢字\"", "\"e\u{301}\"", "\"unterminated", #""a\"#, #""a\""#, #""12345678""#, #""1234567\n""#,
        #""12345678\n90abcdef\u0041""#,
        "\"" + String(repeating: "x", count: 1000) + "\"", "\"" + String(repeating: #"\n"#, count: 500) + "\"",
        "\"\u{FEFF}\"",
        "\"\u{1F468}\u{200D}\u{1F469}\"",
        // Arrays and objects.
        "[]", "[ ]", "[1]", "[1,2,3]", "[1,null]", "[null]", "[1,\"x\"]", "[[]]", "[[1],[2,3],[]]", "[1 2]", "[,1]",
        "[1,,2]", "[1", "[", "]",
        "[1]]", "[1]x", "[1] ", " [1]", "[1\n,\r\n2\t]", "[1\u{0C}]", "[true,false]", "[\"a\",\"b\"]", "[1.0,2e0]",
        "[1}", "{]", "{\"a\":1]",
        "{}", "{ }", #"{"a":1}"#, #"{"a":1,"b":"x"}"#, #"{"a":null}"#, #"{"a":"x"}"#, #"{"a":{"b":[{"c":null}]}}"#,
        "{} {}", #"{"a" 1}"#,
        "{a:1}", #"{"a":}"#, #"{"a"}"#, #"{"a":1"b":2}"#, #"{,}"#, #"{"a":1,,"b":2}"#, #"{1:2}"#, #"{"a":1;"b":2}"#,
        "{\"a\":1", "{\"a\":", "{\"a\"", "{\"",
        #"{"":1}"#, #"{"\u0061":5}"#, #"{"a":1,"\u0061":2}"#, #"{"\u0061":1,"a":2}"#, #"{"1":"x","2":"y"}"#,
        #"{"1":"x","a":"y"}"#, #"{"01":"x"}"#,
        #"{"a":1,"a":2}"#, #"{"a":1,"b":"2","a":3}"#, #"{"b":"2","a":1,"a":3}"#, #"{"a":1,"a":"x"}"#,
        #"{"a":"x","a":1}"#,
        #"{"z":1,"y":{"a":2},"a":3,"x":[1,2,{"a":4}]}"#,
        #"{"e":[1,2],"f":{"q":3},"g":1.10,"h":0.1,"i":18446744073709551615,"n":-5}"#,
        #"{"f":{"q":300}}"#, #"{"i":-1}"#, #"{"j":{"deep":[1,{"x":null}]},"k":[{"a":1},{"k":[{"b":"z"}]}]}"#,
        #"{"k":[{"a":1},{"a":"x"}]}"#,
        #"{"k":[{"k":[{"e":[1,2,"3"]}]}]}"#, #"{"l":"https://example.org/a?b=c#d"}"#, #"{"l":""}"#, #"{"l":5}"#,
        #"{"m":{"7":"x"}}"#, #"{"m":{"7":7}}"#,
        #"{"sku":"a","quantity":1,"price":2}"#, #"{"sku":"a","quantity":1}"#,
        #"{"price":2.5,"quantity":1,"sku":"a","more":[]}"#,
        #"{"sku":null,"quantity":1,"price":2}"#, #"{"sku":"a","quantity":"1","price":2}"#,
        #"{"sku":"a","quantity":1.5,"price":2}"#,
        #"[{"cash":{}}]"#, #"[{"card":{"number":"1"}}]"#,
        #"[{"card":{"number":"1","expires":2}},{"split":{"_0":[{"cash":{}}]}}]"#,
        #"[{"cash":{},"card":{}}]"#, #"[{}]"#, #"[{"cash":null}]"#, #"[{"unknown":{}}]"#, #"[{"card":{}}]"#,
        // Foundation's types.
        #""https://example.org/ä b""#, #""http://[::1""#, #""AAH/""#, #""AAH""#, #""!!""#, #""AA==""#, #""AA=""#,
        #""A A H /""#,
        #""6ba7b810-9dad-11d1-80b4-00c04fd430c8""#, #""6BA7B810-9DAD-11D1-80B4-00C04FD430C8""#, #""6ba7b810""#,
        // Depth.
        String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
        String(repeating: "[", count: 511) + String(repeating: "]", count: 511),
        String(repeating: "[", count: 512) + String(repeating: "]", count: 512),
        String(repeating: "[", count: 513) + String(repeating: "]", count: 513), String(repeating: "[", count: 5000),
        String(repeating: #"{"a":"#, count: 512) + "1" + String(repeating: "}", count: 512),
        String(repeating: #"{"a":"#, count: 513) + "1" + String(repeating: "}", count: 513),
        // Many members, some of them twice.
        "{" + (0..<40).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}",
        "{" + (0..<400).map { "\"k\($0 % 150)\":\($0 % 100)" }.joined(separator: ",") + "}",
        "{" + (0..<400).map { "\"k\($0 % 150)\":\($0 % 100)" }.joined(separator: ",") + #","a":7,"b":"x","a":8}"#,
        "{" + (0..<50).map { "\"k\($0 % 7)\":\($0)" }.joined(separator: ",") + #","a":7}"#,
    ]

    static let byteDocuments: [[UInt8]] = [
        [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xC1, 0xBF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
        [0x22, 0xED, 0x9F, 0xBF, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xF4, 0x8F, 0xBF, 0xBF, 0x22],
        [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22], [0x22, 0xE2, 0x28, 0xA1, 0x22],
        [0x22, 0xE0, 0x80, 0x80, 0x22], [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], [0x22, 0x80, 0x22], [0x22, 0xC3],
        [0x22, 0xC3, 0x22], [0x22] + Array(repeating: 0x61, count: 9) + [0xC3, 0x28, 0x61, 0x22],
        [0x22, 0x5C, 0x6E, 0xFF, 0x22], [0xFF], [0x31, 0x80], [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D],
    ]

    /// Numbers that Foundation rounds, or refuses, on their way to an integer: see `integersAreExact()`.
    static let inexactIntegers: Set<String> = [
        "1e-400", "2e-324", "8.5899345920000002e9", "1e20", "3.4028235e38", "3.4028236e38",
    ]

    @Test(arguments: targets) func theSameAsFoundation(_ target: Target) {
        var values = 0
        for document in Self.documents where !target.readsIntegers || !Self.inexactIntegers.contains(document) {
            values += check(target, Array(document.utf8))
        }
        for document in Self.byteDocuments { values += check(target, document) }
        #expect(values > 0)
    }

    private func check(_ target: Target, _ document: [UInt8]) -> Int {
        let difference = target.difference(on: document)
        #expect(difference == nil)
        if case .value = target.byEventJSON(document) { return 1 }
        return 0
    }

    @Test func integersAreExact() throws {
        func decode<Value: Decodable>(_ json: String, _ type: Value.Type) throws -> Value {
            try EventJSONDecoder().decode(type, from: Array(json.utf8))
        }
        #expect(throws: DecodingError.self) { try decode("1e-400", Int.self) }
        #expect(throws: DecodingError.self) { try decode("8.5899345920000002e9", Int.self) }
        #expect(throws: DecodingError.self) { try decode("28197470734913567.8", Int.self) }
        #expect(try decode("0E1", Double.self) == 0 && decode("-0E1", Int.self) == 0)
        #expect(try decode("1e20", Int128.self) == 100_000_000_000_000_000_000)
        #expect(try decode("3.4028236e38", UInt128.self) == 34_028_236 * 10_000_000_000_000_000_000_000_000_000_000)
        #expect(throws: DecodingError.self) { try decode("3.4028237e38", UInt128.self) }
        #expect(try decode("-170141183460469231731687303715884105728.0", Int128.self) == .min)
        #expect(throws: DecodingError.self) { try decode("1e1000000000000000000000", Int.self) }
    }

    @Test func whatOnlyFoundationAcceptsIsRefused() {
        for document in [#"{"a":1,}"#, "[1,]", "\u{FEFF}[1]", "[1]\u{0}"] {
            #expect(Target(AnyJSON.self).byEventJSON(Array(document.utf8)) == .syntax, "\(document.debugDescription)")
        }
        let utf16 = Array("[1]".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        #expect(Target(AnyJSON.self).byEventJSON(utf16) == .syntax)
    }
}
