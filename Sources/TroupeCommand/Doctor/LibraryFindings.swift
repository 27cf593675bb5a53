// What the linked librdkafka is, and what it cannot do.

import KafkaClient

/// Findings about the client library.
enum LibraryFindings {
    /// What is to be said of a version of librdkafka.
    static func all(of version: LibrdkafkaVersion = .current) -> [Diagnosis] {
        let needed = Workaround.allCases.filter { $0.isNeeded(by: version) }
        guard !needed.isEmpty else {
            return [Diagnosis(.ok, "librdkafka", "\(version), which needs none of the known work-arounds")]
        }
        let newest = needed.map(\.fixedIn).max() ?? version
        return [
            Diagnosis(
                .ok, "librdkafka", "\(version), with \(needed.count.of("work-around")); \(newest) needs none of them")
        ]
            + needed.map { workaround in
                Diagnosis(
                    .note, "work-around", "\(workaround.summary) (until \(workaround.fixedIn))",
                    advice: workaround == .brokenSCRAM
                        ? "For SCRAM use librdkafka \(workaround.fixedIn) or newer; PLAIN over TLS works with all" : nil
                )
            }
    }
}
