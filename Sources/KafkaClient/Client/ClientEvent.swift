// What any client's queue may deliver beside records: errors, log lines, statistics.

import CRDKafka

/// One log line of librdkafka's.
public struct ClientLog: Sendable, Hashable {
    /// Syslog's severity: 0 (emergency) to 7 (debug).
    public var severity: Int
    /// librdkafka's name of the concern, such as `FAIL` or `GROUP`.
    public var facility: String
    /// The line itself.
    public var message: String

    init?(_ event: OpaquePointer) {
        var facility: UnsafePointer<CChar>?
        var message: UnsafePointer<CChar>?
        var level: Int32 = 0
        guard rd_kafka_event_log(event, &facility, &message, &level) == 0, let facility, let message else { return nil }
        self.severity = Int(level)
        self.facility = String(cString: facility)
        self.message = String(cString: message)
    }
}

extension KafkaError {
    /// The error an event carries.
    init(event: OpaquePointer, client: OpaquePointer) {
        var code = rd_kafka_event_error(event)
        var reason = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? ""
        if code == RD_KAFKA_RESP_ERR__FATAL {
            // The event may only say "fatal": the cause is asked for.
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
                text.initialize(repeating: 0)
                code = rd_kafka_fatal_error(client, text.baseAddress, 512)
                if let start = text.baseAddress { reason = String(cString: start) }
            }
        }
        let isFatal =
            rd_kafka_event_error_is_fatal(event) != 0
            || (code != RD_KAFKA_RESP_ERR_NO_ERROR && code == rd_kafka_fatal_error(client, nil, 0))
        self.init(Code(code), reason, isRetriable: !isFatal && Code(code).isRetriable, isFatal: isFatal)
    }
}
