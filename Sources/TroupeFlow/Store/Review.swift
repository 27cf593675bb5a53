// How far the store has judged all flows again, after what decides their statuses changed. No I/O but of its numbers.

internal import SQLite

/// How far the store has judged all flows again.
///
/// The newest flows come first. When what decides statuses changes once more before that is done, the newest come first
/// again, and beside them it goes on where it was, so that changes which keep coming do not keep it from the oldest.
struct Review: Equatable {
    /// The newest flow that is to be judged of those above `end`; none where it is not above it.
    private(set) var next: Int64 = 0
    /// The flow from which on `rest` covers all.
    private(set) var end: Int64 = 0
    /// The newest flow that is to be judged of the others; 0 for none.
    private(set) var rest: Int64 = 0

    /// No flow is to be judged again.
    init() {}

    /// Whether no flow is to be judged again.
    var isDone: Bool { !isAbove && rest == 0 }
    private var isAbove: Bool { next > end }

    /// Begins again, because what decides statuses changed.
    ///
    /// - Parameter newest: The number of the newest flow; 0 when there is none.
    mutating func restart(from newest: Int64) {
        if rest == 0, isAbove { rest = next }
        (next, end) = (newest, rest)
    }

    /// Takes the next flows to judge.
    ///
    /// - Parameter flows: Gives at most so many numbers of flows that are above a number, and at or below another, the
    ///   greatest first.
    mutating func take(
        _ limit: Int, _ flows: (_ above: Int64, _ through: Int64, _ limit: Int) throws -> [Int64]
    ) rethrows -> [Int64] {
        var taken: [Int64] = []
        if isAbove {
            let share = rest > 0 ? limit / 2 : limit
            if share > 0 { taken = try flows(end, next, share) }
            next = taken.count < share ? end : (taken.last ?? next + 1) - 1
        }
        let left = limit - taken.count
        if rest > 0, left > 0 {
            let slice = try flows(0, rest, left)
            rest = slice.count < left ? 0 : (slice.last ?? 1) - 1
            taken += slice
        }
        if isDone { self = Review() }
        return taken
    }
}

extension Review {
    /// Reads where a store is.
    init(_ connection: borrowing Connection) throws {
        next = try connection.counter("review")
        end = try connection.counter("review_end")
        rest = try connection.counter("review_rest")
    }

    /// Writes where a store is.
    func write(_ connection: borrowing Connection) throws {
        try connection.setCounter("review", next)
        try connection.setCounter("review_end", end)
        try connection.setCounter("review_rest", rest)
    }
}
