// The outcomes of records that were sent one after another: many to an object, and most are known before anybody asks.

import Synchronization

/// The outcomes of up to 64 records, each given once by the producer's thread.
///
/// One object for many records, and one lock for all outcomes that a batch of reports has for it. Only a receipt that
/// is awaited before its outcome is known makes a `Promise` to wait with.
final class DeliveryBlock: Sendable {
    /// How many records share a block.
    static let size = 64

    /// What there is to see for who asks.
    enum Look {
        case delivered(DeliveredPlace)
        case pending(Promise<DeliveredPlace>)
    }

    /// Where a record stands; plain bytes.
    private enum Standing {
        case pending
        case delivered(DeliveredPlace)
        /// `exceptions` says more.
        case exceptional
    }

    private enum Exception {
        case awaited(Promise<DeliveredPlace>)
        case failed(any Error)
    }

    private struct State {
        var standings = [Standing](repeating: .pending, count: DeliveryBlock.size)
        /// What is rare, by place in the block.
        var exceptions: [Int: Exception] = [:]
    }

    private let state = Mutex(State())

    /// Gives the outcomes of `reports`, of which only those of this block may be among; later calls have no effect.
    func resolve(_ reports: ArraySlice<DeliveredRecord>) {
        var waiters: [(Promise<DeliveredPlace>, DeliveredPlace)] = []
        state.withLock { state in
            for report in reports {
                let slot = report.number.slot
                switch state.standings[slot] {
                case .pending: break
                case .delivered: continue
                case .exceptional:
                    guard case .awaited(let waiter)? = state.exceptions[slot] else { continue }
                    state.exceptions[slot] = nil
                    waiters.append((waiter, report.place))
                }
                state.standings[slot] = .delivered(report.place)
            }
        }
        for (waiter, place) in waiters { waiter.resolve(.success(place)) }
    }

    /// Gives the record at `slot` its error; later calls have no effect.
    func fail(_ slot: Int, _ error: any Error) {
        let waiter = state.withLock { state -> Promise<DeliveredPlace>? in
            switch state.standings[slot] {
            case .delivered: return nil
            case .pending, .exceptional:
                let known = state.exceptions[slot]
                if case .failed? = known { return nil }
                state.standings[slot] = .exceptional
                state.exceptions[slot] = .failed(error)
                if case .awaited(let promise)? = known { return promise }
                return nil
            }
        }
        waiter?.resolve(.failure(error))
    }

    /// The place of the record at `slot` when it is known already, or else what to wait with.
    ///
    /// - Throws: The record's error when it has failed.
    func look(at slot: Int) throws -> Look {
        try state.withLock { state in
            switch state.standings[slot] {
            case .delivered(let place): return .delivered(place)
            case .exceptional:
                switch state.exceptions[slot] {
                case .awaited(let promise)?: return .pending(promise)
                case .failed(let error)?: throw error
                case nil: break
                }
            case .pending: break
            }
            let promise = Promise<DeliveredPlace>()
            state.standings[slot] = .exceptional
            state.exceptions[slot] = .awaited(promise)
            return .pending(promise)
        }
    }
}

/// The number a record goes by between its sending and its report; never 0.
struct SendNumber: Sendable, Hashable {
    /// What travels with the record.
    let opaque: UInt

    /// Reads a number from what travelled with a record.
    init(opaque: UInt) { self.opaque = opaque }

    /// The number of the record at `slot` of the block at `index`.
    init(block index: Int, slot: Int) { opaque = UInt(index * DeliveryBlock.size + slot + 1) }

    /// The index of the record's block.
    var block: Int { Int(opaque &- 1) / DeliveryBlock.size }
    /// The record's place in its block.
    var slot: Int { Int((opaque &- 1) % UInt(DeliveryBlock.size)) }
}

/// A record that was acknowledged.
struct DeliveredRecord {
    let number: SendNumber
    let place: DeliveredPlace
}
