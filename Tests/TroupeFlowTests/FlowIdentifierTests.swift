// What a flow is known by.

import Testing
import TroupeFlow

@Suite struct FlowIdentifierTests {
    @Test func isItsCorrelationID() {
        #expect("\(FlowIdentifier(rawValue: "flow-1"))" == "flow-1")
    }
}
