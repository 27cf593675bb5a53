// The gateway: takes orders over HTTP, and tells how they ended.

import DemoEvents
import Troupe
import TroupeWeb

@main
enum Main {
    static func main() async throws {
        try await gateway().runService()
    }

    /// `POST /orders` places an order; the storefront's events end its flow.
    static func gateway(_ configuration: GatewayConfiguration = GatewayConfiguration()) -> Gateway {
        var gateway = Gateway("gateway", configuration: configuration)
        gateway.post("/orders", publishes: OrderPlaced.self)
        gateway.endings(OrderCompleted.self, OrderCancelled.self)
        return gateway
    }
}
