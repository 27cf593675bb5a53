// What one instance of a service is doing, said again and again.

/// What an instance of a service says of itself on the topic `troupe.services`, at every heartbeat.
///
/// An instance that stops in order says so in a last heartbeat. One that says nothing for three intervals is taken for
/// dead.
public struct InstanceHeartbeat: Sendable, Hashable, Codable {
    /// The service's name.
    public var service: String
    /// The instance's name, which no other instance of the service has.
    public var instance: String
    /// The version of the service.
    public var version: String
    /// The fingerprint of the declaration that this instance works by.
    public var declaration: String
    /// The machine it runs on.
    public var host: String
    /// Its process's number.
    public var processID: Int32
    /// Where it can be reached, as a URL; `nil` when it cannot.
    public var endpoint: String?
    /// When it started, in milliseconds since 1970.
    public var startedAt: Int64
    /// When it said this, in milliseconds since 1970.
    public var time: Int64
    /// The milliseconds from one heartbeat to the next.
    public var intervalMilliseconds: Int64
    /// The partitions it owns, by topic.
    public var assignment: [String: [Int32]]
    /// What it has done and is doing.
    public var status: ServiceStatus

    /// Describes an instance.
    public init(
        service: String, instance: String, version: String, declaration: String, host: String, processID: Int32,
        endpoint: String?, startedAt: Int64, time: Int64, intervalMilliseconds: Int64, assignment: [String: [Int32]],
        status: ServiceStatus
    ) {
        self.service = service
        self.instance = instance
        self.version = version
        self.declaration = declaration
        self.host = host
        self.processID = processID
        self.endpoint = endpoint
        self.startedAt = startedAt
        self.time = time
        self.intervalMilliseconds = intervalMilliseconds
        self.assignment = assignment
        self.status = status
    }
}

extension InstanceHeartbeat {
    /// Whether the instance is to be taken for dead: it has not stopped in order and has said nothing for three
    /// intervals.
    ///
    /// - Parameter now: The time in milliseconds since 1970, by a clock that agrees with the instance's.
    public func isStale(at now: Int64) -> Bool {
        let (age, overflow) = now.subtractingReportingOverflow(time)
        guard status.phase != .stopped else { return false }
        return overflow || age > intervalMilliseconds.multipliedReportingOverflow(by: 3).partialValue
    }
}
