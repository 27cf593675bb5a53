// Why a call about a transaction failed, by what is to be done next.

import CRDKafka

/// Why a transaction did not go on, by what is to be done next.
public enum TransactionError: Error, Sendable, Hashable {
    /// The transaction failed: abort it, go back to what is committed, and begin another with the same producer.
    case abortable(KafkaError)
    /// Nothing has changed: the same call may succeed later.
    case retriable(KafkaError)
    /// The producer is done: close it and make a new one, which begins by initialising its transactions.
    ///
    /// `isFenced` says whether another producer has taken its place. The transaction may be committed all the same, and
    /// the error's `mayBePersisted` says so, when it came from a commit: what is committed is known for sure only when the
    /// new producer is initialised.
    case fatal(KafkaError)

    /// What went wrong.
    public var error: KafkaError {
        switch self {
        case .abortable(let error), .retriable(let error), .fatal(let error): error
        }
    }

    /// Whether the broker shut the producer out: another one with the same transactional id was initialised, or a
    /// transaction outlived `transaction.timeout.ms` (KIP-360, KIP-588).
    public var isFenced: Bool {
        guard case .fatal(let error) = self else { return false }
        switch rd_kafka_resp_err_t(error.code.rawValue) {
        case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
            return true
        default: return false
        }
    }
}

extension TransactionError: CustomStringConvertible {
    /// What happened and what follows, in one line.
    public var description: String {
        switch self {
        case .abortable(let error): "The transaction must be aborted: \(error)"
        case .retriable(let error): "The call can be tried again: \(error)"
        case .fatal(let error): "The transactional producer must be replaced: \(error)"
        }
    }
}

extension TransactionError {
    /// What librdkafka says of an error it returned from a call about transactions.
    struct Flags: OptionSet {
        let rawValue: UInt8
        static let fatal = Flags(rawValue: 1)
        static let requiresAbort = Flags(rawValue: 2)
        static let retriable = Flags(rawValue: 4)
    }

    /// Judges an error by its flags and the call it came from.
    ///
    /// Offsets that cannot be sent spoil the transaction and not the producer, whatever the reason: an abort takes back
    /// all that was done. What has no flag in the other calls is to be taken for fatal, as librdkafka's manual says.
    init(_ error: KafkaError, _ flags: Flags, from call: TransactionCall) {
        if flags.contains(.fatal) {
            self = .fatal(error)
        } else if flags.contains(.requiresAbort) {
            self = .abortable(error)
        } else if flags.contains(.retriable) {
            self = .retriable(error)
        } else {
            self = call == .sendOffsets ? .abortable(error) : .fatal(error)
        }
    }

    /// Takes over an error object of librdkafka's and destroys it.
    init(consuming object: OpaquePointer, from call: TransactionCall) {
        var flags: Flags = []
        if rd_kafka_error_is_fatal(object) != 0 { flags.insert(.fatal) }
        if rd_kafka_error_txn_requires_abort(object) != 0 { flags.insert(.requiresAbort) }
        if rd_kafka_error_is_retriable(object) != 0 { flags.insert(.retriable) }
        self.init(KafkaError(consuming: object, call.failure), flags, from: call)
    }
}
