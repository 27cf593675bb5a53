// What must be so when nothing more can happen.

@testable import Troupe

extension RetryModel {
    /// What is not as it must be when nothing more happens.
    var whatIsLeftUndone: Violation? {
        func stall(_ description: String) -> Violation { Violation(promise: .noStall, description: description) }
        for event in scenario.events.indices where !scenario.options.endless.contains(event) {
            if !isDone(event) { return stall("\(scenario.name(event: event)) is never handled") }
            if scenario.options.exactlyOnce, effects[event] != 1 {
                return Violation(
                    promise: .once,
                    description: "\(scenario.name(event: event)) took effect \(effects[event]) times")
            }
        }
        let endlessKeys = Set(scenario.options.endless.map { scenario.events[$0].key })
        for member in members {
            for view in member.views {
                let isRetry = view.partition == scenario.retry
                if !isRetry || endlessKeys.isEmpty, view.open > 0 {
                    return stall("\(scenario.name(partition: view.partition)) has records that nobody ends")
                }
                for key in 0..<scenario.keys where !endlessKeys.contains(key) && mustLift {
                    if view.marks.contains(UInt64(key)) { return stall("Key \(key) stays marked for ever") }
                }
            }
        }
        for partition in owner.indices where partition != scenario.retry || endlessKeys.isEmpty {
            let last = lastRecord(of: partition)
            if last >= 0, committed[partition].base <= last {
                return stall("\(scenario.name(partition: partition)) is not committed to its end")
            }
        }
        return nil
    }

    /// Whether a mark may not stay.
    ///
    /// That of a redirect in a transaction that was aborted may, until the key's next event.
    private var mustLift: Bool { !scenario.options.exactlyOnce }

    private func lastRecord(of partition: Int) -> Int64 {
        if partition == scenario.retry {
            return Int64(retry.lastIndex { $0.transaction != Entry.aborted } ?? -1)
        }
        return Int64(scenario.logs[partition].lastIndex { $0 >= 0 } ?? -1)
    }
}
