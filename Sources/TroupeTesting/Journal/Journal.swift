// What became of every record of every service: fed by the processors, asked by the world.

import KafkaClient
import Synchronization
import Troupe

/// What became of every record of every service.
final class Journal: ProcessingObserver {
    /// Where a record was read, and by which service.
    struct Place: Hashable, Sendable {
        let service: String
        let partition: TopicPartition
        let offset: Int64

        init(service: String, _ record: KafkaRecord) {
            self.service = service
            partition = record.topicPartition
            offset = record.offset
        }
    }

    /// How far a record has come.
    enum Stage: Sendable {
        /// Read, and neither handled nor waiting.
        case read
        /// Its handler runs.
        case running(since: Int64)
        /// It failed and waits in place until a time in milliseconds since 1970.
        case waiting(WaitingEntry)
        /// Nothing more happens to it once what was published arrived.
        case done
    }

    /// An event that failed and waits in place.
    struct WaitingEntry: Sendable {
        let service: String
        let origin: RecordOrigin
        let envelope: EventEnvelope
        let attempts: Int
        let due: Int64
        let isInRetryTopic: Bool
        let error: ErrorSummary
    }

    struct Entry: Sendable {
        var stage = Stage.read
        var route: String?
        var attempt = 0
        /// What was sent to the producer for it.
        var sent: [Message] = []
    }

    /// What a published record is known by: where it goes, and the event's id or the place of the record it is a copy of.
    struct Message: Hashable, Sendable {
        let topic: String
        let identity: String
    }

    fileprivate struct State {
        var entries: [Place: Entry] = [:]
        var attempts: [HandlingAttempt] = []
        var skipped: [(service: String, record: KafkaRecord)] = []
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Int64

    /// Creates an empty journal that takes the time of its entries, in milliseconds since 1970, from `now`.
    init(now: @escaping @Sendable () -> Int64) { self.now = now }

    func observe(_ step: ProcessingStep, of service: String) {
        let now = now()
        state.withLock { $0.note(step, service, now) }
    }

    // MARK: Asking

    /// Every attempt, in the order they ended in.
    var attempts: [HandlingAttempt] { state.withLock { $0.attempts } }

    /// Every skipped record, in the order they were read in.
    var skipped: [(service: String, record: KafkaRecord)] { state.withLock { $0.skipped } }

    /// What waits in place.
    var waitingInPlace: [WaitingEntry] {
        state.withLock { state in
            state.entries.values.compactMap { if case .waiting(let entry) = $0.stage { entry } else { nil } }
        }
    }

    /// Whether a record was not read yet, or was read and nothing happened to it.
    func isUntouched(_ place: Place) -> Bool {
        state.withLock { state in
            guard let entry = state.entries[place] else { return true }
            if case .read = entry.stage { return true }
            return false
        }
    }

    /// Everything known, for looking at many records at once.
    var entries: [Place: Entry] { state.withLock { $0.entries } }

    // MARK: Crashing

    /// Forgets a record that a killed service had read and will read again.
    func forget(_ place: Place) { state.withLock { $0.entries[place] = nil } }

    // MARK: Identities

    /// What a record of a topic is known by.
    static func message(_ record: KafkaRecord) -> Message {
        message(record.topic) { record.header($0) }
    }

    private static func message(_ topic: String, _ header: (String) -> String?) -> Message {
        // Letters and retries are known by what they are copies of; the event's id may be missing or not its own.
        typealias Name = FailureHeaderName
        let origin = [Name.originTopic, Name.originPartition, Name.originOffset].compactMap { header($0.text) }
        let identity = origin.count == 3 ? origin.joined(separator: "/") : header(HeaderName.id.text) ?? ""
        return Message(topic: topic, identity: identity)
    }

    fileprivate static func message(_ packed: PackedMessage) -> Message {
        let friendly = packed.message
        return message(friendly.topic) { name in friendly.headers.last { $0.name == name }?.text }
    }
}

extension Journal.State {
    fileprivate mutating func note(_ step: ProcessingStep, _ service: String, _ now: Int64) {
        switch step {
        case .read(let record, let classification):
            let place = Journal.Place(service: service, record)
            entries[place, default: Journal.Entry()].stage = .read
            if case .skip = classification {
                entries[place]?.stage = .done
                skipped.append((service, record))
            }
        case .began(let handling, let attempt):
            change(service, handling) {
                $0.stage = .running(since: now)
                $0.route = handling.route.name
                $0.attempt = attempt
            }
        case .handled(let handling, let attempt, let published):
            note(handling, service, attempt, now, .succeeded(published: published.count))
            change(service, handling) {
                $0.stage = .done
                $0.sent += published.map(Journal.message)
            }
        case .failed(let handling, let attempt, let error, let at, let action):
            note(
                handling, service, attempt, now, .failed(errorType: error.type, errorMessage: error.message))
            change(service, handling) {
                switch action {
                case .retryInPlace(let delay):
                    let (due, overflow) = at.addingReportingOverflow(delay.milliseconds)
                    $0.stage = .waiting(
                        Journal.WaitingEntry(
                            service: service, origin: handling.origin, envelope: handling.eventEnvelope,
                            attempts: attempt, due: overflow ? .max : due, isInRetryTopic: handling.isFromRetryTopic,
                            error: error))
                case .retryTopic(let message, _, _), .deadLetter(let message, _):
                    $0.stage = .done
                    $0.sent.append(Journal.message(message))
                case .ignore: $0.stage = .done
                }
            }
        case .followed(let handling, let message):
            change(service, handling) {
                $0.stage = .done
                $0.sent.append(Journal.message(message))
            }
        case .deadLettered(let record, let letter):
            // What could not be published is replaced by the letter that says so.
            entries[Journal.Place(service: service, record), default: Journal.Entry()].stage = .done
            entries[Journal.Place(service: service, record)]?.sent = [Journal.message(letter)]
        }
    }

    private mutating func change(_ service: String, _ handling: Handling, _ body: (inout Journal.Entry) -> Void) {
        body(&entries[Journal.Place(service: service, handling.original), default: Journal.Entry()])
    }

    private mutating func note(
        _ handling: Handling, _ service: String, _ number: Int, _ now: Int64, _ outcome: HandlingAttempt.Outcome
    ) {
        attempts.append(
            HandlingAttempt(
                service: service, route: handling.route.name, envelope: handling.eventEnvelope, number: number,
                time: now, outcome: outcome))
    }
}
