// The notification service's file: the mails it has sent.

import DemoSupport
import SQLite

/// The mails that were sent.
struct MailStore: Sendable {
    let store: ServiceStore

    init(path: String) throws {
        store = try ServiceStore(
            path: path,
            schema: [
                Migration(
                    "mails",
                    "CREATE TABLE mails (event_id TEXT PRIMARY KEY, recipient TEXT NOT NULL, subject TEXT NOT NULL)")
            ])
    }

    /// Sends a mail, once for each event.
    func send(to recipient: String, _ subject: String, order: String, eventID: String) throws {
        try store.once(eventID, order: order) { connection in
            try connection.execute("INSERT INTO mails VALUES (?, ?, ?)", eventID, recipient, subject)
        }
    }
}
