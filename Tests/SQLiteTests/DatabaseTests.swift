// What a database promises within one process.

import Foundation
import SQLite
import Testing

/// A directory of its own for one test, removed with it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "troupe-sqlite-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

@Suite struct DatabaseTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func items() throws -> Database {
        let database = try Database(path: directory.file("items.db"))
        try database.migrate([
            Migration("items", "CREATE TABLE items (name TEXT PRIMARY KEY, count INTEGER CHECK (count >= 0))")
        ])
        return database
    }

    private func names(_ database: Database) throws -> [String] {
        try database.read { try $0.query("SELECT name FROM items ORDER BY name") { try $0.get(0) } }
    }

    @Test func everyTypeOfValueComesBackAsItWasBound() throws {
        let database = try Database(path: ":memory:")
        let bytes: [UInt8] = [0, 255, 1]
        let values = try database.read { connection in
            try connection.execute("CREATE TABLE t (a, b, c, d, e, f, g, h)")
            try connection.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", Int64.min, 1.5, "naïve \u{0} text", bytes,
                String?.none,
                true, "", [UInt8]())
            return try connection.first("SELECT * FROM t") { row in
                try (0..<row.columnCount).map { try row.get($0, as: Value.self) }
            }
        }
        #expect(
            values == [
                .integer(.min), .real(1.5), .text("naïve \u{0} text"), .blob(bytes), .null, .integer(1), .text(""),
                .blob([]),
            ])
    }

    @Test func aColumnIsReadAsTheTypeThatIsAskedFor() throws {
        let connection = try Database(path: ":memory:")
        func read<T: ValueConvertible>(_ sql: String, as type: T.Type) throws -> T? {
            try connection.read { try $0.first(sql) { try $0.get(0, as: T.self) } }
        }
        #expect(try read("SELECT 7", as: Int.self) == 7)
        #expect(try read("SELECT 1", as: Bool.self) == true)
        #expect(try read("SELECT 7", as: Double.self) == 7)
        #expect(try read("SELECT x'00ff'", as: [UInt8]?.self) == .some([0, 255]))
        #expect(try read("SELECT NULL", as: String?.self) == .some(.none))
        #expect(try read("SELECT 'x' WHERE 0", as: String.self) == nil)
        #expect(throws: SQLiteError.self) { try read("SELECT NULL", as: String.self) }
        #expect(throws: SQLiteError.self) { try read("SELECT 'x'", as: Int?.self) }
    }

    @Test func aTransactionThatThrowsChangesNothing() throws {
        struct Stop: Error {}
        let database = try items()
        #expect(throws: Stop.self) {
            try database.transaction { connection in
                try connection.execute("INSERT INTO items VALUES ('a', 1)")
                throw Stop()
            }
        }
        #expect(try names(database) == [])
        try database.transaction { try $0.execute("INSERT INTO items VALUES ('b', 1)") }
        #expect(try names(database) == ["b"])
    }

    @Test func executeTellsHowManyRowsChanged() throws {
        let database = try items()
        let changed = try database.transaction { connection in
            [
                try connection.execute("INSERT INTO items VALUES ('a', 1), ('b', 2)"),
                try connection.execute("INSERT OR IGNORE INTO items VALUES ('a', 9)"),
                try connection.execute("UPDATE items SET count = 3"),
            ]
        }
        #expect(changed == [2, 0, 2])
    }

    @Test func aViolatedConstraintNamesTheColumnAndNoValue() throws {
        let database = try items()
        let error = #expect(throws: SQLiteError.self) {
            try database.transaction { connection in
                for _ in 0..<2 { try connection.execute("INSERT INTO items VALUES (?, ?)", "card-4111", 7) }
            }
        }
        #expect(error?.code.primary == .constraint)
        #expect(error?.description.contains("items.name") == true)
        #expect(error?.description.contains("4111") == false)
        #expect(error?.debugDescription.contains("4111") == false)
        #expect(error?.debugDescription.contains("INSERT INTO items VALUES (?, ?)") == true)
    }

    @Test func aWrongNumberOfValuesIsRefused() throws {
        let database = try items()
        for values in [[], ["a"], ["a", "b", "c"]] {
            let error = #expect(throws: SQLiteError.self) {
                try database.read { connection in
                    switch values.count {
                    case 0: try connection.execute("INSERT INTO items VALUES (?, ?)")
                    case 1: try connection.execute("INSERT INTO items VALUES (?, ?)", values[0])
                    default: try connection.execute("INSERT INTO items VALUES (?, ?)", values[0], values[1], values[2])
                    }
                }
            }
            #expect(error?.code == .misuse)
        }
        #expect(try names(database) == [])
    }

    @Test func severalStatementsInOneAreRefused() throws {
        let database = try items()
        let error = #expect(throws: SQLiteError.self) {
            try database.read { try $0.execute("DELETE FROM items; DROP TABLE items") }
        }
        #expect(error?.code == .misuse)
        #expect(try names(database) == [])
    }

    @Test func aColumnOfAnotherTypeIsAnError() throws {
        let database = try items()
        try database.transaction { try $0.execute("INSERT INTO items VALUES ('a', 1)") }
        for index in [0, 2, -1] {
            let error = #expect(throws: SQLiteError.self) {
                try database.read { try $0.first("SELECT name, count FROM items") { try $0.get(index, as: Int.self) } }
            }
            #expect(error?.code == .typeMismatch)
        }
    }

    @Test func oneStatementMayBeUsedWhileItIsBeingRead() throws {
        let database = try items()
        let pairs = try database.transaction { connection in
            try connection.execute("INSERT INTO items VALUES ('a', 1), ('b', 2)")
            let sql = "SELECT name FROM items ORDER BY name"
            return try connection.query(sql) { outer in
                let first: String = try outer.get(0)
                return try connection.query(sql) { first + (try $0.get(0)) }
            }
        }
        #expect(pairs == [["aa", "ab"], ["ba", "bb"]])
    }

    @Test func migrationsRunOnceAndInOrder() throws {
        let path = directory.file("migrated.db")
        let steps = [
            Migration("table", "CREATE TABLE t (a); INSERT INTO t VALUES (1)"),
            Migration("row", "INSERT INTO t VALUES (2)"),
        ]
        try Database(path: path).migrate([steps[0]])
        for _ in 0..<2 {
            let database = try Database(path: path)
            try database.migrate(steps)
            #expect(try database.read { try $0.query("SELECT a FROM t") { try $0.get(0, as: Int.self) } } == [1, 2])
        }
        let error = #expect(throws: SQLiteError.self) { try Database(path: path).migrate([steps[0]]) }
        #expect(error?.code == .newerSchema)
    }

    @Test func aFailedMigrationLeavesTheFileAsItWas() throws {
        let database = try Database(path: directory.file("failed.db"))
        let error = #expect(throws: SQLiteError.self) {
            try database.migrate([Migration("broken", "CREATE TABLE t (a); INSERT INTO missing VALUES (1)")])
        }
        #expect(error?.description.contains("broken") == true)
        #expect(
            try database.read { try $0.query("SELECT name FROM sqlite_master") { try $0.get(0, as: String.self) } }
                == [])
        #expect(try database.read { try $0.schemaVersion } == 0)
    }

    @Test func aMissingFileAndAForeignFileAreNamed() throws {
        let missing = #expect(throws: SQLiteError.self) {
            try Database(path: directory.file("none/x.db"), mode: .readOnly)
        }
        #expect(missing?.code.primary == .cannotOpen)
        #expect(missing?.description.contains("none/x.db") == true)
        let foreign = directory.file("text.db")
        try String(repeating: "not a database. ", count: 400).write(toFile: foreign, atomically: true, encoding: .utf8)
        #expect(throws: SQLiteError.self) { try Database(path: foreign) }
    }

    @Test func aReaderSeesAllCommittedAndNeverWaitsForTheWriter() throws {
        let writer = try items()
        let reader = try Database(path: writer.path, mode: .readOnly, busyTimeout: .zero)
        let seenMeanwhile = try writer.transaction { connection in
            try connection.execute("INSERT INTO items VALUES ('a', 1)")
            return try names(reader)
        }
        #expect(seenMeanwhile == [])
        #expect(try names(reader) == ["a"])
        let error = #expect(throws: SQLiteError.self) {
            try reader.read { try $0.execute("DELETE FROM items") }
        }
        #expect(error?.code.primary == .readOnly)
    }

    @Test func aSecondWriterIsToldThatTheFileIsBusy() throws {
        let first = try items()
        let second = try Database(path: first.path, busyTimeout: .zero)
        let error = #expect(throws: SQLiteError.self) {
            try first.transaction { _ in try second.transaction { _ in } }
        }
        #expect(error?.code.primary == .busy)
        try second.transaction { try $0.execute("INSERT INTO items VALUES ('z', 0)") }
        #expect(try names(first) == ["z"])
    }

    @Test func manyTasksMayUseOneDatabase() async throws {
        let database = try items()
        try database.transaction { try $0.execute("INSERT INTO items VALUES ('n', 0)") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try database.transaction { connection in
                        let n = try connection.first("SELECT count FROM items") { try $0.get(0, as: Int.self) } ?? -1
                        try connection.execute("UPDATE items SET count = ?", n + 1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try database.read { try $0.first("SELECT count FROM items") { try $0.get(0) } } == 50)
    }
}
