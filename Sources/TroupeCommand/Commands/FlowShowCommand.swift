// `troupe flow show`: what happened to one flow, and what did not happen that should have.

import Troupe
import TroupeFlow

/// Shows one flow.
struct FlowShowCommand: Command {
    static let spec = CommandSpec(
        "flow", "show", summary: "Show what happened in a flow, what did not, and who must do what next.",
        discussion: """
            The first line is the verdict. The tree shows events, what services did with them, and the events that came of
            it; the times behind a plus are counted from the flow's start, and for a service from its event.

            """ + FlowSource.discussion,
        arguments: [Argument("FLOW", help: "a flow's id, the id of one of its events, or its subject")],
        options: FlowSource.options + [OutputFormat.option],
        examples: [
            Example("troupe flow show order-42", "what happened to order 42?"),
            Example("troupe flow show order-42 --format=json | jq -r .verdict.sentence", "the verdict alone"),
        ])

    private let source: FlowSource
    private let format: OutputFormat
    private let name: String

    init(_ input: Input) throws {
        source = try FlowSource(input)
        format = try OutputFormat(input)
        name = try input.required(0)
    }

    func run(_ console: Console) async throws {
        let store = try await source.open(console)
        try console.show(FlowTree(flow: try store.flow(named: name, at: nowInMilliseconds())), as: format)
    }
}
