// Lists in the environment of a gateway.

import KafkaClient
import Synchronization
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

    /// The start ends with an invalid value here, and still what nobody reads is told.
    @Test func aVariableThatNobodyReadsIsToldAtTheStart() async throws {
        let told = Told()
        var service = ServiceConfiguration(
            kafka: KafkaConfiguration(bootstrapServers: "k:9092"),
            environment: ["TROUPE_HTTP_PORT": "x", "TROUPE_HTTP_TOKEN": "hunter2"])
        service.logger = Logger(label: "test", handler: told)
        let gateway = Gateway("shop", configuration: GatewayConfiguration(service: service))
        await #expect(throws: StartupError.self) { try await gateway.start() }
        #expect(
            told.messages.withLock { $0 } == [
                "The environment variable TROUPE_HTTP_TOKEN is not one that Troupe reads. "
                    + "Did you mean TROUPE_HTTP_TOKENS?"
            ])
    }

    /// Remembers what was logged.
    private final class Told: LogHandler {
        let messages = Mutex<[String]>([])
        func log(_ line: LogLine) { messages.withLock { $0.append(line.message) } }
    }
}
