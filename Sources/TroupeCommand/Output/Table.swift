// Rows in aligned columns.

/// A table for people: a title for each column, and rows of as many cells.
struct Table: Sendable, Equatable {
    /// Where a column's cells stand.
    enum Alignment: Sendable, Equatable { case left, right }

    let columns: [(title: String, alignment: Alignment)]
    /// The columns whose cells give way where the terminal is narrower than the table.
    private let yielding: Set<Int>
    private(set) var rows: [[String]] = []

    /// Creates a table; a title that begins with `>` makes its column right-aligned, one with `~` lets its cells be
    /// shortened inside where the terminal is narrower than the table.
    init(_ titles: String..., rows: [[String]] = []) {
        columns = titles.map { title in
            switch title.first {
            case ">": (String(title.dropFirst()), .right)
            case "~": (String(title.dropFirst()), .left)
            default: (title, .left)
            }
        }
        yielding = Set(titles.indices.filter { titles[$0].hasPrefix("~") })
        for row in rows { add(row) }
    }

    /// What is left of a cell at least, however narrow the terminal is.
    private static let leastWidth = 24

    /// Adds a row; missing cells are empty and control characters are escaped.
    mutating func add(_ cells: [String]) {
        rows.append(columns.indices.map { cells.indices.contains($0) ? cells[$0].printable : "" })
    }

    /// The table's lines, titles first.
    func lines(_ style: Style) -> [String] {
        var widths = columns.indices.map { index in
            max(columns[index].title.count, rows.map { $0[index].count }.max() ?? 0)
        }
        var shown = rows
        if let width = style.width {
            for index in yielding {
                let rest = widths.reduce(0, +) + 2 * (widths.count - 1) - widths[index]
                let room = max(width - rest, Self.leastWidth)
                guard widths[index] > room else { continue }
                widths[index] = room
                for row in shown.indices { shown[row][index] = shown[row][index].shortenedInside(to: room) }
            }
        }
        func line(_ cells: [String]) -> String {
            var text = cells.indices.map { index in
                let space = String(repeating: " ", count: widths[index] - cells[index].count)
                return columns[index].alignment == .left ? cells[index] + space : space + cells[index]
            }.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        return [style.bold(line(columns.map(\.title)))] + shown.map(line)
    }

    static func == (a: Table, b: Table) -> Bool {
        a.rows == b.rows && a.columns.map(\.title) == b.columns.map(\.title)
            && a.columns.map(\.alignment) == b.columns.map(\.alignment)
    }
}
