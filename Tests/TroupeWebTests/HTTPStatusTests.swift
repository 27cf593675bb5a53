// The status of an HTTP response.

import Testing
import TroupeWeb

@Suite struct HTTPStatusTests {
    @Test func isItsCode() {
        #expect(HTTPStatus(rawValue: 404) != HTTPStatus(rawValue: 400))
    }
}
