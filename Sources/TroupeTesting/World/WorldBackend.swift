// What a world needs of the place it runs in.

import KafkaClient
import Troupe

/// A record that lies in a topic of the world.
struct WorldRecord: Sendable {
    let record: KafkaRecord
    /// Whether the test gave it; else a service published it.
    let isGiven: Bool
}

/// The place a world runs in: the simulation, or services on a broker.
protocol WorldBackend: Sendable {
    /// The services' processors, by which the names of topics are known.
    var processors: [RecordProcessor] { get }
    /// What became of every record.
    var journal: Journal { get }
    /// Milliseconds since 1970.
    var now: Int64 { get }

    /// Puts a record into its topic, whose name has the namespace already. Returns it as it lies there.
    func give(_ message: PackedMessage) async throws -> KafkaRecord
    /// Waits until every record is settled. Returns all of them, in the order they were published in.
    func settle() async throws -> [WorldRecord]
    /// Lets time pass.
    func advance(by duration: Duration) async throws
    /// Kills services and starts them again; all of them when none is named.
    func crash(_ service: String?) async throws
    /// Ends everything and cleans up: in order, or at once after a failure.
    func close(atOnce: Bool) async throws
}
