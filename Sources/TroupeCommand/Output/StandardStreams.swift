// The console of the real process.

import Foundation

extension Console {
    /// The console on the process's own standard output and error.
    ///
    /// Colour and drawing need a terminal, a `TERM` other than `dumb`, and no `NO_COLOR` (https://no-color.org).
    static func standard(environment: [String: String]) -> Console {
        let noColor = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        func style(_ descriptor: Int32) -> Style {
            Style(
                isOn: isatty(descriptor) == 1 && environment["TERM"] != "dumb" && !noColor,
                width: StandardStreams.width(of: descriptor))
        }
        let out = style(STDOUT_FILENO)
        return Console(
            out: { StandardStreams.write($0, to: STDOUT_FILENO) },
            err: { StandardStreams.write($0, to: STDERR_FILENO) },
            isInteractive: out.isOn, style: out, errorStyle: style(STDERR_FILENO))
    }
}

/// Writes whole texts to file descriptors.
enum StandardStreams {
    /// The columns of the terminal behind a descriptor; `nil` where there is none, or it does not say.
    static func width(of descriptor: Int32) -> Int? {
        var size = winsize()
        return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
    }

    /// Writes all of `text`.
    ///
    /// When the reader has gone (`troupe tail orders | head`) there is nothing left to do: the process ends as
    /// SIGPIPE would end it, but with children and brokers let go in order by `exit`.
    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while rest.count > 0 {
                let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                } else if errno == EPIPE, descriptor == STDOUT_FILENO {
                    exit(141)
                } else if errno != EINTR && errno != EAGAIN {
                    return
                }
            }
        }
    }
}
