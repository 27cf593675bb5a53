// Times as text.

import Testing

@testable import EventJSON

private let testTime: Int64 = 1_795_259_700_000

@Suite struct RFC3339Tests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (testTime, "2026-11-21T11:15:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)]) func isWrittenAndReadBack(_ milliseconds: Int64, _ text: String)
    {
        #expect(RFC3339.text(milliseconds: milliseconds) == text)
        #expect(RFC3339.milliseconds(text) == milliseconds)
    }

    @Test(
        arguments: [
            ("2026-11-21T11:15:00Z", testTime), ("2026-11-21t11:15:00z", testTime),
            ("2026-11-21T12:15:00+01:00", testTime), ("2026-11-21T05:45:00.5-05:30", testTime + 500),
            ("2026-11-21T11:15:00.1239999Z", testTime + 123), ("2026-11-21T11:15:00.12Z", testTime + 120),
            ("2016-12-31T23:59:60Z", 1_483_228_799_999),
        ] as [(String, Int64)]) func acceptsTheFormsOfTheStandard(_ text: String, _ milliseconds: Int64)
    {
        #expect(RFC3339.milliseconds(text) == milliseconds)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-11-21T11:15:00", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-21 11:15:00Z",
        "2026-11-21T24:00:00Z", "2026-11-21T11:15:00.Z", "2026-11-21T11:15:00+0100", "2026-11-21T11:15:00ZZ",
        "2026-11-21T11:15:00.000000000000000000000000000000000000000000000000000000Z", "2026-11-21T11:15:00+24:00",
        "+026-11-21T11:15:00Z", "2026-00-21T11:15:00Z", "２０２６-11-21T11:15:00Z",
    ]) func refusesTheRest(_ text: String) { #expect(RFC3339.milliseconds(text) == nil) }

    @Test func everyDayOfFourCenturiesComesBack() {
        var time: Int64 = -2_208_988_800_000
        for _ in 0..<146_097 {
            #expect(RFC3339.milliseconds(RFC3339.text(milliseconds: time)) == time)
            time += 86_400_000
        }
    }
}
