// Guesses what a mistyped word was meant to be.

/// Guesses what a mistyped word was meant to be.
enum Suggestion {
    /// The candidate closest to `word`; `nil` when none is close enough to be meant.
    static func closest(to word: String, among candidates: [String]) -> String? {
        let limit = max(1, min(word.count, 9) / 3)
        let near = candidates.map { ($0, distance(word, $0)) }.min { $0.1 < $1.1 }
        if let near, near.1 <= limit { return near.0 }
        // The beginning of just one candidate is as good as the whole word.
        let begun = candidates.filter { word.count >= 3 && $0.hasPrefix(word) }
        return begun.count == 1 ? begun[0] : nil
    }

    /// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b` (optimal string
    /// alignment).
    static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a)
        let b = Array(b)
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var row = [i + 1]
            for (j, y) in b.enumerated() {
                var best = min(last[j] + (x == y ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, x == b[j - 1], a[i - 1] == y { best = min(best, beforeLast[j - 1] + 1) }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
