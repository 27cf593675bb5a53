// A time-out that races with the answer.

import Synchronization
import Testing

@testable import TroupeWeb

@Suite struct ExchangeTests {
    /// An exchange of no connection: it must not be resumed.
    private func exchange(_ phase: Exchange.Phase, deadline: Int64) throws -> Exchange {
        let pointer = try #require(OpaquePointer(bitPattern: 8))
        let exchange = Exchange(ConnectionPointer(pointer: pointer), client: nil, target: "/")
        exchange.state.withLock {
            $0.phase = phase
            $0.deadline = deadline
        }
        return exchange
    }

    @Test func aTimeOutLeavesAnAnswerThatCameBeforeItAlone() async throws {
        // The deadline was seen while the handler was at it; now its answer is a stream with a task of its own.
        let exchange = try exchange(.answered, deadline: 10)
        let stream = Task { while !Task.isCancelled { await Task.yield() } }
        exchange.keep(stream)
        exchange.expire(at: 20, HTTPResponse(.serviceUnavailable))
        #expect(!stream.isCancelled)
        stream.cancel()
        await stream.value
    }

    @Test func aTimeOutWaitsForItsDeadline() throws {
        let exchange = try exchange(.handling(isHead: false), deadline: 10)
        exchange.expire(at: 9, HTTPResponse(.serviceUnavailable))
        let isHandling = exchange.state.withLock { state in if case .handling = state.phase { true } else { false } }
        #expect(isHandling)
    }

    @Test func aResumptionIsCountedUntilItReturns() throws {
        let resumptions = Resumptions()
        let pointer = try #require(OpaquePointer(bitPattern: 8))
        #expect(resumptions.isIdle)
        resumptions.resume(ConnectionPointer(pointer: pointer)) {
            #expect(!resumptions.isIdle)
            return false
        }
        #expect(resumptions.isIdle)
    }
}
