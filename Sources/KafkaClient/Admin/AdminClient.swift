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
    private let makeConnection: @Sendable () throws -> Connection
    private let connection: Mutex<Connection>

    var client: ClientHandle { connection.withLock { $0.client } }

    convenience init(_ configuration: KafkaConfiguration) throws {
        let properties = try configuration.librdkafkaProperties(for: .admin)
        try self.init { try Connection(.producer, properties: properties) }
    }

    /// A client that asks for what a group has committed.
    ///
    /// It is a consumer's, though it never joins: when the coordinator has moved, librdkafka looks for the new one through
    /// the client's own group, and follows a null pointer in a client that has none (librdkafka#5040).
    convenience init(_ configuration: KafkaConfiguration, askingForOffsetsOf group: String) throws {
        let properties = try configuration.librdkafkaProperties(for: .consumer(group: group))
        try self.init { try Connection(.consumer, properties: properties) }
    }

    private init(_ makeConnection: @escaping @Sendable () throws -> Connection) throws {
        self.makeConnection = makeConnection
        connection = Mutex(try makeConnection())
    }

    deinit { connection.withLock { $0.retire() } }

    /// Whether librdkafka looks for a group's coordinator to carry an operation out.
    ///
    /// Such a request must not time out in librdkafka: when the coordinator is found after that, it touches what the
    /// request has freed and ends the process (seen in 2.0.2; an assertion in `rd_kafka_enq_once_del_source_return`). So it
    /// gets the longest time there is, the deadline is kept here, and the client is given up with the request.
    private static func asksCoordinator(_ operation: rd_kafka_admin_op_t) -> Bool {
        [
            RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, RD_KAFKA_ADMIN_OP_DELETEGROUPS,
            RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
            RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS,
        ].contains(operation)
    }

    /// Sends one request and awaits its result.
    ///
    /// `submit` gets the client, the options and the queue; it must send exactly one request.
    func call(
        _ operation: rd_kafka_admin_op_t, _ happened: String, within timeout: Duration,
        configure: (OpaquePointer) throws -> Void = { _ in },
        submit: (_ client: OpaquePointer, _ options: OpaquePointer, _ queue: OpaquePointer) throws -> Void
    ) async throws -> AdminResult {
        let keepsTime = Self.asksCoordinator(operation)
        let promise = Promise<AdminResult>()
        let (connection, id) = register(promise, deadline: keepsTime ? .now + timeout : nil)
        guard let options = rd_kafka_AdminOptions_new(connection.client.pointer, operation) else {
            _ = connection.take(id)
            throw KafkaError(.invalidArgument, "\(happened): this librdkafka does not know the request")
        }
        let result: AdminResult
        do {
            defer { rd_kafka_AdminOptions_destroy(options) }
            try Self.setTimeout(keepsTime ? Self.longestTimeout : timeout, of: options, happened)
            try configure(options)
            rd_kafka_AdminOptions_set_opaque(options, UnsafeMutableRawPointer(bitPattern: id))
            try submit(connection.client.pointer, options, connection.results.pointer)
        } catch {
            _ = connection.take(id)
            throw error
        }
        do {
            result = try await promise.value()
        } catch {
            // The caller goes, by its deadline or by cancellation; the request would stay.
            if connection.take(id) != nil, keepsTime { replace(connection) }
            guard let error = error as? KafkaError else { throw error }
            throw KafkaError(error.code, "\(happened): \(error.reason)\(connection.cause)")
        }
        let code = rd_kafka_event_error(result.event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = rd_kafka_event_error_string(result.event).map { String(cString: $0) } ?? ""
            let cause = code == RD_KAFKA_RESP_ERR__TIMED_OUT ? connection.cause : ""
            throw KafkaError(
                KafkaError.Code(code), "\(happened): \(text)\(cause)", isRetriable: KafkaError.Code(code).isRetriable)
        }
        return result
    }

    private func register(
        _ promise: Promise<AdminResult>, deadline: ContinuousClock.Instant?
    ) -> (Connection, UInt) {
        while true {
            let current = connection.withLock { $0 }
            // One that was replaced a moment ago takes no more.
            if let id = current.register(promise, deadline: deadline) { return (current, id) }
        }
    }

    /// Lets a connection go, which ends when the requests of others are answered, and takes another one.
    private func replace(_ old: Connection) {
        connection.withLock { current in
            // Without the means to make another one, the old one is better than none.
            guard current === old, let new = try? makeConnection() else { return }
            current = new
            old.retire()
        }
    }

    /// The longest time librdkafka lets a request take.
    private static let longestTimeout: Duration = .seconds(3_600)

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

    /// One librdkafka client with its result queue, and the thread that serves it.
    ///
    /// `@unchecked Sendable`: the queues are librdkafka's and may be used from any thread; the rest is locked.
    private final class Connection: @unchecked Sendable {
        struct Request {
            let promise: Promise<AdminResult>
            var deadline: ContinuousClock.Instant?
        }

        struct State {
            var pending: [UInt: Request] = [:]
            var nextID: UInt = 1
            var isRetired = false
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
            try startThread(named: "kafka-admin") { self.serve() }
        }

        /// What the client has complained of last, to be added to the error of a request without an answer.
        var cause: String { state.withLock { $0.lastError.map { ". \($0.reason)" } ?? "" } }

        /// Notes who waits for an answer, and until when, if that is to be kept here; `nil` when it is retired.
        func register(_ promise: Promise<AdminResult>, deadline: ContinuousClock.Instant?) -> UInt? {
            let id = state.withLock { state -> UInt? in
                if state.isRetired { return nil }
                let id = state.nextID
                state.nextID += 1
                state.pending[id] = Request(promise: promise, deadline: deadline)
                return id
            }
            if deadline != nil { waker.wake() }
            return id
        }

        func take(_ id: UInt) -> Promise<AdminResult>? {
            let (request, isLast) = state.withLock { state in
                (state.pending.removeValue(forKey: id), state.isRetired && state.pending.isEmpty)
            }
            if isLast { waker.wake() }
            return request?.promise
        }

        /// Ends the thread as soon as nobody waits for an answer.
        func retire() {
            state.withLock { $0.isRetired = true }
            waker.wake()
        }

        /// Runs in the thread until retired.
        ///
        /// Sleeps until librdkafka wakes it, or until a deadline.
        private func serve() {
            while true {
                if serveOnce() { continue }
                waker.prepareToSleep()
                if state.withLock({ $0.isRetired && $0.pending.isEmpty }) { return }
                let wait = expire()
                if serveOnce() { waker.cancelSleep() } else { waker.sleep(milliseconds: wait) }
            }
        }

        /// Tells those whose deadline has passed, and returns the milliseconds until the next one; -1 for none.
        private func expire() -> Int32 {
            let now = ContinuousClock.now
            let (late, next) = state.withLock { state in
                var late: [Promise<AdminResult>] = []
                var next: ContinuousClock.Instant?
                for (id, request) in state.pending {
                    guard let deadline = request.deadline else { continue }
                    if deadline <= now {
                        late.append(request.promise)
                        state.pending[id]?.deadline = nil
                    } else {
                        next = min(next ?? deadline, deadline)
                    }
                }
                return (late, next)
            }
            for promise in late {
                promise.resolve(.failure(KafkaError(.timedOut, "the group's coordinator did not answer in time")))
            }
            return next.map { Int32(clamping: ($0 - now).inMilliseconds + 1) } ?? -1
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
