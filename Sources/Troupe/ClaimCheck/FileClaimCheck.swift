// A claim check of files in a directory that all services share.

import KafkaClient
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps large values as files in one directory, such as a network volume that every service mounts.
///
/// A file is named after its event's id and is there whole or not at all: it is written beside and moved into place after
/// it has reached the disk. A reference that is anything but such a name is refused, so that no record can have another
/// file read. Files are never removed: let a job delete those older than every topic keeps its records.
///
/// A store writes and reads at most 256 files at a time, each on a thread of its own; on a volume that hangs further calls
/// fail, and their handlings are tried again as their routes say.
public struct FileClaimCheck: ClaimCheck {
    /// The directory's path.
    public let directory: String
    private static let maxNameBytes = 200
    private let calls: Calls

    /// Uses the directory at `directory`, which must exist.
    public init(directory: String) { self.init(directory: directory, maxCalls: 256) }

    /// Uses the directory, and writes and reads no more files at a time than `maxCalls`.
    init(directory: String, maxCalls: Int) {
        self.directory = directory
        calls = Calls(limit: maxCalls)
    }

    /// Writes `bytes` to the event's file and returns its name.
    public func store(_ bytes: [UInt8], eventID: String) async throws -> String {
        let name = eventID + ".value"
        try Self.check(name)
        let place = "\(directory)/\(name)"
        try await onThread(place) {
            // Another attempt may be writing the same file at this time.
            let beside = "\(place).\(getpid())-\(UInt64.random(in: 0 ... .max))"
            do {
                try Self.write(bytes, to: beside)
                guard rename(beside, place) == 0 else { throw FileError("cannot be put into place", place) }
            } catch {
                unlink(beside)
                throw error
            }
        }
        return name
    }

    /// Reads the file called `reference`.
    public func fetch(_ reference: String) async throws -> [UInt8] {
        try Self.check(reference)
        let place = "\(directory)/\(reference)"
        return try await onThread(place) {
            let descriptor = open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { throw FileError("cannot be opened", place) }
            defer { close(descriptor) }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 18)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw FileError("cannot be read", place) }
                if count == 0 { return bytes }
                bytes += buffer[..<count]
            }
        }
    }

    /// Refuses what is no file name of a claim's: a reference may come from anybody.
    private static func check(_ name: String) throws {
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isName, name.hasSuffix(".value"), !name.hasPrefix("."), name.utf8.count <= maxNameBytes else {
            throw ClaimCheckError("The claim check's reference is no name of a file that this store has written")
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw FileError("cannot be created", path) }
        defer { close(descriptor) }
        try bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
                #if canImport(Glibc)
                    let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                #else
                    let count = Darwin.write(descriptor, rest.baseAddress, rest.count)
                #endif
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw FileError("cannot be written", path) }
                written += count
            }
        }
        guard fsync(descriptor) == 0 else { throw FileError("cannot be brought to the disk", path) }
    }

    /// How many files are being written or read, whether somebody still waits for them or not.
    private final class Calls: Sendable {
        let limit: Int
        let count = Atomic<Int>(0)

        init(limit: Int) { self.limit = limit }
    }

    /// One of them, until its thread has ended.
    private final class Call: Sendable {
        private let calls: Calls

        init(_ calls: Calls) { self.calls = calls }

        deinit { calls.count.wrappingSubtract(1, ordering: .relaxed) }
    }

    /// Does what may block on a thread of its own: a volume that hangs holds up nothing else, and takes a bounded number of
    /// threads.
    private func onThread<Value: Sendable>(
        _ place: String, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let count = calls.count.wrappingAdd(1, ordering: .relaxed).newValue
        let call = Call(calls)
        guard count <= calls.limit else { throw FileError(waiting: place, calls.limit) }
        return try await runBlocking(named: "claim-check") { try withExtendedLifetime(call, work) }
    }

    /// A file operation failed; tried again like any other failure of a handling.
    private struct FileError: Error, CustomStringConvertible {
        let description: String

        init(_ what: String, _ path: String) {
            description = "The file \(path) \(what): \(String(cString: strerror(errno)))"
        }

        init(waiting path: String, _ count: Int) {
            description =
                "The file \(path) is not touched: \(count) others are being written or read; does the volume hang?"
        }
    }
}
