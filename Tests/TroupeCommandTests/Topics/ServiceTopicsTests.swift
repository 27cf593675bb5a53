// What a service's topics should be, against what they are.

import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct ServiceTopicsTests {
    private let needs = ServiceNeeds(
        names: ServiceNames(service: "shipping", namespace: "eu."), inputs: ["payments"], outputs: ["shipments"],
        partitions: nil, longestDelay: .seconds(60))

    private let dlt = ["cleanup.policy": "delete", "max.message.bytes": "1114124", "retention.ms": "-1"]
    private let retry = ["cleanup.policy": "delete", "max.message.bytes": "1114124", "retention.ms": "86400000"]

    private let services = [
        "cleanup.policy": "compact,delete", "retention.ms": "604800000", "segment.ms": "600000",
        "min.cleanable.dirty.ratio": "0.1",
    ]
    private let tasks = ["cleanup.policy": "delete", "retention.ms": "604800000"]

    private func existing(_ change: (inout [String: ExistingTopic]) -> Void = { _ in }) -> [String: ExistingTopic] {
        var topics = [
            "eu.payments": ExistingTopic(partitions: 6, configuration: ["max.message.bytes": "1048588"]),
            "eu.shipping.payments.retry": ExistingTopic(partitions: 6, configuration: retry),
            "eu.shipping.payments.dlt": ExistingTopic(partitions: 6, configuration: dlt),
            "eu.shipments": ExistingTopic(partitions: 3, configuration: [:]),
            "eu.troupe.services": ExistingTopic(partitions: 1, configuration: services),
            "eu.troupe.tasks": ExistingTopic(partitions: 8, configuration: tasks),
        ]
        change(&topics)
        return topics
    }

    @Test func missingTopicsAreCreatedAfterTheirInput() {
        let steps = needs.steps(over: ["eu.payments": ExistingTopic(partitions: 6, configuration: nil)])
        #expect(
            steps.map(\.topic) == [
                "eu.payments", "eu.shipping.payments.retry", "eu.shipping.payments.dlt", "eu.shipments",
                "eu.troupe.services", "eu.troupe.tasks",
            ])
        #expect(steps.map(\.action) == [.ok, .create, .create, .create, .create, .create])
        #expect(steps.map(\.partitions) == [6, 6, 6, nil, 1, 4])
        #expect(steps.map(\.configuration) == [[:], retry, dlt, [:], services, tasks])
    }

    @Test func theSizeLimitOfTheInputDecidesThatOfItsCompanions() {
        let steps = needs.steps(over: [
            "eu.payments": ExistingTopic(partitions: 1, configuration: ["max.message.bytes": "5000000"])
        ])
        #expect(steps[2].configuration["max.message.bytes"] == String(5_000_000 + 65_536))
    }

    @Test func whatIsAsPlannedIsLeftAlone() {
        let steps = needs.steps(over: existing())
        #expect(steps.map(\.action) == [.ok, .ok, .ok, .ok, .ok, .ok])
        #expect(steps.allSatisfy { $0.detail == "" })
    }

    @Test func tooShortARetentionIsRaised() {
        let steps = needs.steps(
            over: existing { $0["eu.shipping.payments.dlt"]?.configuration?["retention.ms"] = "604800000" })
        #expect(steps[2].action == .alter)
        #expect(steps[2].changes == [TopicStep.Change(name: "retention.ms", from: "604800000", to: "-1")])
        #expect(steps[2].detail == "retention.ms 604800000 -> -1")
        #expect(steps.map(\.action).count { $0 == .ok } == 5)
    }

    @Test func whatIsMoreThanPlannedIsNeverTakenAway() {
        let steps = needs.steps(
            over: existing {
                $0["eu.shipping.payments.retry"]?.configuration?["retention.ms"] = "-1"
                $0["eu.shipping.payments.dlt"]?.configuration?["max.message.bytes"] = "9000000"
            })
        #expect(steps.map(\.action) == [.ok, .ok, .ok, .ok, .ok, .ok])
    }

    @Test func whatATopicKeepsOrHowItIsSplitIsNotForTheToolToChange() {
        let steps = needs.steps(
            over: existing {
                $0["eu.shipping.payments.retry"]?.partitions = 4
                $0["eu.shipping.payments.dlt"]?.configuration?["cleanup.policy"] = "compact"
            })
        #expect(steps.map(\.action) == [.ok, .differs, .differs, .ok, .ok, .ok])
        #expect(steps[1].detail == "its input has 6 partitions: records keep theirs modulo 4")
        #expect(steps[2].detail == "cleanup.policy is compact, planned delete")
    }

    @Test func aPlanForPeople() {
        let report = TopicStepsReport(
            service: "shipping", isApplied: false,
            steps: needs.steps(
                over: existing {
                    $0["eu.shipping.payments.retry"] = nil
                    $0["eu.shipping.payments.dlt"]?.configuration?["retention.ms"] = "1"
                }))
        #expect(
            report.lines(.plain) == [
                "ACTION  TOPIC                       FOR           PARTITIONS  DETAIL",
                "ok      eu.payments                 input                  6",
                "create  eu.shipping.payments.retry  retry                  6  "
                    + "cleanup.policy=delete, max.message.bytes=1114124, retention.ms=86400000",
                "alter   eu.shipping.payments.dlt    dead letters           6  retention.ms 1 -> -1",
                "ok      eu.shipments                output                 3",
                "ok      eu.troupe.services          tracking               1",
                "ok      eu.troupe.tasks             tracking               8",
                "", "1 to create, 1 to alter, 4 as planned.",
            ])
        #expect(report.changeCount == 2)
    }
}
