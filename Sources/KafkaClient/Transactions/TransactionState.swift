// Where a transactional producer stands: which call may come next. A value without I/O.

/// A call about transactions.
public enum TransactionCall: String, Sendable, Hashable {
    /// Taking the transactional id and shutting out whoever had it before.
    case initialize
    /// Beginning a transaction.
    case begin
    /// Making a group's offsets part of the transaction.
    case sendOffsets
    /// Committing the transaction.
    case commit
    /// Aborting the transaction.
    case abort

    /// What did not work when the call failed.
    var failure: String {
        switch self {
        case .initialize: "Initialising transactions failed"
        case .begin: "Beginning a transaction failed"
        case .sendOffsets: "Sending offsets to the transaction failed"
        case .commit: "Committing the transaction failed"
        case .abort: "Aborting the transaction failed"
        }
    }
}

/// Where a transactional producer stands.
struct TransactionState {
    enum Phase: Equatable {
        case uninitialized
        case ready
        case open
        /// The transaction failed, for this reason, and nothing but an abort can follow.
        case spoilt(KafkaError)
        /// The producer is done, for this reason.
        case done(KafkaError)
    }

    private(set) var phase = Phase.uninitialized
    private(set) var running: TransactionCall?

    /// Whether a transaction is to be aborted before the producer goes.
    var isOpen: Bool {
        switch phase {
        case .open, .spoilt: true
        case .uninitialized, .ready, .done: false
        }
    }

    /// Notes that a call starts.
    ///
    /// - Throws: `TransactionError` when an earlier error stands in the way; `KafkaError` with `.invalidState` when the
    ///   call does not come in its turn. Nothing has changed then.
    mutating func start(_ call: TransactionCall) throws {
        if let running {
            throw KafkaError(.invalidState, "\(call.failure): the producer's \(running.rawValue) has not ended yet")
        }
        if case .done(let error) = phase { throw TransactionError.fatal(error) }
        switch (call, phase) {
        case (.initialize, .uninitialized), (.begin, .ready), (.sendOffsets, .open), (.commit, .open), (.abort, .open),
            (.abort, .spoilt):
            running = call
        case (.begin, .spoilt(let error)), (.sendOffsets, .spoilt(let error)), (.commit, .spoilt(let error)):
            throw TransactionError.abortable(error)
        case (.initialize, _):
            throw KafkaError(.invalidState, "\(call.failure): they are initialised already")
        case (_, .uninitialized):
            throw KafkaError(.invalidState, "\(call.failure): transactions are not initialised")
        case (.begin, _):
            throw KafkaError(
                .invalidState, "\(call.failure): another one is under way",
                advice: "Commit or abort it first; a producer has one transaction at a time")
        case (_, _):
            throw KafkaError(.invalidState, "\(call.failure): no transaction was begun")
        }
    }

    /// Notes how the running call ended.
    mutating func end(_ error: TransactionError?) {
        let call = running
        running = nil
        switch error {
        case .fatal(let error): phase = .done(error)
        case .abortable(let error): phase = .spoilt(error)
        case .retriable: break
        case nil:
            switch call {
            case .initialize, .commit, .abort: phase = .ready
            case .begin: phase = .open
            case .sendOffsets, nil: break
            }
        }
    }
}
