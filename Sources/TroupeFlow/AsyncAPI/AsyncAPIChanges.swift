// What breaks somebody in the step from one AsyncAPI document to the next.

import Troupe

/// A change between two documents that breaks who relied on the older one.
public struct BreakingChange: Sendable, Hashable, Codable {
    /// The topic it concerns.
    public var channel: String
    /// The type of event it concerns; `nil` when it is the whole channel.
    public var message: String?
    /// What changed, in one sentence.
    public var change: String
}

/// Compares AsyncAPI documents.
public enum AsyncAPIChanges {
    /// The document is none that can be compared.
    public struct Unreadable: Error, CustomStringConvertible {
        /// What is wrong with it.
        public let description: String
    }

    /// Returns what breaks readers or writers in the step from an old document to a new one.
    ///
    /// Removed channels and messages, removed and newly required properties, properties that are no longer always there,
    /// changed types and formats, further values of an enumeration, another content type. What was added breaks nobody.
    ///
    /// - Parameters:
    ///   - old: An AsyncAPI 3 document in JSON.
    ///   - new: Another.
    /// - Throws: `Unreadable` when one of them is no such document.
    public static func breaking(from old: String, to new: String) throws -> [BreakingChange] {
        let (before, after) = (try channels(of: old, "The old document"), try channels(of: new, "The new document"))
        var changes: [BreakingChange] = []
        for (channel, messages) in before.sorted(by: { $0.key < $1.key }) {
            guard let now = after[channel] else {
                changes.append(BreakingChange(channel: channel, message: nil, change: "The channel was removed"))
                continue
            }
            for (name, message) in messages.sorted(by: { $0.key < $1.key }) {
                func add(_ change: String) {
                    changes.append(BreakingChange(channel: channel, message: name, change: change))
                }
                guard let newer = now[name] else {
                    add("The message was removed")
                    continue
                }
                if let type = message["contentType"]?.text, let newType = newer["contentType"]?.text, type != newType {
                    add("The content type was \(type) and is \(newType)")
                }
                if let payload = message["payload"], let newPayload = newer["payload"] {
                    for change in SchemaComparison.breaking(from: payload, to: newPayload) { add(change) }
                }
            }
        }
        return changes
    }

    /// The messages of each channel by their names, references followed.
    private static func channels(of text: String, _ what: String) throws -> [String: [String: JSONTree]] {
        let document: JSONTree
        do { document = try JSONTree(parsing: text) } catch {
            throw Unreadable(description: "\(what) is not JSON: \(error)")
        }
        guard let version = document["asyncapi"]?.text, version.hasPrefix("3.") else {
            throw Unreadable(description: "\(what) is no AsyncAPI 3 document: it does not say \"asyncapi\": \"3.x.y\"")
        }
        var channels: [String: [String: JSONTree]] = [:]
        for channel in document["channels"]?.members ?? [] {
            let value = resolved(channel.value, in: document)
            let address = value["address"]?.text ?? channel.name
            for message in value["messages"]?.members ?? [] {
                let content = resolved(message.value, in: document)
                channels[address, default: [:]][content["name"]?.text ?? message.name] = content
            }
            channels[address, default: [:]].merge([:]) { first, _ in first }
        }
        return channels
    }

    /// What a reference within the document leads to; the value itself when it is none.
    private static func resolved(_ value: JSONTree, in document: JSONTree) -> JSONTree {
        var value = value
        // References that lead round in a circle lead nowhere.
        for _ in 0..<16 {
            guard let path = value["$ref"]?.text, path.hasPrefix("#/") else { return value }
            var target = document
            for step in path.dropFirst(2).split(separator: "/") {
                let name = String(step).replacing("~1", with: "/").replacing("~0", with: "~")
                guard let next = target[name] else { return value }
                target = next
            }
            value = target
        }
        return value
    }
}
