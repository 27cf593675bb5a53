// A check that markup is well formed, enough for what the renderer writes.

/// Sees whether tags nest and text is escaped.
struct XMLCheck {
    func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        var rest = Substring(text)
        while let start = rest.firstIndex(of: "<") {
            guard !rest[..<start].contains(">") || open.last == "style" else { return false }
            guard let end = rest[start...].firstIndex(of: ">") else { return false }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") {
                open.append(tag.prefix { $0 != " " })
            }
            guard tag.filter({ $0 == "\"" }).count.isMultiple(of: 2) else { return false }
        }
        return open.isEmpty
    }
}
