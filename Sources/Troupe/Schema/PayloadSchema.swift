// The JSON Schema of an event's payload, derived from its Swift type.

import Synchronization

/// The JSON Schema of an event's payload, derived from its Swift type.
///
/// The type's own `init(from:)` is run over a decoder that has no data: it notes what is asked for and answers with
/// samples (an empty string, zero, the first case of an enumeration). What is asked for conditionally is found by
/// running it again and refusing one thing at a time: what may be missing, what may have another form, the cases of an
/// enumeration with values. Where nothing can be known the schema allows everything and says why in `$comment`.
///
/// Dates, data, decimals, UUIDs and URLs are described as Troupe's JSON writes them.
public enum PayloadSchema {
    private static let derived = Mutex<[ObjectIdentifier: String?]>([:])

    /// Derives the schema of an event's payload: a JSON Schema document (draft 07) on one line.
    ///
    /// It is derived once for each type and the same in every process. An `init(from:)` of your own is run with samples,
    /// as it would be with an unlucky record: one that traps on unexpected values does so here too.
    ///
    /// - Returns: The document; `nil` for an event with a coder of its own, or of whose form nothing can be known.
    public static func derived(from event: any Event.Type) -> String? {
        let id = ObjectIdentifier(event)
        if let known = derived.withLock({ $0[id] }) { return known }
        let schema = derive(event)
        derived.withLock { $0[id] = .some(schema) }
        return schema
    }

    private static func derive<E: Event>(_ event: E.Type) -> String? {
        // Another coder may write anything, whatever it calls it.
        guard E.Coder.self is JSONEventCoder<E>.Type || E.Coder.self is FoundationJSONCoder<E>.Type else { return nil }
        return document(of: event, title: event.type.rawValue)?.line
    }

    /// The document of any type that can be decoded.
    static func document<T: Decodable>(of type: T.Type, title: String) -> JSONTree? {
        let node = SchemaDerivation().derive(type).node
        if case .unknown = node { return nil }
        return .object(
            [.init("$schema", "http://json-schema.org/draft-07/schema#"), .init("title", .string(title))]
                + node.json.members)
    }
}
