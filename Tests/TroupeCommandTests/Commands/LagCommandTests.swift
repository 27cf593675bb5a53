// `troupe lag`: groups behind their topics.

import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct LagCommandTests {
    private let report = LagReport(
        groups: [
            GroupLag(
                group: "shipping", members: 2,
                partitions: [
                    PartitionRow(TopicPartition("payments", 0), committed: 40, Watermarks(low: 0, high: 100)),
                    PartitionRow(TopicPartition("payments", 1), committed: nil, Watermarks(low: 5, high: 12)),
                    PartitionRow(TopicPartition("payments", 2), committed: 3, Watermarks(low: 10, high: 10)),
                ])
        ], totalsOnly: false)

    @Test func lagCountsWhatIsKept() {
        #expect(report.groups[0].partitions.map(\.lag) == [60, 7, 0])
        #expect(
            report.lines(.plain) == [
                "GROUP     TOPIC     PARTITION  COMMITTED  END  LAG",
                "shipping  payments          0         40  100   60",
                "shipping  payments          1          -   12    7",
                "shipping  payments          2          3   10    0",
                "shipping  total                                 67",
            ])
        #expect(
            LagReport(groups: report.groups, totalsOnly: true).lines(.plain) == [
                "GROUP     MEMBERS  PARTITIONS  LAG", "shipping        2           3   67",
            ])
    }

    @Test func theNamesOfTopicsTellGroups() {
        let topics =
            ["orders", "shipping.payments.dlt", "shipping.payments.retry", "mail.a.b.dlt"].map { "eu." + $0 }
            + ["x.y.dlt"]
        #expect(LagReader.groupsOfTopics(topics, namespace: "eu.") == ["eu.mail", "eu.shipping"])
    }

    @Test(arguments: TestCluster.available)
    func lagIsEndLessCommitted(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("payments")
        try await tool.makeTopic("shipping.payments.dlt")
        let payments = "\(tool.namespace)payments"
        _ = try await tool.send(
            (0..<10).map { KafkaMessage(topic: "payments", partition: Int32($0 % 2), value: []) })
        let committed = try await KafkaAdmin(tool.configuration).alterOffsets(
            ofGroup: "\(tool.namespace)shipping",
            to: [
                CommittedOffset(TopicPartition(payments, 0), offset: 2),
                CommittedOffset(TopicPartition(payments, 1), offset: 5),
            ])
        for result in committed.values { try result.get() }

        for words in [["lag"], ["lag", "--group=shipping"]] {
            let outcome = await tool.run(words[0], words.count > 1 ? words[1] : "--totals")
            #expect(outcome.code == .ok, "\(outcome.err)")
        }
        let lag = try await tool.run("lag", "--format=json").json()
        #expect(lag["0", "group"] == .string("\(tool.namespace)shipping"))
        #expect(lag["0", "total"] == .integer(3))
        #expect(lag["0", "partitions", "0", "lag"] == .integer(3))
        #expect(lag["0", "partitions", "1", "lag"] == .integer(0))
        #expect(lag["1"] == nil)
        #expect(await tool.run("lag", "--group=nobody").code == .notFound)
    }
}
