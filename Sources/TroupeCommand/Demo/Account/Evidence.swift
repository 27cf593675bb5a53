// What is found when somebody looks: on the topics, and in the services' own files. No service's counter is asked.

import DemoEvents
import Foundation

/// What was read from the topics by a reader of its own.
struct TopicEvidence: Sendable, Equatable {
    /// An event as it was read: where and when it was published under which id.
    struct Sighting: Sendable, Equatable {
        var eventID: String
        /// Milliseconds since 1970 at which the record was published.
        var time: Int64
    }

    /// A letter in a dead-letter topic.
    struct Letter: Sendable, Equatable, Hashable {
        /// Where it lies: topic, partition and offset.
        var place: String
        var service: String
        var order: String
        /// How many times its event was sent again before it got here.
        var replayCount: Int
    }

    /// For each type of event, the sightings of each order's event, repetitions included.
    var sightings: [String: [String: [Sighting]]] = [:]
    var letters: [Letter] = []
    /// The places of letters that were sent again.
    var replayed: Set<String> = []

    /// The orders of which an event of this type was seen.
    func orders(_ type: String) -> Set<String> { Set((sightings[type] ?? [:]).keys) }

    /// When the first event of this type of an order was published.
    func firstTime(_ type: String, _ order: String) -> Int64? { sightings[type]?[order]?.map(\.time).min() }

    /// The orders that wait in a dead-letter topic: those with a letter that was not sent again.
    var waiting: Set<String> { Set(letters.filter { !replayed.contains($0.place) }.map(\.order)) }

    /// The orders that were ever dead-lettered by a service.
    func lettered(by service: String) -> Set<String> { Set(letters.filter { $0.service == service }.map(\.order)) }

    mutating func see(_ type: String, order: String, eventID: String, time: Int64) {
        sightings[type, default: [:]][order, default: []].append(Sighting(eventID: eventID, time: time))
    }
}

/// What was read from the services' own files.
struct FileEvidence: Sendable, Equatable {
    /// The stock of each article.
    var onHand: [String: Int] = [:]
    /// What is set aside for each order.
    var held: [String: [String: Int]] = [:]
    /// Orders whose release came before their reservation.
    var withdrawn: Set<String> = []
    /// The provider's movements of money: order and amount.
    var movements: [Movement] = []
    /// Orders whose charge met the outage at least once.
    var metOutage: Set<String> = []
    /// For each service, how many events came more than once, each of which changed nothing.
    var repeated: [String: Int] = [:]

    /// One movement of money.
    struct Movement: Sendable, Equatable {
        var order: String
        var amount: String
    }
}
