// Brokers that refuse connections are told from those that are slow.

import Foundation
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(5))) struct RefusedBrokersTests {
    private func refused(_ broker: String, by code: KafkaError.Code = .transport, _ text: String? = nil) -> KafkaError {
        let text = text ?? "Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"
        return KafkaError(code, "\(broker)/bootstrap: \(text)")
    }

    private func statistics(_ broker: String, _ state: String) throws -> KafkaStatistics {
        try KafkaStatistics(
            json: """
                {"name":"a","time":1,"age":1,"replyq":0,"msg_cnt":0,"msg_size":0,"txmsgs":0,"rxmsgs":0,"tx_bytes":0,
                "rx_bytes":0,"topics":{},"brokers":{"\(broker)/bootstrap":{"nodeid":-1,"state":"\(state)","outbuf_cnt":0,
                "waitresp_cnt":0,"txerrs":0,"req_timeouts":0,
                "rtt":{"min":0,"max":0,"avg":0,"p50":0,"p99":0,"cnt":0}}}}
                """)
    }

    @Test func everyBrokerThatIsNamedMustRefuse() {
        var brokers = RefusedBrokers(of: "a:1, b:2,a:1")
        #expect(brokers.refusal == nil)
        brokers.note(refused("a:1"))
        brokers.note(refused("a:1"))
        #expect(brokers.refusal == nil)
        brokers.note(
            refused("sasl_ssl://b:2", by: .unresolved, "Failed to resolve 'b:2': Name or service not known (after 1ms)")
        )
        #expect(
            brokers.refusal?.reason
                == "No broker can be reached: a:1 refuses connections: nobody listens there; "
                + "the name of b:2 is not found (Name or service not known)")
        #expect(brokers.refusal?.code == .allBrokersDown)
    }

    @Test func aConnectionThatBrokeIsNoRefusal() {
        var brokers = RefusedBrokers(of: "a:1")
        brokers.note(refused("a:1", "Disconnected while requesting ApiVersion: might be caused by TLS"))
        brokers.note(KafkaError(.allBrokersDown, "1/1 brokers are down"))
        brokers.note(KafkaError(.timedOut, "a:1/bootstrap: Connection setup timed out in state CONNECT"))
        #expect(brokers.refusal == nil)
        var unreachable = RefusedBrokers(of: "a:1")
        unreachable.note(
            refused("a:1", "Connect to ipv4#10.0.0.1:1 failed: No route to host (after 3ms in state CONNECT)"))
        #expect(unreachable.refusal?.reason.hasSuffix("a:1 cannot be connected to (No route to host)") == true)
    }

    /// As `localhost` does where a broker listens on one of its two addresses alone.
    @Test func aNameForTwoMachinesRefusesOnlyWhereBothDo() throws {
        var brokers = RefusedBrokers(of: "ssl://a:1")
        brokers.note(refused("ssl://a:1"))
        #expect(brokers.refusal != nil)
        // The other machine is being connected to.
        brokers.note(try statistics("ssl://a:1", "CONNECT"))
        #expect(brokers.refusal == nil)
        brokers.note(refused("ssl://a:1", by: .init(rawValue: -181), "SSL handshake failed"))
        brokers.note(refused("ssl://a:1"))
        brokers.note(try statistics("ssl://a:1", "TRY_CONNECT"))
        #expect(brokers.refusal == nil)
    }

    @Test func aBrokerThatTakesAConnectionLaterIsWaitedFor() throws {
        var brokers = RefusedBrokers(of: "ssl://a:1")
        brokers.note(refused("ssl://a:1"))
        brokers.note(try statistics("ssl://a:1", "TRY_CONNECT"))
        #expect(brokers.refusal != nil)
        brokers.note(try statistics("ssl://a:1", "APIVERSION_QUERY"))
        #expect(brokers.refusal == nil)
    }

    @Test func whereNobodyListensTheTimeOutIsNotWaitedFor() async throws {
        let configuration = KafkaConfiguration(bootstrapServers: "127.0.0.1:1,nowhere.invalid:9092")
        let start = ContinuousClock.now
        let error = try await #require(throws: KafkaError.self) {
            try await configuration.detectingEmbeddedBroker(
                within: .seconds(240), givingUpOnRefusalAfter: .milliseconds(100))
        }
        #expect(start.duration(to: .now) < .seconds(200))
        #expect(error.reason.contains("127.0.0.1:1 refuses connections"))
        #expect(error.reason.contains("the name of nowhere.invalid:9092 is not found"))
        #expect(error.isRetriable)
    }

    @Test(arguments: [true, false])
    func aSlowBrokerKeepsTheWholeTimeOut(_ isAlone: Bool) async throws {
        let slow = try SilentListener()
        let configuration = KafkaConfiguration(
            bootstrapServers: (isAlone ? "" : "127.0.0.1:1,") + "127.0.0.1:\(slow.port)")
        let start = ContinuousClock.now
        let error = try await #require(throws: KafkaError.self) {
            try await configuration.detectingEmbeddedBroker(within: .seconds(2), givingUpOnRefusalAfter: .zero)
        }
        #expect(start.duration(to: .now) >= .seconds(2))
        #expect(!error.reason.contains("No broker can be reached"))
    }

    @Test(arguments: TestCluster.available)
    func aClusterThatAnswersIsRecognised(_ cluster: TestCluster) async throws {
        var configuration = try cluster.configuration
        configuration.isEmbeddedBroker = nil
        configuration.bootstrapServers = "127.0.0.1:1," + configuration.bootstrapServers
        let detected = try await configuration.detectingEmbeddedBroker(
            within: .seconds(60), givingUpOnRefusalAfter: .zero)
        #expect(detected.isEmbeddedBroker == (cluster == .embeddedBroker))
    }
}

/// A port that takes connections and never says anything.
private final class SilentListener {
    private let descriptor: Int32
    let port: UInt16

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let result = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        try #require(result)
    }

    deinit { close(descriptor) }
}
