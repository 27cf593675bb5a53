// The flow store: a SQLite file with everything that was read of flows.

internal import SQLite

/// Everything that is known of flows, in a SQLite file.
///
/// A `FlowTracker` writes it; any number of readers, also in other processes, read it meanwhile. Calls block their
/// thread for the time of a query.
public final class FlowStore: Sendable {
    /// Whether a store is written or only read.
    public enum Mode: Sendable {
        /// Creates the file when it is missing, and brings an older one up to date.
        case readWrite
        /// Reads only; the file must exist.
        case readOnly
    }

    /// The path of the file; `:memory:` for a store that lives as long as this value.
    public let path: String
    /// What is written, and read by the writer.
    let writer: Database
    /// What everybody else reads by, so that nobody waits for the writer.
    let reader: Database

    /// Opens the store.
    ///
    /// - Throws: `SQLiteError`, with `.newerSchema` for a file of a newer version of Troupe.
    public init(path: String, mode: Mode = .readWrite) throws {
        self.path = path
        switch mode {
        case .readWrite:
            writer = try Database(path: path)
            try writer.read { connection in
                // Lets retention give pages back; a new file takes it by being vacuumed while it is empty.
                if try connection.schemaVersion == 0 {
                    try connection.executeScript("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")
                }
                try connection.executeScript("PRAGMA cache_size = -65536;")
            }
            try writer.migrate(FlowSchema.migrations)
            reader = path == ":memory:" ? writer : try Database(path: path, mode: .readOnly)
        case .readOnly:
            reader = try Database(path: path, mode: .readOnly)
            writer = reader
            let version = try reader.read { try $0.schemaVersion }
            guard version == FlowSchema.migrations.count else {
                throw SQLiteError(
                    version > FlowSchema.migrations.count ? .newerSchema : .misuse,
                    "The file is a flow store of version \(version), this program reads "
                        + "\(FlowSchema.migrations.count)", path: path)
            }
        }
    }
}
