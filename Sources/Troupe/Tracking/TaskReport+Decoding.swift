// Reads reports, in which much may be left out: what is as in the report before, and what is as usual.

extension TaskBatch {
    /// Reads a record of the topic of tasks.
    ///
    /// - Throws: `DecodingError` when it is none.
    public init(from decoder: any Decoder) throws {
        let batch = try WrittenBatch(from: decoder)
        self.init(service: batch.service, instance: batch.instance, tasks: [])
        for report in batch.tasks { tasks.append(try TaskReport(report, after: tasks.last, decoder.codingPath)) }
    }
}

extension TaskReport {
    /// Reads one report that stands by itself.
    ///
    /// - Throws: `DecodingError` when it is none.
    public init(from decoder: any Decoder) throws {
        try self.init(WrittenReport(from: decoder), after: nil, decoder.codingPath)
    }

    /// Fills in what a report leaves out.
    fileprivate init(_ report: WrittenReport, after last: TaskReport?, _ path: [any CodingKey]) throws {
        guard let type = report.type ?? last?.type, let topic = report.topic ?? last?.topic,
            let partition = report.partition ?? last?.partition, let startedAt = report.startedAt ?? last?.startedAt
        else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: path,
                    debugDescription: "The first report of a record lacks its type, topic, partition or startedAt"))
        }
        self.init(
            event: report.event, flow: report.flow ?? report.event, type: type, topic: topic, partition: partition,
            offset: report.offset, attempt: report.attempt ?? 1, replays: report.replays ?? 0,
            outcome: report.outcome ?? .handled, startedAt: startedAt, microseconds: report.microseconds ?? 0,
            published: report.published ?? [], notBefore: report.notBefore, failure: report.failure,
            sentTo: report.sentTo)
    }
}

/// What can be read of a record of the topic of tasks, also where a newer version wrote some of its reports.
package struct ReadableTaskBatch: Decodable {
    /// The reports that can be read.
    package var batch: TaskBatch
    /// Whether there are others.
    package var isPartial = false

    /// Reads reports one by one.
    ///
    /// A report that cannot be read still tells what those behind it have in common with it. Where that cannot be read either,
    /// they cannot, unless they say it themselves.
    ///
    /// - Throws: `DecodingError` when it is no record of reports at all.
    package init(from decoder: any Decoder) throws {
        let written = try WrittenEntries(from: decoder)
        batch = TaskBatch(service: written.service, instance: written.instance, tasks: [])
        var last: TaskReport?
        for entry in written.tasks {
            if let report = entry.report, let task = try? TaskReport(report, after: last, decoder.codingPath) {
                batch.tasks.append(task)
                last = task
            } else {
                isPartial = true
                last = entry.common.flatMap { try? TaskReport($0.report, after: last, decoder.codingPath) }
            }
        }
    }
}

/// A record whose reports may be of a newer version.
private struct WrittenEntries: Decodable {
    /// A report, or what it has in common with the one behind it, as far as they can be read.
    struct Entry: Decodable {
        let report: WrittenReport?
        let common: CommonFields?

        init(from decoder: any Decoder) {
            report = try? WrittenReport(from: decoder)
            common = report == nil ? try? CommonFields(from: decoder) : nil
        }
    }

    var service: String
    var instance: String
    var tasks: [Entry]
}

/// What a report leaves out when it is as in the report before.
private struct CommonFields: Decodable {
    var type: String?
    var topic: String?
    var partition: Int32?
    var startedAt: Int64?

    /// A report that says nothing else, to be followed by others.
    var report: WrittenReport {
        WrittenReport(event: "", type: type, topic: topic, partition: partition, offset: 0, startedAt: startedAt)
    }
}

/// A record as it stands on the topic.
private struct WrittenBatch: Decodable {
    var service: String
    var instance: String
    var tasks: [WrittenReport]
}

/// A report as it stands in a record.
private struct WrittenReport: Decodable {
    var event: String
    /// The event's id when it is left out.
    var flow: String?
    // As in the report before.
    var type: String?
    var topic: String?
    var partition: Int32?
    var offset: Int64
    // As usual: the first attempt, never sent again, handled, in less than a microsecond, publishing nothing.
    var attempt: Int?
    var replays: Int?
    var outcome: TaskReport.Outcome?
    /// As in the report before.
    var startedAt: Int64?
    var microseconds: Int64?
    var published: [String]?
    var notBefore: Int64?
    var failure: TaskReport.Failure?
    var sentTo: String?
}
