// Carries out admin requests: one librdkafka client, one result queue, one thread that hands out the results.

import CRDKafka
import Synchronization

/// A result of librdkafka's, destroyed with its last owner.
///
/// `@unchecked Sendable`: the event is only read once it was taken from the queue.
final class AdminResult: @unchecked Sendable {
    let event: OpaquePointer

    init(owning event: OpaquePointer) { self.event = event }

    deinit { rd_kafka_event_destroy(event) }
}

/// Sends admin requests and awaits their results, which its thread takes from the queue when librdkafka wakes it.
final class AdminClient: Sendable {
    private let shared: Shared

    var client: ClientHandle { shared.client }

    convenience init(_ configuration: KafkaConfiguration) throws {
        try self.init(Shared(.producer, properties: configuration.librdkafkaProperties(for: .admin)))
    }

    /// A client that asks for what a group has committed.
    ///
    /// It is a consumer's, though it never joins: when the coordinator has moved, librdkafka looks for the new one through
    /// the client's own group, and follows a null pointer in a client that has none (librdkafka#5040).
    convenience init(_ configuration: KafkaConfiguration, askingForOffsetsOf group: String) throws {
        try self.init(Shared(.consumer, properties: configuration.librdkafkaProperties(for: .consumer(group: group))))
    }

    private init(_ shared: Shared) throws {
        self.shared = shared
        try startThread(named: "kafka-admin") { shared.serve() }
    }

    deinit { shared.stop() }

    /// Sends one request and awaits its result.
    ///
    /// `submit` gets the client, the options and the queue; it must send exactly one request.
    func call(
        _ operation: rd_kafka_admin_op_t, _ happened: String, within timeout: Duration,
        configure: (OpaquePointer) throws -> Void = { _ in },
        submit: (_ client: OpaquePointer, _ options: OpaquePointer, _ queue: OpaquePointer) throws -> Void
    ) async throws -> AdminResult {
        guard let options = rd_kafka_AdminOptions_new(client.pointer, operation) else {
            throw KafkaError(.invalidArgument, "\(happened): this librdkafka does not know the request")
        }
        let promise = Promise<AdminResult>()
        do {
            defer { rd_kafka_AdminOptions_destroy(options) }
            try Self.setTimeout(timeout, of: options, happened)
            try configure(options)
            let id = shared.register(promise)
            rd_kafka_AdminOptions_set_opaque(options, UnsafeMutableRawPointer(bitPattern: id))
            do {
                try submit(client.pointer, options, shared.results.pointer)
            } catch {
                _ = shared.take(id)
                throw error
            }
        }
        let result = try await promise.value()
        let code = rd_kafka_event_error(result.event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = rd_kafka_event_error_string(result.event).map { String(cString: $0) } ?? ""
            let cause = code == RD_KAFKA_RESP_ERR__TIMED_OUT ? shared.lastError.map { ". \($0.reason)" } ?? "" : ""
            throw KafkaError(
                KafkaError.Code(code), "\(happened): \(text)\(cause)", isRetriable: KafkaError.Code(code).isRetriable)
        }
        return result
    }

    /// Sets how long a request may take.
    static func setTimeout(_ timeout: Duration, of options: OpaquePointer, _ happened: String) throws {
        let milliseconds = Int32(clamping: min(max(timeout.inMilliseconds, 1), 3_600_000))
        try check(happened) {
            rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, $0.baseAddress, $0.count)
        }
    }

    /// Sets whether offsets that a transaction is about to change are an error (KIP-447).
    static func setRequireStable(_ isRequired: Bool, of options: OpaquePointer, _ happened: String) throws {
        guard isRequired else { return }
        if let error = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1) {
            throw KafkaError(consuming: error, happened)
        }
    }

    /// Throws what a call that reports errors as a code and a text reports.
    static func check(
        _ happened: String, _ body: (UnsafeMutableBufferPointer<CChar>) -> rd_kafka_resp_err_t
    ) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
            text.initialize(repeating: 0)
            let code = body(text)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
            let reason = text.baseAddress.map { String(cString: $0) } ?? ""
            throw KafkaError(KafkaError.Code(code), "\(happened): \(reason)")
        }
    }

    /// What the thread and the callers share.
    ///
    /// `@unchecked Sendable`: the queues are librdkafka's and may be used from any thread; the rest is locked.
    private final class Shared: @unchecked Sendable {
        struct State {
            var pending: [UInt: Promise<AdminResult>] = [:]
            var nextID: UInt = 1
            var isStopped = false
            var lastError: KafkaError?
        }

        let client: ClientHandle
        let results: EventQueue
        private let main: EventQueue
        private let waker: Waker
        private let state = Mutex(State())

        init(_ kind: ClientHandle.Kind, properties: [(String, String)]) throws {
            client = try ClientHandle(kind, properties: properties, events: RD_KAFKA_EVENT_ERROR)
            waker = try Waker()
            guard let results = rd_kafka_queue_new(client.pointer), let main = rd_kafka_queue_get_main(client.pointer)
            else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "The admin client has no queue") }
            self.results = EventQueue(owning: results, of: client, waker: waker)
            self.main = EventQueue(owning: main, of: client, waker: waker)
        }

        var lastError: KafkaError? { state.withLock { $0.lastError } }

        func register(_ promise: Promise<AdminResult>) -> UInt {
            state.withLock { state in
                let id = state.nextID
                state.nextID += 1
                state.pending[id] = promise
                return id
            }
        }

        func take(_ id: UInt) -> Promise<AdminResult>? { state.withLock { $0.pending.removeValue(forKey: id) } }

        func stop() {
            state.withLock { $0.isStopped = true }
            waker.wake()
        }

        /// Runs in the thread until `stop`.
        ///
        /// Sleeps until librdkafka wakes it.
        func serve() {
            while true {
                if serveOnce() { continue }
                waker.prepareToSleep()
                if state.withLock({ $0.isStopped }) { return }
                if serveOnce() { waker.cancelSleep() } else { waker.sleep(milliseconds: -1) }
            }
        }

        private func serveOnce() -> Bool {
            var isBusy = false
            while let event = results.poll() {
                isBusy = true
                let result = AdminResult(owning: event)
                take(UInt(bitPattern: rd_kafka_event_opaque(event)))?.resolve(.success(result))
            }
            while let event = main.poll() {
                isBusy = true
                defer { rd_kafka_event_destroy(event) }
                guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { continue }
                let error = KafkaError(event: event, client: client.pointer)
                if error.code != .allBrokersDown { state.withLock { $0.lastError = error } }
            }
            return isBusy
        }
    }
}

/// Owns the objects a request is made of, which librdkafka copies, and destroys them.
struct RequestObjects: ~Copyable {
    private var pointers: [OpaquePointer?] = []
    private let destroy: (OpaquePointer) -> Void

    init(destroy: @escaping (OpaquePointer) -> Void) { self.destroy = destroy }

    deinit { for case let pointer? in pointers { destroy(pointer) } }

    mutating func append(owning pointer: OpaquePointer) { pointers.append(pointer) }

    mutating func withArray<Result>(_ body: (UnsafeMutablePointer<OpaquePointer?>?, Int) -> Result) -> Result {
        pointers.withUnsafeMutableBufferPointer { body($0.baseAddress, $0.count) }
    }
}

/// Reads an array of pointers as librdkafka's result accessors return them.
func resultItems(_ read: (UnsafeMutablePointer<Int>) -> UnsafeMutablePointer<OpaquePointer?>?) -> [OpaquePointer] {
    var count = 0
    guard let items = read(&count) else { return [] }
    return (0..<count).compactMap { items[$0] }
}
