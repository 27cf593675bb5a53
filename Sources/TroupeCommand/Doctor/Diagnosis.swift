// What the doctor finds: the findings, their weight, and the report they make.

import KafkaClient

/// One thing the doctor looked at.
struct Diagnosis: Encodable, Sendable, Equatable {
    enum Status: String, Encodable, Sendable {
        /// As it should be.
        case ok
        /// Something to know.
        case note
        /// Something that will be trouble.
        case warning
        /// Something that is broken.
        case broken
    }

    let status: Status
    /// What was looked at.
    let subject: String
    /// What was seen.
    let detail: String
    /// What to do next.
    let advice: String?

    init(_ status: Status, _ subject: String, _ detail: String, advice: String? = nil) {
        self.status = status
        self.subject = subject
        self.detail = detail
        self.advice = advice
    }

    /// An error as a finding: its advice is told apart from what happened.
    init(broken subject: String, _ error: any Error) {
        if var error = error as? KafkaError {
            let advice = error.advice
            error.advice = nil
            self.init(.broken, subject, "\(error)", advice: advice)
        } else if let error = error as? UsageError {
            self.init(.broken, subject, error.message, advice: error.hint)
        } else {
            self.init(.broken, subject, "\(error)")
        }
    }
}

/// A property of the client and where its value comes from.
struct Setting: Encodable, Sendable, Equatable {
    let name: String
    /// The value; credentials are masked.
    let value: String
    let source: String
}

/// Everything the doctor found.
struct DoctorReport: Report {
    let library: String
    let settings: [Setting]
    let findings: [Diagnosis]

    /// What is broken.
    var brokenCount: Int { findings.count { $0.status == .broken } }

    func lines(_ style: Style) -> [String] {
        var lines: [String] = []
        if !settings.isEmpty {
            var table = Table("SETTING", "VALUE", "FROM")
            for setting in settings { table.add([setting.name, setting.value, setting.source]) }
            lines += table.lines(style) + [""]
        }
        let width = findings.map(\.subject.count).max() ?? 0
        for finding in findings {
            let space = String(repeating: " ", count: width - finding.subject.count)
            lines.append("\(mark(finding.status, style))  \(finding.subject)\(space)  \(finding.detail.printable)")
            if let advice = finding.advice {
                lines.append(String(repeating: " ", count: width + 11) + style.dim("-> " + advice.printable))
            }
        }
        return lines + ["", verdict]
    }

    private func mark(_ status: Diagnosis.Status, _ style: Style) -> String {
        switch status {
        case .ok: style.green("ok     ")
        case .note: "note   "
        case .warning: style.yellow("warning")
        case .broken: style.red("broken ")
        }
    }

    private var verdict: String {
        let warnings = findings.count { $0.status == .warning }
        if brokenCount > 0 { return "\(brokenCount) broken, \(warnings.of("warning"))." }
        return warnings > 0 ? "Nothing is broken, \(warnings.of("warning"))." : "All is well."
    }
}
