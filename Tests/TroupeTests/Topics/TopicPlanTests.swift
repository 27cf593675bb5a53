// Names and plans of topics.

import Testing

@testable import Troupe

@Suite struct TopicPlanTests {
    @Test func companionsFollowTheirInput() throws {
        let processor = try orderProcessor(
            retry: .exponential(initial: .seconds(10), multiplier: 10, maxDelay: .seconds(20_000), maxRetries: 5))
        let plans = processor.topicPlans(inputs: ["orders": TopicShape(partitions: 6, maxMessageBytes: 2_000_000)])
        #expect(
            plans == [
                TopicPlan(
                    name: "inventory.orders.retry", purpose: .retry, partitions: 6,
                    configuration: [
                        "cleanup.policy": "delete", "max.message.bytes": "2065536", "retention.ms": "200000000",
                    ]),
                TopicPlan(
                    name: "inventory.orders.dlt", purpose: .deadLetter, partitions: 6,
                    configuration: ["cleanup.policy": "delete", "max.message.bytes": "2065536", "retention.ms": "-1"]),
            ])
        #expect(processor.topicPlans(inputs: [:]).isEmpty)
    }

    @Test func retriesAreKeptADayAtLeast() throws {
        let plans = try orderProcessor().topicPlans(inputs: ["orders": TopicShape(partitions: 1)])
        #expect(plans[0].configuration["retention.ms"] == "86400000")
        #expect(plans[0].configuration["max.message.bytes"] == String(1_048_588 + 65_536))
        #expect(TopicPlan.retryRetention(longestDelay: .seconds(Int64.max)) == .max)
    }

    @Test(arguments: ["orders", "a", "A.b_c-9", String(repeating: "x", count: 249), "..."])
    func usableTopicNames(_ name: String) { #expect(NameRule.defect(ofTopic: name) == nil) }

    @Test(arguments: ["", ".", "..", "a b", "a/b", "größe", "a\n", String(repeating: "x", count: 250)])
    func unusableTopicNames(_ name: String) { #expect(NameRule.defect(ofTopic: name) != nil) }

    @Test func millisecondsAreRoundedUp() {
        #expect(Duration.milliseconds(5).milliseconds == 5 && Duration.zero.milliseconds == 0)
        #expect((Duration.milliseconds(5) + .nanoseconds(1)).milliseconds == 6)
        #expect(Duration.seconds(Int64.max).milliseconds == .max && Duration.seconds(Int64.min).milliseconds == .min)
    }
}
