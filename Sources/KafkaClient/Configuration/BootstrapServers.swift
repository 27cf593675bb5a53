// Checks the addresses of brokers before anybody waits for an answer from them.

/// The rules of `bootstrap.servers`.
enum BootstrapServers {
    private static let protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]

    /// What is wrong with a list of `host:port` separated by commas; `nil` when it may be asked.
    static func problem(with list: String) -> String? {
        for entry in list.split(separator: ",", omittingEmptySubsequences: false) {
            let entry = entry.drop(while: \.isWhitespace)
            let text = entry.prefix(
                upTo: entry.lastIndex { !$0.isWhitespace }.map(entry.index(after:)) ?? entry.startIndex)
            if let problem = problem(withEntry: text) { return problem }
        }
        return nil
    }

    private static func problem(withEntry entry: Substring) -> String? {
        guard !entry.isEmpty else { return "has an empty entry" }
        var address = entry
        // librdkafka takes security.protocol before the address.
        if let scheme = entry.firstRange(of: "://") {
            let name = entry[..<scheme.lowerBound]
            guard protocols.contains(name.lowercased()) else {
                // Whoever pastes a URL may have pasted a password with it.
                return "has an entry that begins with \(quoted(name))://, which is not a protocol of Kafka's"
            }
            address = entry[scheme.upperBound...]
        }
        guard !address.contains("@") else { return "has an entry with a login in it (before the @)" }
        let (host, port) = parts(address)
        guard !host.isEmpty else { return "has an entry without a host: \(quoted(entry))" }
        guard host.unicodeScalars.allSatisfy(isAllowed) else {
            return "has an entry that is not host:port: \(quoted(entry))"
        }
        guard let port else { return nil }
        guard port.utf8.count <= 5, let number = Int(port), (1...65_535).contains(number) else {
            return "has an entry whose port is not a number from 1 to 65535: \(quoted(entry))"
        }
        return nil
    }

    /// Host and port; an IPv6 address stands in brackets, or alone without a port.
    private static func parts(_ address: Substring) -> (host: Substring, port: Substring?) {
        if address.first == "[", let end = address.lastIndex(of: "]") {
            let host = address[address.index(after: address.startIndex)..<end]
            let rest = address[address.index(after: end)...]
            if rest.isEmpty { return (host, nil) }
            return rest.first == ":" ? (host, rest.dropFirst()) : (address, nil)
        }
        guard let colon = address.lastIndex(of: ":"), address[..<colon].firstIndex(of: ":") == nil else {
            return (address, nil)
        }
        return (address[..<colon], address[address.index(after: colon)...])
    }

    /// Letters, digits and what else names and addresses are made of; not what URLs and shells add.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "-", ".", "_", ":", "%": true
        default: scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        }
    }

    private static func quoted(_ text: Substring) -> String { "\"\(text.prefix(100))\"" }
}
