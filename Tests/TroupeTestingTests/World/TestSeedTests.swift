// The seed that the environment gives.

import Synchronization
import Testing
import Troupe

@testable import TroupeTesting

@Suite struct TestSeedTests {
    private final class Told: LogHandler {
        let messages = Mutex<[String]>([])
        func log(_ line: LogLine) { messages.withLock { $0.append(line.message) } }
    }

    @Test func aSeedThatIsNoNumberIsTold() {
        let told = Told()
        func seed(_ text: String?) -> UInt64 {
            TestEnvironment.seed(
                in: text.map { ["TROUPE_TEST_SEED": $0] } ?? [:], Logger(label: "test", handler: told))
        }
        #expect([nil, "", "7"].map(seed) == [1, 1, 7])
        #expect(told.messages.withLock { $0 }.isEmpty)
        #expect(seed("seven") == 1)
        #expect(
            told.messages.withLock { $0 } == [
                #"TROUPE_TEST_SEED is "seven"; it takes a whole number. The seed is 1 now"#
            ])
    }
}
