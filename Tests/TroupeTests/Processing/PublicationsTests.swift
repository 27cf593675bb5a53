// The records of one handling: none, one or several.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct PublicationsTests {
    @Test func recordsKeepTheirOrder() {
        var publications = Publications.none
        #expect(publications.count == 0 && publications.all.isEmpty)
        for number in 1...4 {
            publications.append(PackedMessage(topic: "topic-\(number)"))
            #expect(publications.count == number)
            #expect(publications.all.map(\.topic) == (1...number).map { "topic-\($0)" })
        }
    }
}
