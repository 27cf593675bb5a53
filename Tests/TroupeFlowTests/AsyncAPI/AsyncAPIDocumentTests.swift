// The AsyncAPI document, and what a change of it breaks.

import Testing

@testable import Troupe
@testable import TroupeFlow

@Suite struct AsyncAPIDocumentTests {
    private static let schema = """
        {"type":"object","properties":{"id":{"type":"string"},"zone":{"type":"string"},"weight":{"type":"integer"},\
        "size":{"type":"string","enum":["s","m"]},"at":{"type":"string","format":"date-time"},\
        "lines":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"}},"required":["sku"]}}},\
        "required":["id","zone"]}
        """

    private func shop(_ schema: String = Self.schema) -> Choreography {
        var shop = Choreography.shop
        for service in ["shipping", "notifications", "storefront"] {
            shop.change(service) { declaration in
                for index in declaration.events.indices where declaration.events[index].type == "parcel.dispatched" {
                    declaration.events[index].payloadSchema = service == "shipping" ? schema : #"{"type":"object"}"#
                }
            }
        }
        return shop
    }

    private func document(_ shop: Choreography) -> String {
        AsyncAPIDocument(shop.declarations, title: "Shop", version: "1.0.0").json
    }

    @Test func channelsMessagesAndOperationsAreThere() throws {
        let document = try JSONTree(parsing: document(shop()))
        #expect(document["asyncapi"] == "3.0.0")
        #expect(document["info"]?["title"] == "Shop")
        #expect(document["channels"]?.members.map(\.name) == ["order", "parcel", "payment", "stock"])
        #expect(document["components"]?["messages"]?.members.count == 9)
        #expect(
            document["operations"]?.members.map(\.name) == [
                "inventory.receive.order", "inventory.receive.payment", "inventory.send.stock",
                "notifications.receive.order", "notifications.receive.parcel", "payments.receive.stock",
                "payments.send.payment", "shipping.receive.payment", "shipping.send.parcel",
                "storefront.receive.parcel",
                "storefront.receive.stock", "storefront.send.order",
            ])
        let receive = document["operations"]?["inventory.receive.order"]
        #expect(receive?["action"] == "receive")
        #expect(receive?["channel"]?["$ref"] == "#/channels/order")
        #expect(receive?["messages"]?.elements == [["$ref": "#/channels/order/messages/order.placed"]])
        #expect(receive?["bindings"]?["kafka"]?["groupId"]?["enum"] == ["inventory"])
        let message = document["components"]?["messages"]?["parcel.dispatched"]
        #expect(message?["correlationId"]?["location"] == "$message.header#/ce_correlationid")
        // What the publisher says of its event outweighs what its readers say.
        #expect(message?["payload"] == (try JSONTree(parsing: Self.schema)))
        #expect(document["channels"]?["order"]?["bindings"]?["kafka"]?["topic"] == "order")
    }

    @Test func everyReferenceLeadsSomewhere() throws {
        let document = try JSONTree(parsing: document(shop()))
        var count = 0
        func visit(_ value: JSONTree) {
            if let path = value["$ref"]?.text {
                count += 1
                var target: JSONTree? = document
                for step in path.dropFirst(2).split(separator: "/") { target = target?[String(step)] }
                #expect(target != nil, "\(path)")
            }
            for member in value.members { visit(member.value) }
            for element in value.elements { visit(element) }
        }
        visit(document)
        #expect(count > 40)
    }

    @Test func theOrderOfDeclarationsDoesNotMatter() {
        let declarations = shop().declarations
        let reversed = AsyncAPIDocument(declarations.reversed(), title: "Shop", version: "1.0.0").json
        #expect(reversed == document(shop()))
    }

    @Test func tombstonesForeignRecordsAndOddNamesAreDescribed() throws {
        var odd = Choreography()
        odd.service(
            "a", starts: ["odd type/€"],
            [Choreography.on("odd type/€"), Choreography.on("gone"), Choreography.on("raw")])
        odd.change("a") { declaration in
            declaration.routes[1].input = .tombstone
            declaration.routes[2].input = .foreign
        }
        let document = try JSONTree(parsing: document(odd))
        let names = document["components"]?["messages"]?.members.map(\.name)
        #expect(names == ["gone", "gone.tombstone", "odd_x20_type_x2f__x20ac_", "raw", "raw.foreign"])
        #expect(document["components"]?["messages"]?["gone.tombstone"]?["payload"]?["type"] == "null")
    }

    // MARK: Changes

    private func changes(_ schema: String) throws -> [String] {
        try AsyncAPIChanges.breaking(from: document(shop()), to: document(shop(schema))).map(\.change)
    }

    @Test func whatIsTheSameOrMoreBreaksNothing() throws {
        #expect(try changes(Self.schema).isEmpty)
        let more = Self.schema.replacing(#""id":{"#, with: #""new":{"type":"string"},"id":{"#)
        #expect(try changes(more).isEmpty)
        var larger = shop()
        larger.service("returns", starts: ["parcel.returned"], [Choreography.on("parcel.returned")])
        #expect(try AsyncAPIChanges.breaking(from: document(shop()), to: document(larger)).isEmpty)
    }

    @Test(arguments: [
        (#""zone":{"type":"string"},"#, "", "zone was removed"),
        (#""required":["id","zone"]"#, #""required":["id"]"#, "zone is no longer always there"),
        (#""required":["id","zone"]"#, #""required":["id","zone","weight"]"#, "weight is newly required"),
        (#""weight":{"type":"integer"}"#, #""weight":{"type":"string"}"#, "weight was integer and is string"),
        (#""format":"date-time""#, #""format":"date""#, "at had the format date-time and has date"),
        (#""enum":["s","m"]"#, #""enum":["s","m","l"]"#, #"size may now be "l""#),
        (#","enum":["s","m"]"#, "", "size may now be any string"),
        (#""sku":{"type":"string"}}"#, #""sku":{"type":"integer"}}"#, "lines[].sku was string and is integer"),
    ])
    func whatBreaksIsNamed(old: String, new: String, change: String) throws {
        let altered = Self.schema.replacing(old, with: new)
        #expect(altered != Self.schema)
        let found = try changes(altered)
        #expect(found.contains(change), "\(found)")
        #expect(found.count <= 2)
    }

    @Test(arguments: [
        // Within what may be null.
        (
            #"{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"null"}]}"#,
            #"{"anyOf":[{"type":"object","properties":{"b":{"type":"string"}}},{"type":"null"}]}"#, ["a was removed"]
        ),
        (
            #"{"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]}"#,
            #"{"anyOf":[{"type":"string","format":"date"},{"type":"null"}]}"#,
            ["the payload had the format date-time and has date"]
        ),
        // Cases of an enumeration with values.
        (
            #"{"anyOf":[{"type":"object","properties":{"card":{"type":"string"}}}]}"#,
            #"{"anyOf":[{"type":"object","properties":{"card":{"type":"integer"}}}]}"#,
            ["card was string and is integer"]
        ),
        (
            #"{"anyOf":[{"type":"object","properties":{"card":{}}},{"type":"object","properties":{"cash":{}}}]}"#,
            #"{"anyOf":[{"type":"object","properties":{"card":{}}},{"type":"object","properties":{"coin":{}}}]}"#,
            ["the payload may now be coin"]
        ),
    ])
    func whatBreaksWithinAlternativesIsNamed(old: String, new: String, changes: [String]) throws {
        let (old, new) = (try JSONTree(parsing: old), try JSONTree(parsing: new))
        #expect(SchemaComparison.breaking(from: old, to: new) == changes)
        #expect(SchemaComparison.breaking(from: old, to: old).isEmpty)
    }

    @Test func whatIsNeededWithinWhatMayBeNullMustBeWritten() {
        func maybe(_ name: String) -> String {
            #"{"anyOf":[{"type":"object","properties":{"\#(name)":{"type":"string"}},"required":["\#(name)"]},{"type":"null"}]}"#
        }
        #expect(SchemaComparison.unreadable(written: maybe("a"), read: maybe("a")).isEmpty)
        #expect(
            SchemaComparison.unreadable(written: maybe("a"), read: maybe("b")) == [
                "b is required, and never written"
            ])
    }

    @Test func whatIsGoneIsNamed() throws {
        var less = shop()
        less.change("shipping") {
            $0.routes = []; $0.events = []
        }
        less.change("notifications") { $0.routes.removeAll { $0.type == "parcel.dispatched" } }
        less.change("storefront") { $0.routes.removeAll { $0.type != "stock.rejected" } }
        less.change("inventory") { $0.routes[0].publishes = ["stock.reserved", "stock.rejected"] }
        let found = try AsyncAPIChanges.breaking(from: document(shop()), to: document(less))
        #expect(found.map(\.channel) == ["order", "parcel"])
        #expect(found.map(\.message) == ["order.completed", nil])
        #expect(found.map(\.change) == ["The message was removed", "The channel was removed"])
    }

    @Test func whatIsNoDocumentIsRefused() {
        for text in ["", "{}", #"{"asyncapi":"2.6.0"}"#, "[1]"] {
            #expect(throws: AsyncAPIChanges.Unreadable.self) {
                try AsyncAPIChanges.breaking(from: text, to: document(shop()))
            }
        }
    }

    @Test func referencesThatLeadRoundInACircleLeadNowhere() throws {
        let circle = ##"{"asyncapi":"3.0.0","channels":{"a":{"$ref":"#/channels/a"}}}"##
        let found = try AsyncAPIChanges.breaking(from: circle, to: document(shop()))
        #expect(found.map(\.change) == ["The channel was removed"])
    }
}
