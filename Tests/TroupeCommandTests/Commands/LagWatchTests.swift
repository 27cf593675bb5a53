// `troupe lag --watch`: how the lag changes.

import Foundation
import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct LagWatchTests {
    private func group(_ committed: Int64?, _ end: Int64) -> [GroupLag] {
        [
            GroupLag(
                group: "shipping", members: nil,
                partitions: [
                    PartitionRow(TopicPartition("payments", 0), committed: committed, Watermarks(low: 0, high: end))
                ])
        ]
    }

    private func look(_ committed: Int64?, _ end: Int64, at seconds: Double, after last: LagLook?) -> LagLook {
        LagLook(time: Date(timeIntervalSince1970: seconds), groups: group(committed, end), after: last)
    }

    @Test func ratesComeFromTheLookBefore() {
        let first = look(40, 100, at: 10, after: nil)
        #expect(first.rows.first?.handledPerSecond == nil)
        #expect(
            first.lines(.plain) == [
                "1970-01-01T00:00:10.000Z", "GROUP     MEMBERS  LAG  ARRIVED/S  HANDLED/S  BEHIND",
                "shipping        ?   60          ?          ?       ?",
            ])
        let second = look(60, 104, at: 12, after: first)
        #expect(second.rows.first?.handledPerSecond == 10)
        #expect(second.rows.first?.arrivedPerSecond == 2)
        #expect(second.lines(.plain).last == "shipping        ?   44        2.0       10.0     5 s")
        let third = look(60, 104, at: 14, after: second)
        #expect(third.lines(.plain).last == "shipping        ?   44        0.0        0.0  stands still")
        let done = look(104, 104, at: 16, after: third)
        #expect(done.lines(.plain).last?.hasSuffix("22.0       -") == true)
    }

    @Test func intervalsGoWithWatchingAndAreNoTinyOnes() async throws {
        let tool = try ToolOnCluster(.embedded)
        #expect(await tool.run("lag", "--interval=1s").code == .usage)
        #expect(await tool.run("lag", "--watch", "--interval=1ms").code == .usage)
    }

    @Test(arguments: TestCluster.available)
    func watchingGoesOnUntilItIsInterrupted(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("payments")
        _ = try await tool.send((0..<10).map { _ in KafkaMessage(topic: "payments", partition: 0, value: []) })
        func commit(_ offset: Int64) async throws {
            let result = try await KafkaAdmin(tool.configuration).alterOffsets(
                ofGroup: "\(tool.namespace)shipping",
                to: [CommittedOffset(TopicPartition("\(tool.namespace)payments", 0), offset: offset)])
            for each in result.values { try each.get() }
        }
        try await commit(2)
        let recorder = Recorder()
        let watch = Task {
            await tool.run(
                "lag", "--watch", "--interval=100ms", "--group=shipping", "--format=json", recorder: recorder)
        }
        try await wait { recorder.out.contains(#""lag":8"#) }
        try await commit(7)
        try await wait { recorder.out.contains(#""lag":3"#) }
        watch.cancel()
        #expect(await watch.value.code == .interrupted)
    }
}
