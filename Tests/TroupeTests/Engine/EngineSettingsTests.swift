// How far the client may fetch ahead of the engine.

import Testing

@testable import Troupe

@Suite struct EngineSettingsTests {
    @Test func partitionsShareWhatIsFetchedAhead() {
        var settings = EngineSettings()
        settings.maxRecordsPrefetched = 64_000
        settings.maxBytesPrefetched = 64 << 20
        #expect(settings.prefetch(partitions: 8) == (8_000, 4 << 20))
        #expect(settings.prefetch(partitions: 1) == (64_000, 32 << 20))
        #expect(settings.prefetch(partitions: 0) == (64_000, 32 << 20))
    }

    @Test func noPartitionGetsTooLittleOrTooMuch() {
        var settings = EngineSettings()
        settings.maxRecordsPrefetched = 8_000
        settings.maxBytesPrefetched = 8 << 20
        #expect(settings.prefetch(partitions: 1_000) == (1_000, 1 << 20))
        settings.maxRecordsPrefetched = .max
        settings.maxBytesPrefetched = .max
        #expect(settings.prefetch(partitions: 2) == (100_000, 64 << 20))
    }
}
