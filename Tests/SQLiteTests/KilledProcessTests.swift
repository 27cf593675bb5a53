// A hard kill takes nothing that was committed, and nothing of a transaction that was not.

import Foundation
import SQLite
import Testing

@Suite struct KilledProcessTests {
    /// What SIGKILL leaves behind is the files as the kernel holds them at that moment: a copy of them, taken in the
    /// middle of a transaction that has already written to the log, stands for the dead process.
    @Test func committedRowsSurviveAndOpenTransactionsDoNot() throws {
        let directory = try TemporaryDirectory()
        let live = directory.file("live.db")
        let dead = directory.file("dead.db")
        let database = try Database(path: live)
        try database.migrate([Migration("n", "CREATE TABLE n (i INTEGER PRIMARY KEY, filler BLOB)")])
        for i in 0..<100 { try database.transaction { try $0.execute("INSERT INTO n VALUES (?, zeroblob(2000))", i) } }
        try database.transaction { connection in
            // Enough to spill beyond the page cache into the write-ahead log before the commit.
            try connection.executeScript("PRAGMA cache_size = 10")
            for i in 100..<300 { try connection.execute("INSERT INTO n VALUES (?, zeroblob(2000))", i) }
            // What a killed process leaves behind: the file and its write-ahead log, as the kernel holds them now.
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(atPath: live + suffix, toPath: dead + suffix)
            }
        }
        let spilled = try FileManager.default.attributesOfItem(atPath: dead + "-wal")[.size] as? Int
        #expect((spilled ?? 0) > 300 * 2000)
        let survivor = try Database(path: dead)
        let rows = try survivor.read { try $0.query("SELECT i FROM n ORDER BY i") { try $0.get(0, as: Int.self) } }
        #expect(rows == Array(0..<100))
        #expect(try survivor.read { try $0.first("PRAGMA integrity_check") { try $0.get(0) } } == "ok")
    }
}
