// Who may commit a group's offsets in a transaction.

import Testing

@testable import KafkaClient

@Suite struct GroupMetadataTests {
    private func names(generation: Int32, member: String) -> Bool {
        var bytes = Array("CGMDv2:".utf8)
        withUnsafeBytes(of: generation) { bytes += $0 }
        bytes += Array("group".utf8) + [0] + Array(member.utf8) + [0, 1]
        return bytes.withUnsafeBytes { GroupMetadata.namesMember($0) }
    }

    @Test func aConsumerWithoutAMemberIDMayNotCommitForItsGroup() {
        #expect(names(generation: 3, member: "m-1"))
        #expect(!names(generation: 3, member: ""))
        #expect(!names(generation: -1, member: ""))
        #expect(!names(generation: -1, member: "m-1"))
    }

    @Test func aFormThatIsNotKnownIsLeftToTheBroker() {
        #expect(Array("CGMDv3:".utf8).withUnsafeBytes { GroupMetadata.namesMember($0) })
        #expect([].withUnsafeBytes { GroupMetadata.namesMember($0) })
    }

    @Test func aConsumerThatHasNotJoinedIsNoMember() throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let waker = try Waker()
        let consumer = try PolledConsumer(
            properties: broker.configuration.librdkafkaProperties(for: .consumer(group: "g")), waker: waker)
        #expect(try !consumer.groupMetadata().isMember)
    }
}
