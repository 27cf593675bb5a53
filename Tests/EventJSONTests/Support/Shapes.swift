// Types of many shapes, as events have them.

import Foundation

struct Line: Codable, Hashable {
    var sku: String
    var quantity: Int
    var price: Double
}

struct Order: Codable, Hashable {
    var orderID: String
    var total: Decimal
    var lines: [Line]
    var note: String?
}

/// One field of each kind, all optional, so that any object can be tried.
struct Mixed: Codable, Equatable {
    var a: Int?
    var b: String?
    var c: Double?
    var d: Bool?
    var e: [Int]?
    var f: [String: Int8]?
    var g: Decimal?
    var h: Float?
    var i: UInt64?
    var j: AnyJSON?
    var k: [Mixed]?
    var l: URL?
    var m: [Int: String]?
    var n: Int128?
}

/// An enum with associated values.
enum Payment: Codable, Equatable {
    case cash
    case card(number: String, expires: Int?)
    case split([Payment])
}

final class Node: Codable, Equatable {
    var value: Int
    var children: [Node]
    var next: Node?

    init(_ value: Int, _ children: [Node] = [], next: Node? = nil) {
        self.value = value
        self.children = children
        self.next = next
    }

    static func == (a: Node, b: Node) -> Bool { a.value == b.value && a.children == b.children && a.next == b.next }
}

class Animal: Codable {
    var name: String

    init(name: String) { self.name = name }
}

/// Encodes its superclass into the same container.
final class Dog: Animal {
    var barks = true

    enum CodingKeys: CodingKey { case barks }

    override init(name: String) { super.init(name: name) }

    required init(from decoder: any Decoder) throws {
        barks = try decoder.container(keyedBy: CodingKeys.self).decode(Bool.self, forKey: .barks)
        try super.init(from: decoder)
    }

    override func encode(to encoder: any Encoder) throws {
        try super.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(barks, forKey: .barks)
    }
}

/// Encodes its superclass by super encoders.
final class Cat: Animal {
    var lives = 9

    enum CodingKeys: CodingKey { case lives, base }

    override init(name: String) { super.init(name: name) }

    required init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        lives = try container.decode(Int.self, forKey: .lives)
        try super.init(from: try container.superDecoder())
        _ = try Animal(from: try container.superDecoder(forKey: .base))
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let base = container.superEncoder(forKey: .base)
        try container.encode(lives, forKey: .lives)
        try super.encode(to: container.superEncoder())
        // Written last, though its place was taken first.
        try super.encode(to: base)
    }
}

/// A key of a dictionary that is no text or number by itself.
struct Country: RawRepresentable, Codable, Hashable, CodingKeyRepresentable {
    var rawValue: String
}
