// The suite runs over the librdkafka that was meant, when one was.

import Foundation
import KafkaClient
import Testing

private let expected = ProcessInfo.processInfo.environment["TROUPE_EXPECT_LIBRDKAFKA"]

@Suite struct RunningLibraryTests {
    @Test(.enabled(if: expected != nil, "no version is asked for: `make test-newer-librdkafka` asks for one"))
    func theSuiteRunsOverTheLibraryAskedFor() {
        #expect(LibrdkafkaVersion.current.description == expected)
    }
}
