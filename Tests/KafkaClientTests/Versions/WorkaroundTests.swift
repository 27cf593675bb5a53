// Each work-around is needed by the versions it names and by no others.

import KafkaClient
import Testing

@Suite struct WorkaroundTests {
    @Test(arguments: Workaround.allCases)
    func isNeededBelowItsVersionOnly(workaround: Workaround) {
        #expect(workaround.isNeeded(by: LibrdkafkaVersion(2, 0, 2)))
        #expect(!workaround.isNeeded(by: workaround.fixedIn))
        #expect(!workaround.isNeeded(by: LibrdkafkaVersion(99, 0)))
    }

    @Test func versionsAreOrderedByNumber() {
        #expect(LibrdkafkaVersion(2, 10) > LibrdkafkaVersion(2, 6, 1))
        #expect(LibrdkafkaVersion(2, 0, 2).description == "2.0.2")
        #expect(LibrdkafkaVersion.current >= LibrdkafkaVersion(2, 0, 2))
    }
}
