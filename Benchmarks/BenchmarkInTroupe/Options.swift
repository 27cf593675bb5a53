// The command line, the same as the C baseline's.

import Foundation

/// What to run, where and how much.
struct Options: Sendable {
    var workload = ""
    var bootstrapServers = ""
    var topic = ""
    var outputTopic = ""
    var group = "troupe"
    var records = 0
    var valueSize = 200
    /// How many records the pipeline has read at most that are not done; `nil` for the engine's own bound.
    var maxInFlight: Int?
    /// What is different from the plain pipeline.
    var variant = PipelineVariant.raw
    /// How many flows start in a second; as many as may be in flight when `nil`.
    var rate: Int?
    /// How often the pipeline commits and tells what it did, in milliseconds; `nil` for the engine's own.
    var commitInterval: Int?
    /// Whether the pipeline's service tells what it does.
    var isTracked = false
    var consumerProperties: [(name: String, value: String)] = []
    var producerProperties: [(name: String, value: String)] = []

    /// The options of this process; wrong ones end it with 64.
    static let current: Options = {
        do {
            return try Options(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("BenchmarkInTroupe: \(error)\n".utf8))
            exit(64)
        }
    }()

    init(_ arguments: [String]) throws {
        guard let first = arguments.first else { throw UsageError("no workload: pipeline, produce or consume") }
        workload = first
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            if option == "--tracking" {
                isTracked = true
                continue
            }
            guard let value = rest.popFirst() else { throw UsageError("a value is missing after \(option)") }
            switch option {
            case "--bootstrap-servers": bootstrapServers = value
            case "--topic": topic = value
            case "--output-topic": outputTopic = value
            case "--group": group = value
            case "--records": records = try Self.positive(option, value)
            case "--value-size": valueSize = try Self.positive(option, value)
            case "--max-in-flight": maxInFlight = try Self.positive(option, value)
            case "--variant":
                guard let known = PipelineVariant(rawValue: value) else { throw UsageError("unknown variant \(value)") }
                variant = known
            case "--commit-interval": commitInterval = try Self.positive(option, value)
            case "--rate": rate = try Self.positive(option, value)
            case "--consumer": consumerProperties.append(try Self.property(value))
            case "--producer": producerProperties.append(try Self.property(value))
            default: throw UsageError("unknown option \(option)")
            }
        }
        guard !bootstrapServers.isEmpty, !topic.isEmpty, records > 0 else {
            throw UsageError("--bootstrap-servers, --topic and --records are needed")
        }
    }

    private static func positive(_ option: String, _ text: String) throws -> Int {
        guard let value = Int(text), value > 0 else { throw UsageError("\(option) wants a positive whole number") }
        return value
    }

    private static func property(_ text: String) throws -> (name: String, value: String) {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { throw UsageError("expected NAME=VALUE, not \(text)") }
        return (String(parts[0]), String(parts[1]))
    }
}

/// What is wrong with the command line.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
