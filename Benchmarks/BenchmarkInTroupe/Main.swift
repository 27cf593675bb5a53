// The benchmarks' Troupe side: the same work as the C baseline, by the SDK and its client.

import Foundation

@main
enum Main {
    static func main() async {
        let options = Options.current
        do {
            let seconds =
                switch options.workload {
                case "pipeline": try await runPipeline(options)
                case "produce": try await runProduce(options)
                case "consume": try await runConsume(options)
                case "due": try await runDue(options)
                case "memory-broker", "memory-broker-slow": try await runMemoryBroker(options)
                case "memory-large": try await runMemory(.large, options)
                case "memory-slow-broker": try await runMemory(.slowBroker, options)
                case "memory-slow-handler": try await runMemory(.slowHandler, options)
                default: throw UsageError("unknown workload \(options.workload)")
                }
            print(
                """
                {"workload": "\(options.workload)", "side": "troupe", "records": \(options.records), \
                "seconds": \(seconds)}
                """)
        } catch {
            FileHandle.standardError.write(Data("BenchmarkInTroupe: \(error)\n".utf8))
            exit(1)
        }
    }
}
