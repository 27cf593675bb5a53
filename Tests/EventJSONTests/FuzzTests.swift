// Random documents, read and written by both coders.

import EventJSON
import Foundation
import Testing

/// `make fuzz` sets the number of documents and may set the seed.
private func setting(_ name: String, _ usual: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
}

@Suite(.serialized) struct FuzzTests {
    // The same documents in every run; `make fuzz` draws others.
    private let seed = UInt64(setting("EVENTJSON_FUZZ_SEED", 20_261_121))
    private let count = setting("EVENTJSON_FUZZ_DOCUMENTS", 3000)

    private static let targets = [
        Target(AnyJSON.self), Target(Mixed.self), Target([Payment].self),
        Target([String: Int].self) { $0.sorted { $0.key < $1.key }.map { "\($0)" } },
        Target([Int?].self), Target(Line.self), Target(String.self) { Array($0.utf8) },
    ]

    @Test func randomDocumentsAreReadAsByFoundation() {
        print("seed \(seed), \(count) documents: EVENTJSON_FUZZ_SEED=\(seed) repeats them")
        var documents = RandomDocuments(seed: seed)
        var differences = 0
        var read = 0
        for index in 0..<count where differences < 10 {
            let document = documents.document()
            // Every document by the type that reads all of it, and by one of the others.
            for target in [Self.targets[0], Self.targets[1 + index % (Self.targets.count - 1)]] {
                if let difference = target.difference(on: document) {
                    differences += 1
                    Issue.record("seed \(seed), document \(index): \(difference)")
                }
            }
            if let value = try? EventJSONDecoder().decode(AnyJSON.self, from: document) {
                read += 1
                if !Misreading.ofLongNumber(document), let difference = writingDifference(value) {
                    differences += 1
                    Issue.record("seed \(seed), document \(index): \(difference)")
                }
            }
        }
        #expect(read > count / 2)
    }

    /// What is written must be the same as by way of Foundation, and read back to the same value by both.
    private func writingDifference(_ value: AnyJSON) -> String? {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes]
            let written = try EventJSONEncoder().encode(value)
            let text = String(decoding: written, as: UTF8.self)
            guard try JSONDecoder().decode(AnyJSON.self, from: Data(written)) == value else {
                return "written as \(text)"
            }
            guard try EventJSONDecoder().decode(AnyJSON.self, from: written) == value else {
                return "written as \(text)"
            }
            // By way of the tree the bytes are the same.
            let byTree = try EventJSONEncoder().encode(ByTree(value: value))
            guard byTree == written else {
                return "\(text), but by the tree \(String(decoding: byTree, as: UTF8.self))"
            }
            // Foundation writes members in no order: the lengths agree.
            let foundations = try encoder.encode(value)
            guard foundations.count == written.count else {
                return "\(text), but by Foundation \(String(decoding: foundations, as: UTF8.self))"
            }
            return nil
        } catch { return "\(error)" }
    }

    @Test func randomNumbersAreReadAsByFoundation() {
        var documents = RandomDocuments(seed: seed)
        let targets = [
            Target([Double].self) { $0.map(\.bitPattern) }, Target([Float].self) { $0.map(\.bitPattern) },
            Target([Decimal].self) { $0.map(\.description) },
        ]
        var differences = 0
        for index in 0..<count where differences < 10 {
            let number = documents.wildNumber()
            // Foundation takes a zero with an exponent for no JSON when it reads a Double: a listed difference.
            if number.contains("e") || number.contains("E"), Double(number) == 0 { continue }
            let document = Array("[\(number)]".utf8)
            for target in targets {
                if let difference = target.difference(on: document) {
                    differences += 1
                    Issue.record("seed \(seed), number \(index): \(difference)")
                }
            }
        }
    }

    @Test func randomNumbersAreWrittenAsByFoundation() throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<count {
            let any = Double(bitPattern: random.next())
            let price =
                Double(Int64(bitPattern: random.next()) >> Int64(random.below(60)))
                / [1, 10, 100, 1000, 10_000, 8][random.below(6)]
            let small = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            let whole = Int64(bitPattern: random.next()) >> Int64(random.below(63))
            let doubles = [any, price].filter(\.isFinite)
            #expect(try EventJSONEncoder().encode(doubles) == Array(JSONEncoder().encode(doubles)), "seed \(seed)")
            #expect(try EventJSONDecoder().decode([Double].self, from: EventJSONEncoder().encode(doubles)) == doubles)
            let floats = [small].filter(\.isFinite)
            #expect(try EventJSONEncoder().encode(floats) == Array(JSONEncoder().encode(floats)), "seed \(seed)")
            #expect(try EventJSONEncoder().encode([whole]) == Array("[\(whole)]".utf8))
            #expect(try EventJSONEncoder().encode([whole.magnitude]) == Array("[\(whole.magnitude)]".utf8))
        }
    }
}

/// Encodes a value so that only the tree can write it.
private struct ByTree: Encodable {
    let value: AnyJSON

    func encode(to encoder: any Encoder) throws {
        _ = encoder.codingPath
        try value.encode(to: encoder)
    }
}
