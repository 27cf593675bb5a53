// One event out of several declared types.

/// One event of the declared types: what a handler of a `.oneOf` route returns, made by `.event(_:)`.
///
/// Of two to eight types.
public struct OneOf<each E: Event>: Sendable {
    /// The event.
    public let event: any Event

    init(unchecked event: any Event) { self.event = event }
}

extension OneOf {
    /// The event of one of two declared types.
    public static func event<A: Event, B: Event>(_ event: A) -> OneOf<A, B> {
        OneOf<A, B>(unchecked: event)
    }

    /// The event of one of two declared types.
    public static func event<A: Event, B: Event>(_ event: B) -> OneOf<A, B> {
        OneOf<A, B>(unchecked: event)
    }
}

extension OneOf {
    /// The event of one of three declared types.
    public static func event<A: Event, B: Event, C: Event>(_ event: A) -> OneOf<A, B, C> {
        OneOf<A, B, C>(unchecked: event)
    }

    /// The event of one of three declared types.
    public static func event<A: Event, B: Event, C: Event>(_ event: B) -> OneOf<A, B, C> {
        OneOf<A, B, C>(unchecked: event)
    }

    /// The event of one of three declared types.
    public static func event<A: Event, B: Event, C: Event>(_ event: C) -> OneOf<A, B, C> {
        OneOf<A, B, C>(unchecked: event)
    }
}

extension OneOf {
    /// The event of one of four declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event>(_ event: A) -> OneOf<A, B, C, D> {
        OneOf<A, B, C, D>(unchecked: event)
    }

    /// The event of one of four declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event>(_ event: B) -> OneOf<A, B, C, D> {
        OneOf<A, B, C, D>(unchecked: event)
    }

    /// The event of one of four declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event>(_ event: C) -> OneOf<A, B, C, D> {
        OneOf<A, B, C, D>(unchecked: event)
    }

    /// The event of one of four declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event>(_ event: D) -> OneOf<A, B, C, D> {
        OneOf<A, B, C, D>(unchecked: event)
    }
}

extension OneOf {
    /// The event of one of five declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event>(_ event: A) -> OneOf<A, B, C, D, F> {
        OneOf<A, B, C, D, F>(unchecked: event)
    }

    /// The event of one of five declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event>(_ event: B) -> OneOf<A, B, C, D, F> {
        OneOf<A, B, C, D, F>(unchecked: event)
    }

    /// The event of one of five declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event>(_ event: C) -> OneOf<A, B, C, D, F> {
        OneOf<A, B, C, D, F>(unchecked: event)
    }

    /// The event of one of five declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event>(_ event: D) -> OneOf<A, B, C, D, F> {
        OneOf<A, B, C, D, F>(unchecked: event)
    }

    /// The event of one of five declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event>(_ event: F) -> OneOf<A, B, C, D, F> {
        OneOf<A, B, C, D, F>(unchecked: event)
    }
}
