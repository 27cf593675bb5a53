// The log handler that writes to standard error.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes each line to standard error at once.
public struct StandardErrorLogHandler: LogHandler {
    /// How lines are written.
    public let format: LogFormat

    /// Creates a handler that writes lines in `format`.
    public init(format: LogFormat) { self.format = format }

    /// Writes the line.
    public func log(_ line: LogLine) {
        var text = format.render(line, milliseconds: WallClock.milliseconds())
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = write(STDERR_FILENO, rest.baseAddress, rest.count)
                if written < 0 && errno == EINTR { continue }
                // A log that cannot be written must not stop the service.
                guard written > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}

/// The time of day.
package enum WallClock {
    /// Milliseconds since 1970.
    package static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
