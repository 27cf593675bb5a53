// When a time limit is over: limits may be as long as a duration can be.

import Troupe

/// When a time limit that begins now is over, in milliseconds of `monotonicMilliseconds()`; `Int64.max`, which is never,
/// when that lies further away than can be told.
func deadline(in limit: Duration) -> Int64 {
    let (deadline, overflow) = monotonicMilliseconds().addingReportingOverflow(limit.milliseconds)
    return overflow ? .max : deadline
}
