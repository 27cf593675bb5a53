// What is wrapped around a handling.

import KafkaClient
import Synchronization
import Testing

@testable import Troupe

private struct Tracing: EventMiddleware {
    let name: String
    let log: TraceLog
    func handle(_ context: EventContext, next: @escaping Next) async throws {
        log.add("\(name) in")
        do { try await next(context) } catch {
            log.add("\(name) failed")
            throw error
        }
        log.add("\(name) out")
    }
}

private struct Swallowing: EventMiddleware {
    func handle(_ context: EventContext, next: @escaping Next) async throws {}
}

private final class TraceLog: Sendable {
    private let recorded = Mutex<[String]>([])
    var all: [String] { recorded.withLock { $0 } }
    func add(_ text: String) { recorded.withLock { $0.append(text) } }
}

@Suite struct MiddlewareTests {
    private func router(timeLimit: Duration? = nil, _ log: TraceLog, _ fails: Bool = false) -> EventRouter {
        var router = EventRouter()
        router.on(OrderPlaced.self, publishes: .one(StockReserved.self), timeLimit: timeLimit) { order, _ in
            log.add("handler")
            if fails { throw InvalidOrder() }
            return StockReserved(orderID: order.orderID)
        }
        return router
    }

    @Test func theFirstIsTheOutermost() async throws {
        let log = TraceLog()
        let settings = ProcessorSettings.fixed {
            $0.middleware = [Tracing(name: "a", log: log), Tracing(name: "b", log: log)]
        }
        let processor = try RecordProcessor(service: "inventory", router: router(log), settings: settings)
        #expect(try await processor.run(eventRecord()).count == 1)
        #expect(log.all == ["a in", "b in", "handler", "b out", "a out"])
    }

    @Test func errorsPassThrough() async throws {
        let log = TraceLog()
        let settings = ProcessorSettings.fixed { $0.middleware = [Tracing(name: "a", log: log)] }
        let processor = try RecordProcessor(service: "inventory", router: router(log, true), settings: settings)
        await #expect(throws: InvalidOrder.self) { try await processor.run(eventRecord()) }
        #expect(log.all == ["a in", "handler", "a failed"])
    }

    @Test func whatNeverCallsNextPublishesNothing() async throws {
        let log = TraceLog()
        let settings = ProcessorSettings.fixed { $0.middleware = [Swallowing()] }
        let processor = try RecordProcessor(service: "inventory", router: router(log), settings: settings)
        #expect(try await processor.run(eventRecord()).isEmpty)
        #expect(log.all.isEmpty)
    }

    @Test func loggingSaysWhatWasHandledAndWhatFailed() async throws {
        let recorder = LogRecorder()
        for fails in [false, true] {
            let settings = ProcessorSettings.fixed {
                $0.middleware = [LoggingMiddleware(level: .info)]
                $0.logger = Logger(label: "l", handler: recorder)
            }
            let processor = try RecordProcessor(
                service: "inventory", router: router(TraceLog(), fails), settings: settings)
            _ = try? await processor.run(eventRecord())
        }
        #expect(recorder.lines.map(\.message) == ["Handled", "Failed"])
        #expect(recorder.lines[1].metadata["error_type"] == "TroupeTests.InvalidOrder")
        #expect(
            recorder.lines.allSatisfy {
                $0.metadata["route"] == "shop.order.placed" && $0.metadata["duration_ms"] != nil
            })
    }

    @Test func aHandlerWithinItsTimeIsLeftAlone() async throws {
        let settings = ProcessorSettings.fixed { $0.sleep = { _ in try await Task.sleep(for: .seconds(3600)) } }
        let processor = try RecordProcessor(
            service: "inventory", router: router(timeLimit: .seconds(5), TraceLog()), settings: settings)
        #expect(try await processor.run(eventRecord()).count == 1)
    }

    @Test func aSlowHandlerIsCancelledAndItsRouteNamed() async throws {
        var router = EventRouter(timeLimit: .seconds(5))
        let cancelled = TraceLog()
        router.on(OrderPlaced.self) { _, _ in
            do { try await Task.sleep(for: .seconds(3600)) } catch {
                cancelled.add("cancelled")
                throw error
            }
        }
        let settings = ProcessorSettings.fixed { $0.sleep = { #expect($0 == .seconds(5)) } }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: settings)
        let failure = await #expect(throws: HandlerTimedOut.self) { try await processor.run(eventRecord()) }
        #expect(
            failure?.description == "The handler of shop.order.placed took longer than its time limit of 5.0 seconds")
        #expect(cancelled.all == ["cancelled"])
    }
}
