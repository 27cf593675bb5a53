// What a route publishes, declared in the type of what its handler returns.

/// What a route publishes, and with it what its handler returns.
///
/// | declared | returned |
/// |---|---|
/// | `.one(A.self)` | `A` |
/// | `.optional(A.self)` | `A?` |
/// | `.many(A.self)` | `[A]` |
/// | `.all(A.self, B.self)` | `(A, B)` |
/// | `.oneOf(A.self, B.self)` | `OneOf<A, B>`, made by `.event(_:)` |
/// | `.manyOf(A.self, B.self)` | an array of those |
///
/// Publishing what was not declared does not compile.
public struct Publishes<Output>: Sendable {
    /// How many events come of one handling, and which.
    let declaration: PublicationDeclaration
    /// Gives the output's events to an emitter, in order.
    let emit: @Sendable (Output, inout EventEmitter) throws -> Void
}

/// How many events of which types a route publishes: what graphs and documents are drawn from.
package struct PublicationDeclaration: Sendable, Hashable {
    /// How many of the declared events come of one handling.
    package enum Cardinality: String, Sendable, Hashable, Codable {
        /// The route publishes nothing.
        case none
        /// Exactly one event.
        case one
        /// One event or none.
        case optional
        /// Any number of events.
        case many
        /// One event of each declared type.
        case all
        /// One event of one of the declared types.
        case oneOf
        /// Any number of events of the declared types.
        case manyOf
    }

    package var cardinality: Cardinality
    package var events: [EventDeclaration]
}

/// What is known of an event's type without an event.
package struct EventDeclaration: Sendable, Hashable {
    package var type: EventType
    package var topic: Topic
    package var flowEnding: FlowEnding?
    package var dataSchema: String?
    /// The media type of the event's bytes.
    package var contentType: String
    private let event: EventMetatype

    /// The event's Swift type.
    var swiftType: ObjectIdentifier { event.id }

    /// The JSON Schema of the event's payload, as far as it can be derived.
    package var payloadSchema: String? { PayloadSchema.derived(from: event.type) }

    package init<E: Event>(_ event: E.Type) {
        type = event.type
        topic = event.topic
        flowEnding = event.flowEnding
        dataSchema = event.dataSchema
        contentType = event.coder.contentType
        self.event = EventMetatype(type: event)
    }
}

/// An event's Swift type, as a value that can be compared.
private struct EventMetatype: Sendable, Hashable {
    let type: any Event.Type
    var id: ObjectIdentifier { ObjectIdentifier(type) }

    static func == (a: EventMetatype, b: EventMetatype) -> Bool { a.id == b.id }
    func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension Publishes where Output == Void {
    /// Nothing: the route is a leaf.
    static var nothing: Publishes<Void> {
        Publishes(declaration: PublicationDeclaration(cardinality: .none, events: [])) { _, _ in }
    }
}

extension Publishes where Output: Event {
    /// Exactly one event.
    public static func one(_ event: Output.Type) -> Publishes<Output> {
        let encode = encoding(by: event.coder)
        return Publishes(declaration: PublicationDeclaration(cardinality: .one, events: [EventDeclaration(event)])) {
            try $1.emit($0, encode)
        }
    }
}

extension Publishes {
    /// One event or none.
    public static func optional<E: Event>(_ event: E.Type) -> Publishes<E?> where Output == E? {
        Publishes(declaration: PublicationDeclaration(cardinality: .optional, events: [EventDeclaration(event)])) {
            if let event = $0 { try $1.emit(event) }
        }
    }

    /// Any number of events of one type, published in order.
    public static func many<E: Event>(_ event: E.Type) -> Publishes<[E]> where Output == [E] {
        Publishes(declaration: PublicationDeclaration(cardinality: .many, events: [EventDeclaration(event)])) {
            for event in $0 { try $1.emit(event) }
        }
    }

    /// One event of each type, published in order.
    public static func all<each E: Event>(
        _ events: repeat (each E).Type
    ) -> Publishes<(repeat each E)> where Output == (repeat each E) {
        Publishes(declaration: PublicationDeclaration(cardinality: .all, events: declarations(repeat each events))) {
            repeat try $1.emit(each $0)
        }
    }

    /// One event of one of the types.
    public static func oneOf<each E: Event>(
        _ events: repeat (each E).Type
    ) -> Publishes<OneOf<repeat each E>> where Output == OneOf<repeat each E> {
        Publishes(declaration: PublicationDeclaration(cardinality: .oneOf, events: declarations(repeat each events))) {
            try $0.event.emit(to: &$1)
        }
    }

    /// Any number of events of the types, published in order.
    public static func manyOf<each E: Event>(
        _ events: repeat (each E).Type
    ) -> Publishes<[OneOf<repeat each E>]> where Output == [OneOf<repeat each E>] {
        Publishes(declaration: PublicationDeclaration(cardinality: .manyOf, events: declarations(repeat each events))) {
            for event in $0 { try event.event.emit(to: &$1) }
        }
    }
}

private func declarations<each E: Event>(_ events: repeat (each E).Type) -> [EventDeclaration] {
    var all: [EventDeclaration] = []
    repeat all.append(EventDeclaration(each events))
    return all
}

extension Event {
    /// Opens an `any Event`, whose type the emitter needs.
    fileprivate func emit(to emitter: inout EventEmitter) throws { try emitter.emit(self) }
}
