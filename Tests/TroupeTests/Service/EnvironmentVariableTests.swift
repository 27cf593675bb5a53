// Variables that nobody reads are told, with the one that was probably meant and never with their value.

import Testing

@testable import Troupe

@Suite struct EnvironmentVariableTests {
    private func unknown(_ names: String...) -> [UnknownVariable] {
        EnvironmentVariable.unknown(in: Dictionary(uniqueKeysWithValues: names.map { ($0, "hunter2") }))
    }

    @Test(arguments: [
        ("TROUPE_DELIVRY", "TROUPE_DELIVERY"), ("TROUPE_COMMIT_INTERVAL", "TROUPE_COMMIT_INTERVAL_MS"),
        ("TROUPE_TOKENS", "TROUPE_HTTP_TOKENS"), ("TROUPE_MAX_IN_FLIGHT", "TROUPE_MAX_RECORDS_IN_FLIGHT"),
        ("TROUPE_NAME_SPACE", "TROUPE_NAMESPACE"), ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_SASL_PASWORD", "KAFKA_SASL_PASSWORD"),
    ])
    func aMistypedVariableIsToldWithTheOneThatWasMeant(_ name: String, _ meant: String) {
        #expect(unknown(name) == [UnknownVariable(name: name, suggestion: meant)])
        #expect(
            unknown(name).map(\.message)
                == ["The environment variable \(name) is not one that Troupe reads. Did you mean \(meant)?"])
    }

    @Test func whatIsLikeNoneIsToldWithoutAGuess() {
        #expect(unknown("TROUPE_COLOUR", "TROUPE_") == ["TROUPE_", "TROUPE_COLOUR"].map { UnknownVariable(name: $0) })
        // Two services' versions and endpoints: none is meant more than the other.
        #expect(unknown("TROUPE_SERVICE") == [UnknownVariable(name: "TROUPE_SERVICE")])
    }

    @Test func everyVariableOfTroupesIsKnown() {
        for variable in EnvironmentVariable.allCases { #expect(unknown(variable.rawValue).isEmpty) }
        #expect(unknown("TROUPE_TEST_WAIT", "TROUPE_MODEL", "TROUPE_TRACKER_SEED").isEmpty)
        #expect(unknown("KAFKA_CLIENT_PROPERTIES", "KAFKA_CLIENT_ID", "KAFKA_PROPERTY_CLIENT_IDS").isEmpty)
    }

    @Test func variablesOfOthersAreNobodysConcern() {
        #expect(unknown("PATH", "KAFKA_HEAP_OPTS", "KAFKA_BROKER_ID", "TROUPER_DELIVERY", "troupe_delivery").isEmpty)
    }

    @Test func whatKubernetesTellsOfAServiceIsPassedOver() {
        let links = [
            "TROUPE_WEB_SERVICE_HOST", "TROUPE_WEB_SERVICE_PORT", "TROUPE_WEB_SERVICE_PORT_HTTP", "TROUPE_WEB_PORT",
            "TROUPE_WEB_PORT_80_TCP", "TROUPE_WEB_PORT_80_TCP_ADDR",
        ]
        var environment = Dictionary(uniqueKeysWithValues: links.map { ($0, "10.0.0.7") })
        environment["TROUPE_WEB_COLOUR"] = "red"
        environment["TROUPE_OTHER_PORT"] = "80"
        #expect(
            EnvironmentVariable.unknown(in: environment).map(\.name) == ["TROUPE_OTHER_PORT", "TROUPE_WEB_COLOUR"])
    }

    /// The start ends with an invalid value here, and still everything is told.
    @Test func aServiceAndAPublisherTellThemAtTheirStart() async throws {
        let log = LogRecorder()
        var configuration = ServiceConfiguration(
            environment: ["TROUPE_DELIVERY": "sometimes", "TROUPE_DELIVRY": "hunter2", "TROUPE_COMMIT_INTERVAL": "50"])
        configuration.logger = Logger(label: "test", handler: log)
        let service = EventService("stock", router: EventRouter(), configuration: configuration)
        let error = await #expect(throws: StartupError.self) { try await service.run() }
        #expect("\(try #require(error))".contains(#"TROUPE_DELIVERY is "sometimes""#))
        await #expect(throws: StartupError.self) { try await EventPublisher("stock", configuration: configuration) }
        let expected = [
            "The environment variable TROUPE_COMMIT_INTERVAL is not one that Troupe reads. "
                + "Did you mean TROUPE_COMMIT_INTERVAL_MS?",
            "The environment variable TROUPE_DELIVRY is not one that Troupe reads. Did you mean TROUPE_DELIVERY?",
        ]
        #expect(log.lines.map(\.message) == expected + expected)
        #expect(log.lines.allSatisfy { $0.level == .warning && $0.metadata == [LogKey.service: "stock"] })
    }
}
