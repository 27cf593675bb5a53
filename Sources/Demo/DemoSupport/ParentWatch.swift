// Ends a demo service when the process that started it has gone, however that one ended.

import Foundation

/// Watches the pipe that a parent keeps open as long as it lives.
enum ParentWatch {
    /// Ends this process, at once, when standard input is closed.
    ///
    /// A parent that is killed cannot end its children, but the kernel closes its end of the pipe.
    static func start() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { _exit(0) }
            }
        }
    }
}
