// What a shell command writes.

import Foundation
import Testing

/// Runs a shell command to its end.
///
/// By `popen`, which waits for this child alone: Foundation's `Process` waits for ever where another child has inherited
/// the descriptor it watches.
func outputOfShell(_ command: String) throws -> (status: Int32, output: String) {
    let stream = try #require(popen(command, "r"))
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
        output.append(contentsOf: buffer[..<count])
    }
    return (pclose(stream), String(decoding: output, as: UTF8.self))
}
