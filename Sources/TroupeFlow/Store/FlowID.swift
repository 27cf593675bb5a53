// The id of a flow as a key, compared as the store compares.

/// The id of a flow, by its bytes, as the store compares: Swift also takes texts for equal that Unicode does.
struct FlowID: Hashable {
    var text: String

    init(_ text: String) { self.text = text }

    static func == (a: FlowID, b: FlowID) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
}
