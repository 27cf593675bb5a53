// What the linked librdkafka knows of its own properties: names, aliases, and whom each one concerns.

import CRDKafka

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The properties of the linked librdkafka, read from the table the library prints about itself.
///
/// So an unknown name is found, and a consumer's property is kept from a producer, whatever the library's version.
struct PropertyCatalogue: Sendable {
    /// Whom a property concerns.
    enum Scope: Sendable { case both, consumer, producer }

    /// The catalogue of the linked library.
    static let current = PropertyCatalogue(table: printedTable())

    private(set) var scopes: [String: Scope] = [:]
    /// From each alias's target to the name people know, such as `queue.buffering.max.ms` to `linger.ms`.
    private var preferredNames: [String: String] = [:]
    /// The features the library was built with, such as `sasl_scram`.
    private(set) var features: Set<String> = []

    /// Reads the table `rd_kafka_conf_properties_show` prints.
    init(table: String) {
        for line in table.split(separator: "\n") {
            let cells = line.split(separator: "|", maxSplits: 5, omittingEmptySubsequences: false).map(Self.trimmed)
            guard cells.count == 6, let scope = Self.scope(cells[1]), scopes[cells[0]] == nil else { continue }
            scopes[cells[0]] = scope
            if cells[0] == "builtin.features" {
                features = Set(cells[3].split(separator: ",").map(Self.trimmed))
            }
            guard let aliasOf = cells[5].firstRange(of: "Alias for `") else { continue }
            let target = String(cells[5][aliasOf.upperBound...].prefix { $0 != "`" })
            // The alias is the name Java's clients use, but for abbreviations of it.
            if target.hasPrefix(cells[0]) {
                preferredNames[cells[0]] = target
            } else {
                preferredNames[target] = cells[0]
            }
        }
    }

    /// The one name a property goes by here, whichever of its aliases is given.
    func preferredName(_ name: String) -> String { preferredNames[name] ?? name }

    /// The known name nearest to an unknown one, if any is near enough to be what was meant.
    func suggestion(for name: String) -> String? { nearestName(to: name, among: scopes.keys) }

    private static func scope(_ cell: String) -> Scope? {
        switch cell {
        case "*": .both
        case "C": .consumer
        case "P": .producer
        default: nil
        }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var text = text[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// The table as librdkafka prints it, caught in memory.
    private static func printedTable() -> String {
        var bytes: UnsafeMutablePointer<CChar>?
        var count = 0
        guard let stream = open_memstream(&bytes, &count) else { return "" }
        rd_kafka_conf_properties_show(stream)
        fclose(stream)
        defer { free(bytes) }
        guard let bytes else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
