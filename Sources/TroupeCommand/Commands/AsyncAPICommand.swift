// `troupe asyncapi`: the system as an AsyncAPI document, and what a change of it breaks.

import Foundation
import KafkaClient
import Troupe
import TroupeFlow

/// Writes an AsyncAPI document, or compares it with an older one.
struct AsyncAPICommand: Command {
    private static let title = Option("title", .one("TEXT"), help: "what the system is called", default: "Events")
    private static let version = Option("api-version", .one("TEXT"), help: "its version", default: "1.0.0")
    private static let check = Option(
        "check", .one("PATH"), help: "compare with this older document, and end with 5 when something breaks")

    static let spec = CommandSpec(
        "asyncapi", summary: "Describe topics, events and services as an AsyncAPI 3.0.0 document.",
        discussion: """
            The document is JSON, made of what the services declare on the topic troupe.services: a channel for each
            topic, a message for each type of event with the schema of its payload and the CloudEvents headers, and
            operations for what each service sends and receives. The same declarations give the same document, so it
            can be kept in version control.

            --check names what would break somebody: channels and messages that are gone, properties that were removed,
            are newly required or no longer always there, changed types and formats.
            """,
        options: [title, version, check] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe asyncapi --title Shop > asyncapi.json", "write the document"),
            Example("troupe asyncapi --check asyncapi.json", "in a pipeline: fail when a change breaks somebody"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let title: String
    private let version: String
    private let old: String?

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        title = input.string(Self.title) ?? "Events"
        version = input.string(Self.version) ?? "1.0.0"
        old = try input.string(Self.check).map { path in
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure.notFound("The file \(path.printable) cannot be read")
            }
            return String(decoding: data, as: UTF8.self)
        }
    }

    func run(_ console: Console) async throws {
        let declarations = try await RegistryTopic(try await kafka.connect()).declarations()
        let document = AsyncAPIDocument(declarations, title: title, version: version)
        guard let old else {
            console.data(document.json)
            return
        }
        let report = BreakingChangesReport(changes: try AsyncAPIChanges.breaking(from: old, to: document.json))
        try console.show(report, as: format)
        guard report.changes.isEmpty else {
            throw CommandFailure(
                "\(counted(report.changes.count, "change breaks", "changes break")) who relies on the older document",
                code: .nonconforming)
        }
        console.note("Nothing breaks.")
    }
}

/// What a change of the document breaks.
struct BreakingChangesReport: Report {
    let changes: [BreakingChange]

    func encode(to encoder: any Encoder) throws { try changes.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        guard !changes.isEmpty else { return [] }
        var table = Table("CHANNEL", "MESSAGE", "CHANGE")
        for change in changes { table.add([change.channel, change.message ?? "", change.change]) }
        return table.lines(style)
    }
}
