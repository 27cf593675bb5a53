// The status of an HTTP response.

import Testing
import TroupeWeb

@Suite struct HTTPStatusTests {
    @Test func saysWhatItsCodeMeans() {
        #expect(HTTPStatus.contentTooLarge.description == "413 Content Too Large")
        #expect(HTTPStatus(rawValue: 418).title == "Client Error")
    }
}
