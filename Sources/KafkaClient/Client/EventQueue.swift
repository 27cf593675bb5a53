// The one owner of a librdkafka queue.

import CRDKafka

/// Owns one `rd_kafka_queue_t`, and keeps its client alive until it is destroyed.
final class EventQueue {
    let pointer: OpaquePointer
    private let client: ClientHandle
    private let waker: Waker?

    /// Takes over `pointer`; `waker`, if any, is signalled when the queue goes from empty to non-empty.
    init(owning pointer: OpaquePointer, of client: ClientHandle, waker: Waker?) {
        self.pointer = pointer
        self.client = client
        self.waker = waker
        waker?.watch(pointer)
    }

    deinit {
        waker?.unwatch(pointer)
        rd_kafka_queue_destroy(pointer)
    }

    /// The next event, or `nil` when there is none now.
    ///
    /// The caller destroys it.
    @inline(__always)
    func poll(milliseconds: Int32 = 0) -> OpaquePointer? { rd_kafka_queue_poll(pointer, milliseconds) }

    /// Whether nothing waits in the queue.
    var isEmpty: Bool { rd_kafka_queue_length(pointer) == 0 }
}
