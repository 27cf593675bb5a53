// A log that tests can look into.

import Synchronization
import Troupe

/// Keeps every line.
final class CapturingLog: LogHandler {
    private let kept = Mutex<[LogLine]>([])

    func log(_ line: LogLine) { kept.withLock { $0.append(line) } }

    /// The lines so far.
    var lines: [LogLine] { kept.withLock { $0 } }
}
