// What a service tells of itself, and how often.

/// What a service tells of itself on the system topics: what it declares, that it is alive, and what each handling did.
///
/// Without these topics, or without the right to write them, a service does its work all the same, says so once, and looks
/// for them again.
public struct TrackingSettings: Sendable, Hashable {
    /// Whether the service tells anything.
    public var isEnabled = true
    /// How often an instance says that it is alive, 100 ms at least.
    ///
    /// One that has said nothing for three times as long is taken for dead.
    public var heartbeatInterval: Duration = .seconds(3)
    /// How old a report may become before it is published; a commit publishes what it covers at once.
    public var batchInterval: Duration = .milliseconds(100)
    /// How long commits wait for the reports of what they cover before tracking is suspended and they go on without.
    ///
    /// Time in which the process stands still does not count; of several standstills the longest. While an exactly-once
    /// service commits a transaction, the transaction's own time-out holds; tracking is suspended when that commit fails
    /// with reports that timed out, or that have waited for this time or half of the transaction's.
    ///
    /// More than 8 s keeps a service whose topic of tasks is down from committing when it stops
    /// (`EngineSettings.closeTimeout`).
    public var acknowledgementTimeout: Duration = .seconds(5)
    /// How long tracking is suspended at first; each time it fails again without a success between it is twice as long,
    /// up to ten minutes.
    ///
    /// Topics that are not there are looked for as often, but not more often than every 100 ms.
    public var suspension: Duration = .seconds(30)

    /// Creates the default settings.
    public init() {}

    /// Tracking that is switched off.
    public static var off: TrackingSettings {
        var settings = TrackingSettings()
        settings.isEnabled = false
        return settings
    }
}
