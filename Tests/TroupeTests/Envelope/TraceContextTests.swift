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

    @Test func theQuickCheckAgreesWithTheParser() {
        let valid = Array("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".utf8)
        let zeros = Array("00-00000000000000000000000000000000-0000000000000000-00".utf8)
        let marks = Array("0123456789abcdefABCFGg-_/:`@\u{0}\u{7f}".utf8) + [0x80, 0xff]
        var valids = 0
        var invalids = 0
        for base in [valid, zeros] {
            for index in base.indices {
                for mark in marks {
                    var text = base
                    text[index] = mark
                    let (isValid, parsed) = text.withUnsafeBytes { (TraceContext.isValid($0), TraceContext($0)) }
                    #expect(isValid == (parsed != nil), "\(text)")
                    if isValid { valids += 1 } else { invalids += 1 }
                }
            }
        }
        #expect(valids > 500 && invalids > 500)
        for count in 0..<valid.count {
            #expect(valid.withUnsafeBytes { !TraceContext.isValid(UnsafeRawBufferPointer(rebasing: $0[..<count])) })
        }
    }

    @Test func theNextHopWrittenFromTextEqualsTheParsedOne() throws {
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            var next = try #require(parse(text))
            next.spanID = 0x1122_3344_5566_7788
            let written = Array(text.utf8).withUnsafeBytes { text in
                withUnsafeTemporaryAllocation(byteCount: TraceContext.byteCount, alignment: 1) { buffer in
                    TraceContext.writeNextHop(of: text, span: next.spanID, to: buffer)
                    return String(decoding: buffer, as: UTF8.self)
                }
            }
            #expect(written == next.text)
        }
    }

    @Test func laterVersionsAreReadByTheFirstFields() {
        #expect(parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more") != nil)
    }
}
