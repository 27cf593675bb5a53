// Tells whoever started a service how it is doing.

import Foundation
import Troupe

/// Writes a service's status to a file descriptor, one JSON object a line, twice a second.
struct StatusReporter: Sendable {
    private let service: EventService
    private let descriptor: Int32

    init(_ service: EventService, descriptor: Int32) {
        self.service = service
        self.descriptor = descriptor
    }

    /// Reports until the task is cancelled or nobody reads any more.
    func run() async throws {
        let encoder = JSONEncoder()
        while true {
            let line = try encoder.encode(service.status) + Data("\n".utf8)
            // A line is shorter than a pipe's atomic write, so there is no half of one to go on with.
            let written = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno != EAGAIN && errno != EINTR { return }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
