// Rows in aligned columns.

/// A table for people: a title for each column, and rows of as many cells.
struct Table: Sendable, Equatable {
    /// Where a column's cells stand.
    enum Alignment: Sendable, Equatable { case left, right }

    let columns: [(title: String, alignment: Alignment)]
    private(set) var rows: [[String]] = []

    /// Creates a table; a title that begins with `>` makes its column right-aligned.
    init(_ titles: String..., rows: [[String]] = []) {
        columns = titles.map { $0.hasPrefix(">") ? (String($0.dropFirst()), .right) : ($0, .left) }
        for row in rows { add(row) }
    }

    /// Adds a row; missing cells are empty and control characters are escaped.
    mutating func add(_ cells: [String]) {
        rows.append(columns.indices.map { cells.indices.contains($0) ? cells[$0].printable : "" })
    }

    /// The table's lines, titles first.
    func lines(_ style: Style) -> [String] {
        let widths = columns.indices.map { index in
            max(columns[index].title.count, rows.map { $0[index].count }.max() ?? 0)
        }
        func line(_ cells: [String]) -> String {
            var text = cells.indices.map { index in
                let space = String(repeating: " ", count: widths[index] - cells[index].count)
                return columns[index].alignment == .left ? cells[index] + space : space + cells[index]
            }.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        return [style.bold(line(columns.map(\.title)))] + rows.map(line)
    }

    static func == (a: Table, b: Table) -> Bool {
        a.rows == b.rows && a.columns.map(\.title) == b.columns.map(\.title)
            && a.columns.map(\.alignment) == b.columns.map(\.alignment)
    }
}
