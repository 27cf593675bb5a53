// Random documents from a seed: mostly valid, with the names the test types know, and sometimes damaged.

/// A small generator of random numbers (SplitMix64), the same everywhere for one seed.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }
}

/// Makes documents.
struct RandomDocuments {
    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// A document, damaged one time in four.
    mutating func document() -> [UInt8] {
        var bytes = Array(value(depth: 0).utf8)
        guard random.oneIn(4) else { return bytes }
        for _ in 0...random.below(3) where !bytes.isEmpty {
            let place = random.below(bytes.count)
            switch random.below(5) {
            case 0: bytes.remove(at: place)
            case 1: bytes.insert(noise(), at: place)
            case 2: bytes[place] = noise()
            case 3: bytes.removeLast(bytes.count - place)
            default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: random.below(bytes.count))
            }
        }
        return bytes
    }

    /// A number of any size and form.
    mutating func wildNumber() -> String {
        var text = random.oneIn(3) ? "-" : ""
        let digits = 1 + random.below(random.oneIn(3) ? 40 : 18)
        for index in 0..<digits { text += String(index == 0 && digits > 1 ? 1 + random.below(9) : random.below(10)) }
        if random.oneIn(2) { text += "." + (0...random.below(20)).map { _ in String(random.below(10)) }.joined() }
        if random.oneIn(2) {
            text += ["e", "E", "e-", "e+"][random.below(4)] + String(random.below(random.oneIn(4) ? 400 : 50))
        }
        return text
    }

    private mutating func noise() -> UInt8 {
        let usual = Array(##"{}[]",:0123456789.eE+-truefalsn \u/\n"##.utf8)
        return random.oneIn(6) ? UInt8(truncatingIfNeeded: random.next()) : usual[random.below(usual.count)]
    }

    private mutating func value(depth: Int) -> String {
        switch random.below(depth > 3 ? 6 : 10 - depth / 2) {
        case 0: return ["true", "false", "null"][random.below(3)]
        case 1: return number()
        case 2: return String(random.below(300) - 50)
        case 3, 4: return string()
        case 5: return ["\"https://example.org/x\"", "\"AAH/\"", "{\"cash\":{}}", "[]", "{}"][random.below(5)]
        case 6, 7:
            let elements = (0..<random.below(5)).map { _ in value(depth: depth + 1) }
            return space() + "[" + elements.joined(separator: space() + ",") + space() + "]"
        default:
            let count = depth == 0 && random.oneIn(60) ? 30 + random.below(80) : random.below(6)
            let members = (0..<count).map { _ in name() + space() + ":" + space() + value(depth: depth + 1) }
            return "{" + members.joined(separator: "," + space()) + space() + "}"
        }
    }

    // What is a whole number stays one within a Double's precision: beyond it Foundation rounds.
    private mutating func number() -> String {
        switch random.below(6) {
        case 0: return String(Int64(bitPattern: random.next()))
        case 1: return String(random.next())
        case 2: return String(random.below(1000)) + "." + String(random.below(100))
        case 3: return String(random.below(100_000)) + "e" + String(random.below(8))
        case 4: return "\(Double(random.below(1_000_000)) / 8)"
        default: return ["-0", "0", "-0.0", "9007199254740993", "0.1", "1.0", "128", "-129"][random.below(8)]
        }
    }

    private mutating func name() -> String {
        let names = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "sku", "quantity", "price", "_0",
        ]
        return random.oneIn(6) ? string() : "\"" + names[random.below(names.count)] + "\""
    }

    private mutating func string() -> String {
        let parts = [
            "a", "order-", "0123456789", "é", "漢", "😀", "\u{7f}", " ", "x", "/", #"\n"#, #"\""#, #"\\"#, #"\/"#,
            #"\u0041"#,
            #"\u00e9"#, #"\ud83d\ude00"#, #"\u0000"#, #"\t"#,
        ]
        return "\"" + (0..<random.below(6)).map { _ in parts[random.below(parts.count)] }.joined() + "\""
    }

    private mutating func space() -> String { random.oneIn(5) ? [" ", "\n", "\t ", "\r\n"][random.below(4)] : "" }
}
