// Mistakes that must not compile, checked with the compiler against the built module.

import Foundation
import KafkaClient
import Testing

@testable import Troupe

private let compiler: String? = {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").map { "\($0)/swiftc" }.first { FileManager.default.isExecutableFile(atPath: $0) }
}()

/// The folder of the built modules: beside the test bundle.
private let modules: String? = {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for _ in 0..<6 {
        let modules = folder.appendingPathComponent("Modules")
        if FileManager.default.fileExists(atPath: modules.appendingPathComponent("Troupe.swiftmodule").path) {
            return modules.path
        }
        folder.deleteLastPathComponent()
    }
    return nil
}()

/// The folder of the sources, where the C module maps are.
private let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources").path

@Suite(.enabled(if: compiler != nil && modules != nil, "needs swiftc and the built modules"))
struct CompileFailTests {
    struct Mistake: Sendable, CustomTestStringConvertible {
        var code: String
        var messages: [String]
        var testDescription: String { code }
    }

    static let undeclared = "but its route publishes nothing. Add publishes: "
    static let mistakes = [
        Mistake(
            code: "router.on(A.self) { a, _ in B(id: a.id) }",
            messages: [undeclared + ".one(...)", "error: call can throw"]),
        Mistake(
            code: "router.on(A.self) { a, _ in try await make(a) }",
            messages: [undeclared + ".one(...)", "error: call can throw"]),
        Mistake(
            code:
                "router.on(A.self, retry: RetryPolicy.never) { a, _ in\n    try await work()\n    return B(id: a.id)\n}",
            messages: [undeclared + ".one(...)", "error: call can throw"]),
        Mistake(
            code: "router.on(A.self) { a, _ in a.id.isNone ? nil : B(id: a.id) }",
            messages: [undeclared + ".optional(...)", "error: call can throw"]),
        Mistake(
            code: "router.on(A.self) { a, _ in [B(id: a.id)] }",
            messages: [undeclared + ".many(...)", "error: call can throw"]),
        Mistake(
            code: "router.on(A.self) { a, _ in (a, B(id: a.id)) }",
            messages: [undeclared + ".all(...)", "error: call can throw"]),
        Mistake(code: "router.on(A.self, either)", messages: [undeclared + ".oneOf(...)", "error: call can throw"]),
        Mistake(
            code: "router.on(tombstonesOf: A.self) { key, _ in B(id: key) }",
            messages: [undeclared + ".one(...)", "error: call can throw"]),
        Mistake(
            code: "router.on(A.self, publishes: .one(B.self)) { a, _ in C(id: a.id) }",
            messages: ["error: cannot convert value of type 'C' to closure result type 'B'"]),
        Mistake(
            code: "router.on(A.self, publishes: .many(B.self)) { a, _ in [C(id: a.id)] }",
            messages: ["error: cannot convert value of type 'C' to expected element type 'B'"]),
        Mistake(
            code: "router.on(A.self, publishes: .oneOf(A.self, B.self)) { a, _ in .event(C(id: a.id)) }",
            messages: ["error: no exact matches in call to static method 'event'"]),
        Mistake(
            code: "router.on(A.self, publishes: .one(B.self)) { a, _ in }",
            messages: ["error: cannot convert value of type '()' to closure result type 'B'"]),
        Mistake(
            code: "router.on(A.self) { (b: B, _) in }", messages: ["error: "]),
        Mistake(
            code: "router.on(A.self, execution: .offloaded(threads: 2)) { a, _ in B(id: a.id) }",
            messages: [undeclared + ".one(...)", "error: call can throw"]),
        Mistake(
            code:
                "router.on(A.self, circuitBreaker: CircuitBreaker(), rateLimit: RateLimit(9, per: .seconds(1))) { a, _ in\n    [B(id: a.id)]\n}",
            messages: [undeclared + ".many(...)", "error: call can throw"]),
        Mistake(
            code:
                "router.on(A.self, publishes: .one(B.self), fallback: { a, _, _ in C(id: a.id) }) { a, _ in B(id: a.id) }",
            messages: ["error: cannot convert value of type 'C' to closure result type 'B'"]),
    ]

    static let rightOnes = [
        "router.on(A.self) { a, _ in try await work() }",
        "router.on(A.self) { a, _ in print(a) }",
        "router.on(A.self) { _, _ in }",
        "router.on(A.self) { _, _ in throw CancellationError() }",
        "router.on(A.self) { a, c in\n    if c.isReplay { return }\n    try await work()\n}",
        "router.on(A.self, leaf)",
        "router.on(A.self, publishes: .one(B.self)) { a, _ in try await make(a) }",
        "router.on(A.self, publishes: .optional(B.self)) { a, _ in nil }",
        "router.on(A.self, publishes: .all(A.self, B.self)) { a, _ in (a, B(id: a.id)) }",
        "router.on(A.self, publishes: .oneOf(A.self, B.self), either)",
        "router.on(tombstonesOf: A.self) { key, _ in try await work() }",
        "router.on(A.self, execution: .inline(maxConcurrent: 8)) { a, _ in try await work() }",
        "router.on(A.self, publishes: .one(B.self), execution: .offloaded(threads: 2)) { a, _ in try await make(a) }",
        "router.on(tombstonesOf: A.self, execution: .offloaded(threads: 2, maxConcurrent: 4)) { _, _ in }",
        "router.on(A.self, circuitBreaker: CircuitBreaker(failureRate: 0.2)) { a, _ in try await work() }",
        "router.on(A.self, rateLimit: RateLimit(100, per: .seconds(1), burst: 10)) { a, _ in try await work() }",
        "router.on(A.self, fallback: { a, _, error in print(error) }) { a, _ in try await work() }",
        "router.on(A.self, publishes: .one(B.self), fallback: { a, _, _ in B(id: a.id) }) { a, _ in try await make(a) }",
    ]

    @Test(arguments: mistakes) func mistakesDoNotCompile(_ mistake: Mistake) async throws {
        let (status, output) = try await typecheck(mistake.code)
        #expect(status != 0)
        for message in mistake.messages { #expect(output.contains(message), "\(output)") }
    }

    @Test(arguments: rightOnes) func whatIsRightCompilesWithoutAWarning(_ code: String) async throws {
        let (status, output) = try await typecheck(code)
        #expect(status == 0 && output.isEmpty, "\(output)")
    }

    private func typecheck(_ code: String) async throws -> (status: Int32, output: String) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("troupe-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let events = ["A", "B", "C"].map {
            """
            struct \($0): Event {
                static let type: EventType = "\($0)"
                static let topic: Topic = "t"
                var key: EventKey { id }
                let id: EventKey
            }
            """
        }
        let source = """
            import Troupe
            \(events.joined(separator: "\n"))
            func work() async throws {}
            func make(_ a: A) async throws -> B { B(id: a.id) }
            func leaf(_ a: A, _ context: EventContext) async throws {}
            func either(_ a: A, _ context: EventContext) async throws -> OneOf<A, B> { .event(a) }
            func routes() -> EventRouter {
                var router = EventRouter()
                \(code)
                return router
            }
            """
        let file = folder.appendingPathComponent("Snippet.swift")
        try source.write(to: file, atomically: true, encoding: .utf8)
        let command = [
            try #require(compiler), "-typecheck", "-swift-version", "6", "-module-cache-path",
            FileManager.default.temporaryDirectory
                .appendingPathComponent("troupe-module-cache").path, "-I", try #require(modules), "-I",
            "\(sources)/CRDKafka", file.path,
        ].map { "'\($0)'" }.joined(separator: " ")
        // Away from the tests' own threads, which other tests need meanwhile; Dispatch's are the same.
        return try await withCheckedThrowingContinuation { continuation in
            do {
                try startThread(named: "compiler") { continuation.resume(with: Result { try run("\(command) 2>&1") }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Runs a shell command to its end.
    ///
    /// By `popen`, which waits for this child alone: Foundation's `Process` waits for ever where another child has
    /// inherited the descriptor it watches.
    private func run(_ command: String) throws -> (status: Int32, output: String) {
        let stream = try #require(popen(command, "r"))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
            output.append(contentsOf: buffer[..<count])
        }
        return (pclose(stream), String(decoding: output, as: UTF8.self))
    }
}
