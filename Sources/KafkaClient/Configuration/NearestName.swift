// What a mistyped name was meant to be.

/// The candidate nearest to a mistyped name, if any is near enough to be what was meant.
///
/// - Parameter limit: The most single-character edits between them; 2, or a fourth of the name's length, when `nil`.
package func nearestName(
    to name: String, among candidates: some Sequence<String>, within limit: Int? = nil
) -> String? {
    let nearest = candidates.map { (name: $0, distance: editDistance($0, name)) }
        .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
    guard let nearest, nearest.distance <= limit ?? max(2, name.count / 4) else { return nil }
    return nearest.name
}

/// The number of single-character edits between two words (Levenshtein).
private func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.utf8)
    let b = Array(b.utf8)
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, right) in b.enumerated() {
            let substituted = diagonal + (left == right ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
