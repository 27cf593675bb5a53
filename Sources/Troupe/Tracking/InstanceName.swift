// Names for instances that were given none, and the machine they run on.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The name of an instance of a service among those that run at the same time.
enum InstanceName {
    /// The machine's name; empty when it has none.
    static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The process's number.
    static var processID: Int32 { getpid() }

    /// A name that no other instance has: the machine, the process, and a random part, since a process may run several.
    static func make() -> String {
        let part = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        return [host, String(processID), part].filter { !$0.isEmpty }.joined(separator: "-")
    }
}
