// The chaos runs' Swift side: the services, the loader, and the readers that the account asks. `Benchmarks/chaos` runs it.

import Foundation
import KafkaClient

@main
enum Main {
    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("ChaosService: \(error)\n".utf8))
            exit(error is UsageError ? 64 : 1)
        }
    }

    /// Runs a command; Kafka is found as every client of Troupe finds it, by the environment.
    private static func run(_ arguments: [String]) async throws {
        let kafka = try KafkaConfiguration(
            environment: ProcessInfo.processInfo.environment, over: KafkaConfiguration())
        let rest = Array(arguments.dropFirst())
        switch (arguments.first, rest.count) {
        case ("serve", 2): try await serve(rest[0], log: rest[1])
        case ("load", 3):
            try await load(kafka, file: rest[0], eventsPerSecond: try number(rest[1]), goAhead: rest[2])
        case ("make-topics", 1...): try await makeTopics(kafka, rest)
        case ("dump", 2...): try await dump(kafka, topics: Array(rest.dropFirst()), to: rest[0])
        case ("committed", 1...): try await printCommitted(kafka, groups: rest)
        default:
            throw UsageError(
                """
                expected serve SERVICE LOG, load FILE RATE GO-AHEAD, make-topics NAME:PARTITIONS[,SETTING=VALUE]..., \
                dump FILE TOPIC... or committed GROUP=TOPIC,TOPIC...
                """)
        }
    }

    private static func number(_ text: String) throws -> Int {
        guard let number = Int(text), number > 0 else { throw UsageError("\(text) is no number above zero") }
        return number
    }
}

/// What is wrong with the command line.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
