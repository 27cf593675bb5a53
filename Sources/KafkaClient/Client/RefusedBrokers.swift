// Which of the brokers that were named refuse every connection: pure state, fed with what the client tells.

import CRDKafka

/// The brokers of `bootstrap.servers` that refuse connections, or are not found by their names.
///
/// One that takes a connection and is slow is not among them, nor is one behind a network that swallows what is sent.
struct RefusedBrokers: Sendable {
    /// How many brokers are named.
    private let named: Int
    /// Why, by the broker's address.
    private var refusals: [String: String] = [:]
    /// The addresses that did anything else, be it that they refused the password: a name may stand for several machines of
    /// which some refuse.
    private var answered: Set<String> = []
    /// The addresses to which a connection is just being made.
    private var connecting: Set<String> = []

    /// Begins with the list that names the brokers, `host:port` separated by commas.
    init(of list: String) {
        let entries = list.split(separator: ",").map { entry in
            String(entry.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
        }
        named = Set(entries).count
    }

    /// Takes an error of the client's.
    ///
    /// librdkafka has no code of its own for a refused connection: `_TRANSPORT` stands also for one that broke. Its text
    /// tells them apart (`Connect to ... failed: Connection refused`, 2.0.2 to 2.12); a text that is not known is no refusal.
    mutating func note(_ error: KafkaError) {
        let text = error.reason
        guard let end = text.firstRange(of: Self.nameEnd) else { return }
        let address = Self.address(ofBroker: text[..<end.lowerBound])
        let what = text[end.upperBound...]
        let refusal: String? =
            switch error.code {
            case .transport where what.hasPrefix("Connect to "):
                Self.cause(what, after: " failed: ").map {
                    $0 == "Connection refused"
                        ? "\(address) refuses connections: nobody listens there"
                        : "\(address) cannot be connected to (\($0))"
                }
            case .unresolved: Self.cause(what, after: "': ").map { "the name of \(address) is not found (\($0))" }
            default: nil
            }
        if let refusal, !answered.contains(address) { refusals[address] = refusal } else { noteAnswer(of: address) }
    }

    /// Takes the states of the client's connections: a broker that took one refuses no more.
    mutating func note(_ statistics: KafkaStatistics) {
        connecting = []
        for (name, broker) in statistics.brokers {
            let name = name.firstRange(of: Self.nameEnd.dropLast(2)).map { name[..<$0.lowerBound] } ?? name[...]
            let address = Self.address(ofBroker: name)
            if broker.state == "CONNECT" { connecting.insert(address) }
            if !Self.unconnected.contains(broker.state) { noteAnswer(of: address) }
        }
    }

    private mutating func noteAnswer(of address: String) {
        answered.insert(address)
        refusals[address] = nil
    }

    /// Why no broker can be reached; `nil` while there is one that has not refused.
    var refusal: KafkaError? {
        guard named > 0, refusals.count >= named, connecting.isDisjoint(with: refusals.keys) else { return nil }
        let reasons = refusals.sorted { $0.key < $1.key }.map(\.value)
        return KafkaError(
            .allBrokersDown, "No broker can be reached: \(reasons.joined(separator: "; "))", isRetriable: true)
    }

    /// How a broker's name ends that is known by its address alone, before the text of an error.
    private static let nameEnd = "/bootstrap: "
    /// The states of a connection that is not made (`rd_kafka_broker_state_names`).
    private static let unconnected: Set = ["INIT", "DOWN", "TRY_CONNECT", "CONNECT"]

    /// The address in a broker's name, which a protocol may lead: `ssl://host:port`.
    private static func address(ofBroker name: Substring) -> String {
        String(name.firstRange(of: "://").map { name[$0.upperBound...] } ?? name)
    }

    /// What stands behind a phrase, without the state that librdkafka adds.
    private static func cause(_ text: Substring, after phrase: String) -> String? {
        guard let start = text.firstRange(of: phrase) else { return nil }
        let rest = text[start.upperBound...]
        return String(rest.firstRange(of: " (after ").map { rest[..<$0.lowerBound] } ?? rest)
    }
}
