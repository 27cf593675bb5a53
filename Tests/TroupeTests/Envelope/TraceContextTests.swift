// W3C trace context.

import Testing

@testable import Troupe

@Suite struct TraceContextTests {
    private func parse(_ text: String) -> TraceContext? { Array(text.utf8).withUnsafeBytes { TraceContext($0) } }

    @Test func isReadAndWritten() throws {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        #expect(try #require(parse(text)).text == text)
    }

    @Test func nextHopKeepsTheTraceAndChangesTheSpan() throws {
        let first = try #require(parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"))
        let next = first.nextHop(FastRandom(seed: 3))
        #expect(next.traceHigh == first.traceHigh && next.traceLow == first.traceLow && next.flags == 0)
        #expect(next.spanID != first.spanID && next.spanID != 0)
    }

    @Test(arguments: [
        "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
    ]) func invalidOnesAreTreatedAsMissing(_ text: String) { #expect(parse(text) == nil) }

    @Test func laterVersionsAreReadByTheFirstFields() {
        #expect(parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more") != nil)
    }
}
