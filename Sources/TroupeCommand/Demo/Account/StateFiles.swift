// Reads the services' own SQLite files, for reading only and beside the services.

import Foundation
import SQLite

/// The services' own files.
struct StateFiles: Sendable {
    let directory: String

    /// Reads what the account needs of all of them.
    func read() throws -> FileEvidence {
        var evidence = FileEvidence()
        try open("inventory.db").read { connection in
            try connection.query("SELECT sku, on_hand FROM stock") { row in
                evidence.onHand[try row.get(0)] = try row.get(1, as: Int.self)
            }
            try connection.query("SELECT order_id, sku, quantity FROM held") { row in
                evidence.held[try row.get(0), default: [:]][try row.get(1)] = try row.get(2, as: Int.self)
            }
            let withdrawn = "SELECT order_id FROM reservations WHERE state = 'withdrawn'"
            evidence.withdrawn = Set(try connection.query(withdrawn) { try $0.get(0, as: String.self) })
        }
        evidence.movements = try open("provider.db").read { connection in
            try connection.query("SELECT order_id, amount FROM movements") {
                FileEvidence.Movement(order: try $0.get(0), amount: try $0.get(1))
            }
        }
        evidence.metOutage = try ordersThatMetTheOutage()
        for service in DemoServices.names {
            evidence.repeated[service] = try open("\(service).db").read { connection in
                try connection.first("SELECT coalesce(sum(times - 1), 0) FROM inbox") { try $0.get(0, as: Int.self) }
            }
        }
        return evidence
    }

    /// The orders whose charge failed at least once.
    func ordersThatMetTheOutage() throws -> Set<String> {
        try open("payments.db").read { connection in
            Set(
                try connection.query("SELECT order_id FROM calls WHERE failures > 0") { try $0.get(0, as: String.self) }
            )
        }
    }

    /// The orders for which the provider is being asked at this moment.
    func ordersBeingCharged() throws -> Set<String> {
        try open("payments.db").read { connection in
            Set(try connection.query("SELECT order_id FROM calls WHERE open = 1") { try $0.get(0, as: String.self) })
        }
    }

    /// Takes the payment provider down, or brings it up again.
    func setProvider(down: Bool) throws {
        let path = directory + "/provider-is-down"
        if down {
            try Data().write(to: URL(filePath: path))
        } else {
            try FileManager.default.removeItem(atPath: path)
        }
    }

    private func open(_ name: String) throws -> Database { try Database(path: "\(directory)/\(name)", mode: .readOnly) }
}
