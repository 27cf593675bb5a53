// What the doctor finds, and how it ends.

import Foundation
import Testing

@testable import KafkaClient
@testable import TroupeCommand

@Suite struct DoctorTests {
    @Test(arguments: TestCluster.available)
    func aSoundClusterIsWell(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("payments")
        let outcome = await tool.run("doctor")
        #expect(outcome.code == .ok, "\(outcome.out)")
        #expect(outcome.lines.last == "All is well.")
        #expect(outcome.out.contains("embedded broker") == (cluster == .embedded))
        #expect(outcome.out.contains("Apache Kafka") == (cluster == .kafka))
        #expect(outcome.out.contains("librdkafka"))
    }

    @Test(arguments: TestCluster.available)
    func missingTopicsOfAServiceAreBroken(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("payments")
        let sick = await tool.run("doctor", "--service=shipping", "--input=payments")
        #expect(sick.code == .failure)
        #expect(sick.out.contains("missing: \(tool.namespace)shipping.payments.retry"))
        #expect(sick.out.contains("troupe topics apply"))
        #expect(await tool.run("topics", "apply", "--service=shipping", "--input=payments").code == .ok)
        #expect(await tool.run("doctor", "--service=shipping", "--input=payments").code == .ok)
    }

    @Test func lettersAreAWarning() async throws {
        let tool = try ToolOnCluster(.embedded)
        try await tool.makeTopic("shipping.payments.dlt")
        _ = try await tool.send([KafkaMessage(topic: "shipping.payments.dlt", value: [])])
        let outcome = await tool.run("doctor", "--format=json")
        #expect(outcome.code == .ok)
        guard case .array(let findings)? = try outcome.json()["findings"] else {
            Issue.record("no findings")
            return
        }
        let letters = findings.filter { $0["subject"] == .string("dead letters") }
        #expect(letters.count == 1)
        #expect(letters.first?["status"] == .string("warning"))
        #expect(letters.first?["detail"] == .string("1 letter in \(tool.namespace)shipping.payments.dlt"))
    }

    @Test func aConfigurationThatCannotBeUsedIsAFinding() async {
        let recorder = Recorder()
        let words = ["doctor", "-b", "127.0.0.1:1", "-X", "lingr.ms=5"]
        #expect(await Tool.troupe.run(words, recorder.console()) == .failure)
        #expect(recorder.out.contains("broken   configuration"))
        #expect(recorder.out.contains("Did you mean linger.ms?"))
    }

    @Test func aVariableThatNobodyReadsIsAWarning() {
        #expect(
            DoctorCommand.findings(in: ["TROUPE_NAMESPAC": "hunter2", "TROUPE_NAMESPACE": ""]) == [
                Diagnosis(
                    .warning, "environment", "The environment variable TROUPE_NAMESPAC is not one that Troupe reads",
                    advice: "Did you mean TROUPE_NAMESPACE?")
            ])
    }

    @Test func credentialsStayHiddenAndSourcesAreTold() throws {
        let environment = ["KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SASL_PASSWORD": "hunter2", "KAFKA_CLIENT_ID": "me"]
        var configuration = try KafkaConfiguration(environment: environment)
        configuration.properties["linger.ms"] = "5"
        configuration.bootstrapServers = "b:2"
        let settings = SettingSources.settings(
            of: configuration, options: ["bootstrap.servers", "linger.ms"], environment: environment)
        #expect(
            settings == [
                Setting(name: "bootstrap.servers", value: "b:2", source: "option"),
                Setting(name: "client.id", value: "me", source: "environment"),
                Setting(name: "linger.ms", value: "5", source: "option"),
                Setting(name: "sasl.password", value: "(hidden)", source: "environment"),
            ])
    }

    @Test func workaroundsAreThoseTheVersionNeeds() {
        let old = LibraryFindings.all(of: LibrdkafkaVersion(2, 0, 2))
        #expect(old.count == 1 + Workaround.allCases.count)
        #expect(old.first?.detail == "2.0.2, with 14 work-arounds; 2.12.0 needs none of them")
        #expect(LibraryFindings.all(of: LibrdkafkaVersion(2, 10, 1)).count == 2)
        #expect(LibraryFindings.all(of: LibrdkafkaVersion(2, 12)).count == 1)
    }

    @Test func partitionsWithoutLeadersAreBroken() {
        func partition(_ id: Int32, _ leader: Int32?, _ inSync: [Int32]) -> PartitionDescription {
            PartitionDescription(id: id, leader: leader, replicas: [1, 2], inSyncReplicas: inSync)
        }
        let topic = TopicDescription(
            name: "orders", partitions: [partition(0, 1, [1, 2]), partition(1, nil, []), partition(2, 1, [1])])
        let findings = ClusterFindings.partitions([topic])
        #expect(findings.map(\.status) == [.broken, .warning])
        #expect(findings[0].detail == "1 have no leader: orders/1")
        #expect(findings[1].detail == "2 have replicas that are not in sync: orders/1, orders/2")
    }

    @Test func theVersionOfABrokerIsReadOffItsConfiguration() {
        func configuration(_ name: String, _ value: String) -> [String: ConfigurationEntry] {
            [
                name: ConfigurationEntry(
                    name: name, value: value, source: .kafkaDefault, isReadOnly: false, isSensitive: false)
            ]
        }
        #expect(ClusterFindings.version(configuration("inter.broker.protocol.version", "3.9-IV0")) == "3.9 or newer")
        #expect(ClusterFindings.version(configuration("log.dirs", "/data")) == "4.0 or newer")
        #expect(ClusterFindings.version([:]) == nil)
    }

    @Test func aReportForPeople() {
        let report = DoctorReport(
            library: "2.0.2", settings: [Setting(name: "client.id", value: "me", source: "option")],
            findings: [
                Diagnosis(.ok, "cluster", "1 broker"),
                Diagnosis(.broken, "configuration", "It is wrong", advice: "Mend it"),
            ])
        #expect(
            report.lines(.plain) == [
                "SETTING    VALUE  FROM", "client.id  me     option", "", "ok       cluster        1 broker",
                "broken   configuration  It is wrong", "                        -> Mend it", "",
                "1 broken, 0 warnings.",
            ])
    }
}
