// The engine's times hold whatever durations people set.

import Testing

@testable import Troupe

@Suite struct EngineClockTests {
    @Test func nanosecondsNeverOverflow() {
        #expect(Duration.milliseconds(1_500).nanoseconds == 1_500_000_000)
        #expect(Duration.seconds(-1).nanoseconds == 0)
        let longest = Duration.longestNanoseconds
        for endless in [Duration.seconds(20_000_000_000), .seconds(18_446_744_074), .seconds(Int64.max)] {
            #expect(endless.nanoseconds == longest, "\(endless)")
        }
        #expect(!EngineClock.monotonic.addingReportingOverflow(longest).overflow)
    }
}
