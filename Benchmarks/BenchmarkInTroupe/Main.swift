// The benchmarks' Troupe side: the same work as the C baseline, by the SDK and its client.

import Dispatch
import Foundation

@main
enum Main {
    // Not asynchronous: the end of an asynchronous main's thread is what valgrind 3.19 cannot follow.
    static func main() {
        let finished = DispatchSemaphore(value: 0)
        Task.detached {
            await run()
            finished.signal()
        }
        finished.wait()
    }

    private static func run() async {
        let options = Options.current
        do {
            let seconds =
                switch options.workload {
                case "pipeline": try await runPipeline(options)
                case "produce": try await runProduce(options)
                case "consume": try await runConsume(options)
                case "step": try await runStep(options)
                case "flows": try await runFlows(options)
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
