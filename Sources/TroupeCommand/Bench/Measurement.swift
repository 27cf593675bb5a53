// What a benchmark measures: rate, processor time, latency.

import Foundation

/// What one workload took.
struct Measurement: Encodable, Sendable, Equatable {
    let workload: String
    let events: Int
    let seconds: Double
    /// Processor time of the whole process, all threads.
    let processorSeconds: Double
    /// The median and the 99th percentile of the time from publishing to handling, in milliseconds.
    let medianMilliseconds: Double?
    let percentile99Milliseconds: Double?

    init(
        workload: String, events: Int, seconds: Double, processorSeconds: Double, latencies: [Double]? = nil
    ) {
        self.workload = workload
        self.events = events
        self.seconds = seconds
        self.processorSeconds = processorSeconds
        medianMilliseconds = latencies?.percentile(50)
        percentile99Milliseconds = latencies?.percentile(99)
    }

    var eventsPerSecond: Double { seconds > 0 ? Double(events) / seconds : 0 }
    var processorSecondsPerMillion: Double { events > 0 ? processorSeconds * 1_000_000 / Double(events) : 0 }

    enum CodingKeys: CodingKey {
        case workload, events, seconds, processorSeconds, eventsPerSecond, processorSecondsPerMillion,
            medianMilliseconds, percentile99Milliseconds
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(workload, forKey: .workload)
        try container.encode(events, forKey: .events)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(processorSeconds, forKey: .processorSeconds)
        try container.encode(eventsPerSecond, forKey: .eventsPerSecond)
        try container.encode(processorSecondsPerMillion, forKey: .processorSecondsPerMillion)
        try container.encodeIfPresent(medianMilliseconds, forKey: .medianMilliseconds)
        try container.encodeIfPresent(percentile99Milliseconds, forKey: .percentile99Milliseconds)
    }
}

extension [Double] {
    /// The value below which `percent` of the values lie, by the nearest rank; `nil` of none.
    func percentile(_ percent: Double) -> Double? {
        guard !isEmpty else { return nil }
        let rank = (percent / 100 * Double(count)).rounded(.up)
        return sorted()[Swift.max(0, Swift.min(count - 1, Int(rank) - 1))]
    }
}

/// Measures wall-clock and processor time from its creation on.
struct Stopwatch: Sendable {
    private let began = ContinuousClock.now
    private let processor = Self.processorSeconds

    /// Seconds since the watch was made.
    var seconds: Double { began.duration(to: .now) / .seconds(1) }
    /// Processor time of the process since then, in seconds.
    var processorSeconds: Double { Self.processorSeconds - processor }

    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }
}

/// The results of a benchmark.
struct BenchReport: Report {
    let broker: String
    let valueSize: Int
    let results: [Measurement]

    func lines(_ style: Style) -> [String] {
        var table = Table("WORKLOAD", ">EVENTS", ">EVENTS/S", ">CPU S/MILLION", ">P50 MS", ">P99 MS")
        func number(_ value: Double?, digits: Int) -> String {
            guard let value else { return "-" }
            return String(format: "%.\(digits)f", value)
        }
        for result in results {
            table.add([
                result.workload, String(result.events), number(result.eventsPerSecond, digits: 0),
                // At a steady rate the processor mostly waits: a figure for each event would mislead.
                result.medianMilliseconds == nil ? number(result.processorSecondsPerMillion, digits: 1) : "-",
                number(result.medianMilliseconds, digits: 2),
                number(result.percentile99Milliseconds, digits: 2),
            ])
        }
        return table.lines(style) + ["", "Broker: \(broker). Values of \(valueSize) bytes."]
    }
}
