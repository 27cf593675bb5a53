// Where an exactly-once service's transactions stand. A value without I/O.

/// Where an exactly-once service's transactions stand: one after the other, each with many records.
///
/// What is published outside of `open` waits for the next transaction. Only the rest of a record that is part of a
/// transaction already is let in while it closes: a record's publications are never spread over two.
struct TransactionCycle {
    /// What is being done.
    enum Stage: Equatable {
        /// The transactional id is being taken: whoever had it before is shut out, and what it left open ends.
        case initializing
        /// Taking the id failed for now; it is tried again at this monotonic time.
        case waiting(until: UInt64)
        /// No transaction is open; the next publication begins one.
        case idle
        /// A transaction takes in what is published.
        case open
        /// It is about to be committed.
        case closing
        /// It is being committed, with the offsets.
        case committing
        /// It is being aborted; everything goes back to what is committed.
        case aborting
        /// The producer is done and is to be replaced.
        case broken
    }

    private(set) var stage = Stage.initializing
    /// Counts transactions, so that it can be told which partitions have records in the present one.
    private(set) var number = 1
    /// Whether the transaction may not be committed: part of it failed, or belongs to a partition that was lost.
    private(set) var mustAbort = false
    /// The record that was published last, by its serial.
    private(set) var lastRecord: UInt64 = 0
    /// The publications in the transaction.
    private(set) var count = 0

    /// Whether the next publication of the record `serial` may go out now; for `.begin` a transaction comes first.
    func admission(of serial: UInt64) -> Admission {
        switch stage {
        case .idle: return .begin
        case .open: return mustAbort ? .wait : .admitted
        case .closing: return serial == lastRecord && !mustAbort ? .admitted : .wait
        case .initializing, .waiting, .committing, .aborting, .broken: return .wait
        }
    }

    /// What a publication has to do.
    enum Admission {
        case admitted
        case begin
        case wait
    }

    /// A transaction was begun.
    mutating func began() {
        stage = .open
        count = 0
    }

    /// A publication of the record `serial` is part of the transaction.
    mutating func admitted(_ serial: UInt64) {
        lastRecord = serial
        count += 1
    }

    /// The transaction, should one be open, must not be committed.
    ///
    /// One that is being committed is left alone: the broker decides.
    mutating func spoil() {
        switch stage {
        case .open, .closing: mustAbort = true
        case .initializing, .waiting, .idle, .committing, .aborting, .broken: break
        }
    }

    /// Whether a commit may begin.
    var mayClose: Bool { (stage == .idle || stage == .open) && !mustAbort }

    /// The transaction is to be committed.
    mutating func close() { stage = .closing }

    /// The commit is under way.
    mutating func committing() { stage = .committing }

    /// The abort is under way.
    mutating func aborting() { stage = .aborting }

    /// The transaction ended, or the transactional id was taken.
    mutating func ended() {
        stage = .idle
        number += 1
        mustAbort = false
        lastRecord = 0
        count = 0
    }

    /// The producer is done.
    mutating func broke() { stage = .broken }

    /// A new producer takes the transactional id.
    mutating func initializing() { stage = .initializing }

    /// Taking the id is tried again later.
    mutating func wait(until time: UInt64) { stage = .waiting(until: time) }
}
