// `troupe new`: the package of a new service. Examples/run builds one and runs it.

import DemoEvents
import Foundation
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct NewCommandTests {
    private let clone = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL.path

    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "new-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func run(_ words: String..., recorder: Recorder = Recorder()) async -> (code: ExitCode, text: String) {
        let code = await Tool.troupe.run(words, recorder.console())
        return (code, recorder.out + recorder.err)
    }

    @Test func aPackageIsWrittenWithTheEventAsAStructOfItsOwn() async throws {
        try await inFolder { folder in
            let outcome = await run("new", "loyalty", "--directory", folder, "--troupe-path", clone)
            #expect(outcome.code == .ok, "\(outcome.text)")
            func text(_ path: String) throws -> String {
                try String(contentsOfFile: folder + "/" + path, encoding: .utf8)
            }
            #expect(try text("Package.swift").contains(".package(name: \"troupe\", path: \"\(clone)\")"))
            #expect(try text("Sources/Loyalty/Service.swift").contains("EventService(\"loyalty\", router: router())"))
            let event = try text("Sources/Loyalty/OrderPlaced.swift")
            for line in [
                "struct OrderPlaced: Event {", "static let type: EventType = \"shop.order.placed\"",
                "static let topic: Topic = \"orders\"", "var key: EventKey { EventKey(orderID) }", "let total: Decimal",
                "let lines: [Line]", "struct Line: Codable, Sendable {", "let placedAt: Date", "let quantity: Int",
            ] { #expect(event.contains(line), "\(line)") }
            #expect(try text("Tests/LoyaltyTests/ServiceTests.swift").contains("@testable import Loyalty"))

            let again = await run("new", "loyalty", "--directory", folder, "--troupe-path", clone)
            #expect(again.code == .failure)
            #expect(again.text.contains("nothing was written"))
        }
    }

    @Test func whatCannotBeIsRefusedBeforeAnythingIsWritten() async throws {
        try await inFolder { folder in
            #expect(await run("new", "Loyalty!", "-d", folder, "--troupe-path", clone).code == .usage)
            #expect(await run("new", "troupe", "-d", folder, "--troupe-path", clone).code == .usage)
            #expect(await run("new", "loyalty", "-d", folder, "--troupe-path", "/nowhere").code == .usage)
            #expect(
                await run("new", "loyalty", "-d", folder, "--troupe-path", clone, "--troupe-url", "https://x").code
                    == .usage)
            #expect(
                await run("new", "loyalty", "-d", folder, "--troupe-path", clone, "--event", "no.such.event").code
                    == .notFound)
            #expect(!FileManager.default.fileExists(atPath: folder))
        }
    }

    @Test func aRepositoryIsNamedByItsURL() {
        let event = EventDescription(
            type: "a.b", topic: "t", flowEnding: nil, contentType: "application/json", dataSchema: nil,
            payloadSchema: nil)
        let package = ServicePackage(
            service: "x-1", event: event, dependency: .url("https://example.com/t.git", from: "1.2.0"))
        #expect(package.files[0].text.contains(".package(url: \"https://example.com/t.git\", from: \"1.2.0\")"))
        #expect(package.files.map(\.path).contains("Sources/X1/AB.swift"))
    }

    @Test func anySchemaMakesAStructThatCanBeWritten() {
        let schema = """
            {"type":"object","properties":{"class":{"type":"string"},"order-id":{"type":"string"},"2nd":{"type":"integer"},
            "at":{"type":"string","format":"date-time"},"id":{"type":"string","format":"uuid"},
            "mood":{"type":"string","enum":["good","bad"]},"maybe":{"anyOf":[{"type":"number"},{"type":"null"}]},
            "odd":{"$comment":"unknown"},"tags":{"type":"array","items":{"type":"string"}},
            "counts":{"type":"object","additionalProperties":{"type":"integer"}},
            "either":{"anyOf":[{"type":"string"},{"type":"integer"}]}},
            "required":["class","order-id","2nd","at","id","mood","maybe","odd","tags","counts","either"]}
            """
        let event = EventDescription(
            type: "a.class", topic: "t\"x", flowEnding: .failed, contentType: "application/json", dataSchema: nil,
            payloadSchema: schema)
        let contract = SwiftContract(event, module: "AClass")
        #expect(contract.name == "AClassEvent")
        for line in [
            "static let topic: Topic = \"t\\\"x\"", "static var flowEnding: FlowEnding? { .failed }",
            "let `class`: String", "let orderId: String", "let value2nd: Int", "let at: Date", "let id: UUID",
            "/// One of good, bad.", "let mood: String", "let maybe: Decimal?", "let tags: [String]",
            "let counts: [String: Int]", "// odd is left out: its form is not known.",
            "// either is left out: its form is not known.", "case orderId = \"order-id\"", "case value2nd = \"2nd\"",
            "var key: EventKey { EventKey(orderId) }", "import FoundationEssentials",
        ] { #expect(contract.source.contains(line), "\(line)") }
        #expect(
            contract.sample(indent: "").hasSuffix(
                "    mood: \"good\",\n    maybe: nil,\n    tags: [],\n    counts: [:])"))
    }
}
