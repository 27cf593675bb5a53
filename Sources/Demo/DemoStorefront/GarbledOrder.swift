// An order whose bytes were damaged on the way: the headers are right, the value is no JSON.

import DemoEvents
import Troupe

/// An order placed by a broken client.
struct GarbledOrder: RawEvent {
    static let type = OrderPlaced.type
    static let topic = OrderPlaced.topic
    static var coder: RawBytesCoder<GarbledOrder> { RawBytesCoder(contentType: "application/json") }

    let orderID: String
    let rawBytes: [UInt8]
    var key: EventKey { EventKey(orderID) }

    /// Damages the order `orderID`: its JSON breaks off, and what follows is no text.
    init(orderID: String) {
        self.orderID = orderID
        rawBytes = Array(#"{"orderID":"\#(orderID)","lines":[{"sku":"la"#.utf8) + [0xff, 0xfe, 0x00, 0x9f]
    }

    init(rawBytes: [UInt8]) {
        orderID = ""
        self.rawBytes = rawBytes
    }
}
