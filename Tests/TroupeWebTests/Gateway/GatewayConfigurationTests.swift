// Lists in the environment of a gateway.

import KafkaClient
import Testing
import Troupe

@testable import TroupeWeb

@Suite struct GatewayConfigurationTests {
    private func resolved(_ environment: [String: String]) throws -> GatewayConfiguration {
        try GatewayConfiguration(
            service: ServiceConfiguration(
                kafka: KafkaConfiguration(bootstrapServers: "k:9092"), environment: environment)
        ).resolved()
    }

    @Test func spacesAroundTheEntriesOfAListDoNotCount() throws {
        let configuration = try resolved([
            "TROUPE_HTTP_TOKENS": " a, b ,\tc,", "TROUPE_HTTP_ALLOWED_HOSTS": "shop.example, Www.Shop.example ",
        ])
        for token in ["a", "b", "c"] {
            #expect(configuration.tokens?.admit(authorization: "Bearer \(token)") == true)
        }
        #expect(configuration.tokens?.admit(authorization: "Bearer ") == false)
        #expect(configuration.http.allowedHosts == ["shop.example", "www.shop.example"])
    }

    @Test(arguments: ["TROUPE_HTTP_TOKENS", "TROUPE_HTTP_ALLOWED_HOSTS"], [",", " ", " , "])
    func aListThatNamesNothingIsRefused(_ name: String, _ text: String) {
        #expect(throws: StartupError.self) { try resolved([name: text]) }
    }
}
