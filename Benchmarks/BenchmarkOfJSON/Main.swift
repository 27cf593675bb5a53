// Codes one document over and over, by EventJSON or by Foundation, for `Benchmarks/json` to count instructions.

import EventJSON
import Foundation

struct Line: Codable {
    var sku: String
    var quantity: Int
    var price: Double
}

struct Order: Codable {
    var orderId: String
    var customer: String
    var total: Double
    var lines: [Line]
}

struct Rejection: Codable {
    var orderId: String
    var reason: String
}

@main enum BenchmarkOfJSON {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let times = Int(arguments[4]) else {
            print("usage: BenchmarkOfJSON EventJSON|Foundation decode|encode order|rejection TIMES")
            return
        }
        let order = Order(
            orderId: "order-0004711", customer: "ada@example.org", total: 1297.95,
            lines: [
                Line(sku: "lamp-brass-20", quantity: 2, price: 49.5),
                Line(sku: "rug-wool-300", quantity: 1, price: 1198.95),
            ])
        let rejection = Rejection(orderId: "order-0004711", reason: "no stock: lamp")
        let isOrder = arguments[3] == "order"
        switch (arguments[1] == "Foundation", arguments[2] == "encode") {
        case (false, false):
            if isOrder { try decode(order, times) } else { try decode(rejection, times) }
        case (false, true):
            if isOrder { try encode(order, times) } else { try encode(rejection, times) }
        case (true, false):
            if isOrder { try decodeByFoundation(order, times) } else { try decodeByFoundation(rejection, times) }
        case (true, true):
            if isOrder { try encodeByFoundation(order, times) } else { try encodeByFoundation(rejection, times) }
        }
    }

    @inline(never) private static func decode<Value: Codable>(_ value: Value, _ times: Int) throws {
        let json = try EventJSONEncoder().encode(value)
        for _ in 0..<times { keep(try EventJSONDecoder().decode(Value.self, from: json)) }
    }

    @inline(never) private static func encode<Value: Codable>(_ value: Value, _ times: Int) throws {
        for _ in 0..<times { try EventJSONEncoder().withEncodedBytes(of: value) { keep($0) } }
    }

    @inline(never) private static func decodeByFoundation<Value: Codable>(_ value: Value, _ times: Int) throws {
        let decoder = JSONDecoder()
        let json = try JSONEncoder().encode(value)
        for _ in 0..<times { keep(try decoder.decode(Value.self, from: json)) }
    }

    @inline(never) private static func encodeByFoundation<Value: Codable>(_ value: Value, _ times: Int) throws {
        let encoder = JSONEncoder()
        for _ in 0..<times { keep(try encoder.encode(value)) }
    }

    /// Keeps the optimizer from leaving out what nobody uses.
    @inline(never) private static func keep<Value>(_ value: Value) {}
}
