// The promise of one record's outcome: most are kept before anybody asks.

import Synchronization

/// The outcome of one record, given once by the producer's thread.
///
/// A producer makes one for each record, so it is not generic and cheap while nobody waits: only a receipt that is
/// awaited before the outcome is there makes a `Promise` to wait with.
final class DeliveryPromise: Sendable {
    private enum State {
        case pending
        case awaited(Promise<DeliveredPlace>)
        case delivered(DeliveredPlace)
        case failed(any Error)
    }

    /// What there is to see for who asks.
    enum Look {
        case delivered(DeliveredPlace)
        case pending(Promise<DeliveredPlace>)
    }

    private let state = Mutex(State.pending)

    /// Gives the place; later calls have no effect.
    func resolve(_ place: DeliveredPlace) {
        let waiter = state.withLock { state -> Promise<DeliveredPlace>? in
            switch state {
            case .delivered, .failed: return nil
            case .pending:
                state = .delivered(place)
                return nil
            case .awaited(let promise):
                state = .delivered(place)
                return promise
            }
        }
        waiter?.resolve(.success(place))
    }

    /// Gives the outcome; later calls have no effect.
    func resolve(_ result: Result<DeliveredPlace, any Error>) {
        let waiter = state.withLock { state -> Promise<DeliveredPlace>? in
            let waiter: Promise<DeliveredPlace>?
            switch state {
            case .delivered, .failed: return nil
            case .pending: waiter = nil
            case .awaited(let promise): waiter = promise
            }
            switch result {
            case .success(let place): state = .delivered(place)
            case .failure(let error): state = .failed(error)
            }
            return waiter
        }
        waiter?.resolve(result)
    }

    /// The place when it is known already, or else what to wait with.
    ///
    /// - Throws: The record's error when it has failed.
    func look() throws -> Look {
        try state.withLock { state in
            switch state {
            case .delivered(let place): return .delivered(place)
            case .failed(let error): throw error
            case .awaited(let promise): return .pending(promise)
            case .pending:
                let promise = Promise<DeliveredPlace>()
                state = .awaited(promise)
                return .pending(promise)
            }
        }
    }
}
