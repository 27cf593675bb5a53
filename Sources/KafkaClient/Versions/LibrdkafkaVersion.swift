// The version of the librdkafka that is linked at run time.

import CRDKafka

/// A version of librdkafka, such as 2.0.2.
public struct LibrdkafkaVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The major version.
    public var major: Int
    /// The minor version.
    public var minor: Int
    /// The patch version.
    public var patch: Int

    /// Names a version.
    public init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `rd_kafka_version()`'s form: `0xMMmmrrpp`.
    init(packed: Int32) {
        self.init(Int(packed >> 24) & 0xff, Int(packed >> 16) & 0xff, Int(packed >> 8) & 0xff)
    }

    /// The version of the library this process runs over, which may be newer than the one it was built with.
    public static let current = LibrdkafkaVersion(packed: rd_kafka_version())

    /// `major.minor.patch`.
    public var description: String { "\(major).\(minor).\(patch)" }

    /// Orders by major, then minor, then patch.
    public static func < (a: LibrdkafkaVersion, b: LibrdkafkaVersion) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }
}
