// One event out of six to eight declared types. A route that may publish more is better split.

extension OneOf {
    /// The event of one of six declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event>(_ event: A)
        -> OneOf<A, B, C, D, F, G>
    {
        OneOf<A, B, C, D, F, G>(unchecked: event)
    }

    /// The event of one of six declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event>(_ event: B)
        -> OneOf<A, B, C, D, F, G>
    {
        OneOf<A, B, C, D, F, G>(unchecked: event)
    }

    /// The event of one of six declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event>(_ event: C)
        -> OneOf<A, B, C, D, F, G>
    {
        OneOf<A, B, C, D, F, G>(unchecked: event)
    }

    /// The event of one of six declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event>(_ event: D)
        -> OneOf<A, B, C, D, F, G>
    {
        OneOf<A, B, C, D, F, G>(unchecked: event)
    }

    /// The event of one of six declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event>(_ event: F)
        -> OneOf<A, B, C, D, F, G>
    {
        OneOf<A, B, C, D, F, G>(unchecked: event)
    }

    /// The event of one of six declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event>(_ event: G)
        -> OneOf<A, B, C, D, F, G>
    {
        OneOf<A, B, C, D, F, G>(unchecked: event)
    }
}

extension OneOf {
    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: A)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }

    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: B)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }

    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: C)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }

    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: D)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }

    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: F)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }

    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: G)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }

    /// The event of one of seven declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event>(_ event: H)
        -> OneOf<A, B, C, D, F, G, H>
    {
        OneOf<A, B, C, D, F, G, H>(unchecked: event)
    }
}

extension OneOf {
    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: A)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: B)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: C)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: D)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: F)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: G)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: H)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }

    /// The event of one of eight declared types.
    public static func event<A: Event, B: Event, C: Event, D: Event, F: Event, G: Event, H: Event, I: Event>(_ event: I)
        -> OneOf<A, B, C, D, F, G, H, I>
    {
        OneOf<A, B, C, D, F, G, H, I>(unchecked: event)
    }
}
