// What one handling publishes: mostly one record, which needs no array.

package import KafkaClient

/// The records that one handling publishes, in order.
package enum Publications: Sendable {
    /// Nothing.
    case none
    /// One record.
    case one(PackedMessage)
    /// Any number of records.
    case several([PackedMessage])

    /// All of them.
    package var all: [PackedMessage] {
        switch self {
        case .none: []
        case .one(let message): [message]
        case .several(let messages): messages
        }
    }

    /// How many there are.
    package var count: Int {
        switch self {
        case .none: 0
        case .one: 1
        case .several(let messages): messages.count
        }
    }

    /// Adds a record behind the others.
    mutating func append(_ message: PackedMessage) {
        switch self {
        case .none: self = .one(message)
        case .one(let first): self = .several([first, message])
        case .several(var messages):
            self = .none
            messages.append(message)
            self = .several(messages)
        }
    }
}
