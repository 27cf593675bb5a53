// What the benchmark measures, and that it measures everything.

import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct BenchTests {
    @Test func percentilesAreOfTheNearestRank() {
        let values = (1...100).map(Double.init).shuffled()
        #expect(values.percentile(50) == 50)
        #expect(values.percentile(99) == 99)
        #expect([7.0].percentile(99) == 7)
        #expect([Double]().percentile(50) == nil)
    }

    @Test func figuresForPeople() {
        let report = BenchReport(
            broker: "embedded", valueSize: 200,
            results: [
                Measurement(workload: "produce", events: 50_000, seconds: 0.5, processorSeconds: 0.9),
                Measurement(
                    workload: "service at 500/s", events: 1_000, seconds: 2, processorSeconds: 0.5,
                    latencies: [1, 2, 3, 4]),
            ])
        #expect(
            report.lines(.plain) == [
                "WORKLOAD          EVENTS  EVENTS/S  CPU S/MILLION  P50 MS  P99 MS",
                "produce            50000    100000           18.0       -       -",
                "service at 500/s    1000       500              -    2.00    4.00", "",
                "Broker: embedded. Values of 200 bytes.",
            ])
    }

    @Test func theBenchmarkHandlesEverythingItProduced() async throws {
        let recorder = Recorder()
        let servers = try TestCluster.embedded.configuration.bootstrapServers
        // A member that a busy machine holds up keeps its place.
        let words = [
            "bench", "--records=2000", "--duration=200ms", "--rate=100", "--format=json", "-b", servers, "-X",
            "session.timeout.ms=20000",
        ]
        let code = await Tool.troupe.run(words, recorder.console())
        #expect(code == .ok, "\(recorder.err)")
        let report = try ToolOnCluster.Outcome(code: code, out: recorder.out, err: recorder.err).json()
        #expect(report["results", "0", "workload"] == .string("produce"))
        #expect(report["results", "1", "events"] == .integer(2_000))
        #expect(report["results", "2", "workload"] == .string("service"))
        #expect(report["results", "3", "events"] == .integer(20))
        #expect(report["results", "3", "medianMilliseconds"] != nil)
        #expect(report["results", "4"] == nil)
    }

    @Test func moreThanTheEmbeddedBrokerKeepsIsRefused() async throws {
        let recorder = Recorder()
        let words = ["bench", "--records=1000000", "-b", try TestCluster.embedded.configuration.bootstrapServers]
        #expect(await Tool.troupe.run(words, recorder.console()) == .usage)
    }
}
