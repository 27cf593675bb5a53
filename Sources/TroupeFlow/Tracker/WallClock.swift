// The one place of the module that looks at a clock.

import Foundation

/// The time, in milliseconds since 1970.
func wallMilliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
