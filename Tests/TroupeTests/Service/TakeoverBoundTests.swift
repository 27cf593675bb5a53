// The bound of takeovers after a hard kill is what its parts make.

import KafkaClient
import Testing
import Troupe

@Suite struct TakeoverBoundTests {
    private func configuration(
        _ environment: [String: String] = [:], _ change: (inout ServiceConfiguration) -> Void = { _ in }
    ) -> ServiceConfiguration {
        var configuration = ServiceConfiguration(environment: environment)
        configuration.engine.drainTimeout = .seconds(4)
        configuration.engine.closeTimeout = .seconds(2)
        change(&configuration)
        return configuration
    }

    @Test func itIsTheSessionAHeartbeatAndTheOthersDrain() throws {
        #expect(try configuration().takeoverBound() == .seconds(45 + 3 + 4 + 2))
        let quick = configuration {
            $0.kafka.sessionTimeout = .seconds(6)
            $0.kafka.properties["heartbeat.interval.ms"] = "500"
        }
        #expect(try quick.takeoverBound() == .milliseconds(6_000 + 500 + 4_000 + 2_000))
    }

    @Test func anOpenTransactionCountsWhenItTakesLonger() throws {
        let short = configuration {
            $0.delivery = .exactlyOnce
            $0.kafka.sessionTimeout = .seconds(6)
        }
        // 6 + 3 + 4 + 2 are less than 10 of the transaction's and 10 of the broker's.
        #expect(try short.takeoverBound() == .seconds(20))
        let long = configuration {
            $0.delivery = .exactlyOnce
            $0.kafka.sessionTimeout = .seconds(30)
        }
        #expect(try long.takeoverBound() == .seconds(39))
        let patient = configuration {
            $0.delivery = .exactlyOnce
            $0.kafka.transactionTimeout = .seconds(60)
        }
        #expect(try patient.takeoverBound() == .seconds(70))
    }

    @Test func theEnvironmentGoesOverTheCode() throws {
        let set = configuration([
            "KAFKA_PROPERTY_SESSION_TIMEOUT_MS": "10000", "TROUPE_DRAIN_TIMEOUT_MS": "1000",
            "TROUPE_DELIVERY": "exactly-once",
        ])
        #expect(try set.takeoverBound() == .seconds(20))
        #expect(throws: StartupError.self) { try configuration(["TROUPE_DELIVERY": "twice"]).takeoverBound() }
    }
}
