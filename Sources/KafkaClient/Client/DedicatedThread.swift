// Starts a thread of our own.

import CRDKafka

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Starts a thread that runs `body` to its end, detached.
///
/// Throws when the system has no thread left.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws {
    final class Body {
        let run: @Sendable () -> Void
        let name: String
        init(_ run: @escaping @Sendable () -> Void, _ name: String) {
            self.run = run
            self.name = name
        }
    }
    let boxed = Unmanaged.passRetained(Body(body, name))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Handlers run here: give them the stack of a main thread, 8 MiB, of which only what is touched is used.
    pthread_attr_setstacksize(&attributes, 8 << 20)
    #if canImport(Darwin)
        var thread: pthread_t?
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                body.run()
                return nil
            }, boxed.toOpaque())
    #else
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                troupe_name_thread(body.name)
                body.run()
                return nil
            }, boxed.toOpaque())
    #endif
    guard result == 0 else {
        boxed.release()
        throw KafkaError(
            KafkaError.Code(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE),
            "Starting a thread failed: \(String(cString: strerror(result)))",
            advice: "Raise the limit of threads (ulimit -u)")
    }
}
