// Wakes one thread that sleeps: an eventfd on Linux, a pipe elsewhere. The only platform-dependent file of the client.

import CRDKafka
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Wakes the one thread that sleeps on it, from librdkafka's threads or from Swift.
///
/// Protocol of the sleeping thread: `prepareToSleep`, look once more at everything it serves, then either
/// `cancelSleep` or `sleep`. Whoever has news for it publishes the news first and calls `wake` after.
package final class Waker: Sendable {
    private let readDescriptor: Int32
    private let writeDescriptor: Int32
    private let sleeping = Atomic<Bool>(false)

    /// Opens the descriptors.
    ///
    /// Throws when the process has none left.
    package init() throws {
        #if os(Linux)
            readDescriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
            writeDescriptor = readDescriptor
            guard readDescriptor >= 0 else { throw Self.outOfDescriptors() }
        #else
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { throw Self.outOfDescriptors() }
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
            (readDescriptor, writeDescriptor) = (ends[0], ends[1])
        #endif
    }

    deinit {
        close(readDescriptor)
        if writeDescriptor != readDescriptor { close(writeDescriptor) }
    }

    private static func outOfDescriptors() -> KafkaError {
        KafkaError(
            KafkaError.Code(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE),
            "Opening a wake-up descriptor failed: \(String(cString: strerror(errno)))",
            advice: "Raise the limit of open files (ulimit -n)")
    }

    /// Wakes the thread if it sleeps or is about to.
    ///
    /// Cheap when it is awake.
    package func wake() {
        if sleeping.exchange(false, ordering: .sequentiallyConsistent) { signal() }
    }

    private func signal() {
        var one: UInt64 = 1
        _ = write(writeDescriptor, &one, Self.signalSize)
    }

    /// The bytes one signal writes: an eventfd takes eight, a pipe one.
    private static var signalSize: Int {
        #if os(Linux)
            8
        #else
            1
        #endif
    }

    /// Announces that the thread is about to sleep, so that `wake` signals from now on.
    package func prepareToSleep() { sleeping.store(true, ordering: .sequentiallyConsistent) }

    /// Withdraws the announcement, when the last look found something to do.
    package func cancelSleep() { sleeping.store(false, ordering: .relaxed) }

    /// Sleeps until woken, at most `milliseconds`.
    package func sleep(milliseconds: Int32) {
        var descriptor = pollfd(fd: readDescriptor, events: Int16(POLLIN), revents: 0)
        let ready = poll(&descriptor, 1, milliseconds)
        sleeping.store(false, ordering: .relaxed)
        guard ready > 0 else { return }
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { bytes in
            #if os(Linux)
                _ = read(readDescriptor, bytes.baseAddress, 8)
            #else
                while read(readDescriptor, bytes.baseAddress, bytes.count) == bytes.count {}
            #endif
        }
    }

    /// Has librdkafka signal this waker whenever `queue` goes from empty to non-empty.
    ///
    /// It fires once for that change: drain the queue fully before sleeping.
    func watch(_ queue: OpaquePointer) {
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(queue, writeDescriptor, &one, Self.signalSize)
    }

    /// Ends `watch`.
    func unwatch(_ queue: OpaquePointer) { rd_kafka_queue_io_event_enable(queue, -1, nil, 0) }
}
