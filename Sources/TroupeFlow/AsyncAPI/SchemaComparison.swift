// Two JSON Schemas of one payload: what differs, as far as it matters to who reads and who writes.

import Troupe

/// Compares JSON Schemas of payloads.
enum SchemaComparison {
    /// What a reader needs and a writer does not write.
    ///
    /// Nothing when one of the schemas is not known.
    static func unreadable(written: String?, read: String?) -> [String] {
        guard let written = written.flatMap({ try? JSONTree(parsing: $0) }),
            let read = read.flatMap({ try? JSONTree(parsing: $0) })
        else { return [] }
        var found: [String] = []
        unreadable(written, read, "", &found)
        return found
    }

    private static func unreadable(_ written: JSONTree, _ read: JSONTree, _ path: String, _ found: inout [String]) {
        guard let writes = forms(written), let reads = forms(read) else { return }
        let missing = writes.subtracting(reads)
        // An integer is a number too.
        guard missing.isEmpty || (missing == ["integer"] && reads.contains("number")) else {
            found.append("\(place(path)) is written as \(words(writes)) and read as \(words(reads))")
            return
        }
        let (ours, theirs) = (alternatives(written), alternatives(read))
        // Of several forms it is not known which one is written when.
        guard ours.count == 1, theirs.count == 1 else { return }
        unreadablePart(ours[0], theirs[0], path, &found)
    }

    private static func unreadablePart(_ written: JSONTree, _ read: JSONTree, _ path: String, _ found: inout [String]) {
        for name in ["format", "contentEncoding"] {
            guard let needed = read[name]?.text, written[name]?.text != needed, forms(written) == ["string"] else {
                continue
            }
            found.append("\(place(path)) is read as \(needed) and written as \(written[name]?.text ?? "plain text")")
        }
        if let known = read["enum"]?.elements {
            for value in written["enum"]?.elements ?? [] where !known.contains(value) {
                found.append("\(place(path)) may be \(value.line), which is not read")
            }
        }
        let properties = written["properties"]
        let isIncomplete = written["$comment"] != nil
        for member in read["properties"]?.members ?? [] {
            let inner = path.isEmpty ? member.name : path + "." + member.name
            let isNeeded = required(read).contains(member.name)
            if let property = properties?[member.name] {
                if isNeeded, !required(written).contains(member.name), !isIncomplete {
                    found.append("\(inner) is required, and not always written")
                }
                unreadable(property, member.value, inner, &found)
            } else if isNeeded, properties != nil, !isIncomplete {
                found.append("\(inner) is required, and never written")
            }
        }
        if let items = written["items"], let readItems = read["items"] {
            unreadable(items, readItems, path + "[]", &found)
        }
    }

    /// What is breaking in the step from an old schema to a new one: for whoever reads, and for whoever writes.
    static func breaking(from old: JSONTree, to new: JSONTree, _ path: String = "") -> [String] {
        var found: [String] = []
        if let before = forms(old), let after = forms(new), before != after {
            return ["\(place(path)) was \(words(before)) and is \(words(after))"]
        }
        let (before, after) = (alternatives(old), alternatives(new))
        if before.count == 1, after.count == 1 { return found + breakingPart(from: before[0], to: after[0], path) }
        // The cases of an enumeration with values: each is known by the name of its only member.
        for now in after {
            guard let name = now["properties"]?.members.first?.name else { continue }
            if let earlier = before.first(where: { $0["properties"]?.members.first?.name == name }) {
                found += breakingPart(from: earlier, to: now, path)
            } else if !before.isEmpty {
                found.append("\(place(path)) may now be \(name)")
            }
        }
        return found
    }

    private static func breakingPart(from old: JSONTree, to new: JSONTree, _ path: String) -> [String] {
        var found: [String] = []
        for name in ["format", "contentEncoding"] where old[name] != new[name] {
            found.append(
                "\(place(path)) had the \(name) \(old[name]?.text ?? "none") and has \(new[name]?.text ?? "none")")
        }
        let (before, after) = (required(old), required(new))
        for member in old["properties"]?.members ?? [] {
            let inner = path.isEmpty ? member.name : path + "." + member.name
            guard let now = new["properties"]?[member.name] else {
                found.append("\(inner) was removed")
                continue
            }
            if before.contains(member.name), !after.contains(member.name) {
                found.append("\(inner) is no longer always there")
            }
            found += breaking(from: member.value, to: now, inner)
        }
        for name in after where !before.contains(name) {
            found.append("\(path.isEmpty ? name : path + "." + name) is newly required")
        }
        if let items = old["items"], let now = new["items"] { found += breaking(from: items, to: now, path + "[]") }
        if let value = old["additionalProperties"], let now = new["additionalProperties"] {
            found += breaking(from: value, to: now, path + ".*")
        }
        if let values = old["enum"]?.elements {
            if let now = new["enum"]?.elements {
                for value in now where !values.contains(value) {
                    found.append("\(place(path)) may now be \(value.line)")
                }
            } else {
                found.append("\(place(path)) may now be any \(forms(new).map(words) ?? "value")")
            }
        }
        return found
    }

    private static func place(_ path: String) -> String { path.isEmpty ? "the payload" : path }

    private static func required(_ schema: JSONTree) -> [String] {
        schema["required"]?.elements.compactMap(\.text) ?? []
    }

    /// The schemas of which a value fulfils one, without that of null.
    private static func alternatives(_ schema: JSONTree) -> [JSONTree] {
        guard let choices = schema["anyOf"]?.elements ?? schema["oneOf"]?.elements else {
            return schema["type"]?.text == "null" ? [] : [schema]
        }
        return choices.flatMap { alternatives($0) }
    }

    /// The JSON types a value may have; `nil` when any.
    private static func forms(_ schema: JSONTree) -> Set<String>? {
        if let type = schema["type"] {
            return type.text.map { [$0] } ?? Set(type.elements.compactMap(\.text))
        }
        for name in ["anyOf", "oneOf"] {
            guard let choices = schema[name]?.elements else { continue }
            var all: Set<String> = []
            for choice in choices {
                guard let forms = forms(choice) else { return nil }
                all.formUnion(forms)
            }
            return all
        }
        return nil
    }

    private static func words(_ forms: Set<String>) -> String { forms.sorted().joined(separator: " or ") }
}
