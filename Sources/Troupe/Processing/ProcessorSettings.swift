// What a service may set about processing.

/// What a service may set about how its records are processed.
package struct ProcessorSettings: Sendable {
    /// What happens to events whose type no route names.
    package enum UnroutedEvents: Sendable, Hashable {
        /// They are skipped, and counted.
        case skip
        /// They are dead-lettered.
        case deadLetter
    }

    /// What is put before the name of every topic, group and transactional id.
    package var namespace = ""
    /// The consumer group, when it is another than the service's name.
    package var consumerGroup: String?
    /// What happens to events whose type no route names.
    package var unroutedEvents = UnroutedEvents.skip
    /// Delays up to this one are waited for in place; longer ones in the retry topic.
    package var inPlaceRetryLimit: Duration = .seconds(1)
    /// Names of headers whose values are not written to dead-letter topics; case makes no difference.
    package var redactedHeaders: Set<String> = []
    /// The most bytes of a published record on the wire; retry records and dead letters may have 64 KiB more.
    package var maxMessageBytes = KafkaLimits.maxMessageBytes
    /// Where values go that are too large for records; `nil` for nowhere.
    package var claimCheck: ClaimCheckPolicy?
    /// What is wrapped around every handling, the outermost first.
    package var middleware: [any EventMiddleware] = []
    /// Where log lines go.
    package var logger = Logger(label: "troupe", handler: SilentLogHandler())
    /// The time of day in milliseconds since 1970.
    package var now: @Sendable () -> Int64 = WallClock.milliseconds
    /// How time limits wait.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// Watches what becomes of each record; `nil` for nobody.
    package var observer: (any ProcessingObserver)?
    /// The source of span ids, new ids and jitter.
    package var random = FastRandom()

    /// The settings of a service that sets nothing.
    package init() {}
}
