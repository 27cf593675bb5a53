// Where the payload of a published event comes from.

import Foundation

/// Where the payload comes from.
enum PayloadSource: Sendable, Equatable {
    case text(String)
    case file(String)
    case standardInput

    init(argument: String?, data: String?, file: String?) throws(UsageError) {
        guard [argument, data, file].count(where: { $0 != nil }) <= 1 else {
            throw UsageError("The payload is given twice: choose one of DATA, --data and --file")
        }
        if let text = argument ?? data {
            self = .text(text)
        } else if let file, file != "-" {
            self = .file(file)
        } else {
            self = .standardInput
        }
    }

    /// The bytes.
    func read(_ console: Console) throws -> [UInt8] {
        switch self {
        case .text(let text): return Array(text.utf8)
        case .file(let path):
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure("The file \(path.printable) cannot be read")
            }
            return Array(data)
        case .standardInput:
            if isatty(STDIN_FILENO) == 1 {
                console.note("Reading the payload from standard input; end it with Ctrl-D.")
            }
            return Array(try FileHandle.standardInput.readToEnd() ?? Data())
        }
    }
}
