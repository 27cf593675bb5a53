// Keeps what was decoded of the registry, because most of what services say they say again.

internal import EventJSON
internal import Troupe

/// What was decoded of the registry's rows.
struct RegistryCache {
    var declarations = DecodedTexts<ServiceDeclaration>()
    var heartbeats = DecodedTexts<InstanceHeartbeat>()
}

/// Values by the JSON they were decoded from.
struct DecodedTexts<Value: Decodable> {
    private var known: [String: Value] = [:]
    private var used: [String: Value] = [:]
    /// How many texts were decoded so far.
    private(set) var decodings = 0

    /// The value of a text; `nil` for one that cannot be read.
    mutating func value(of json: String) -> Value? {
        if let value = used[json] { return value }
        if let value = known[json] {
            used[json] = value
            return value
        }
        decodings += 1
        guard let value = try? EventJSONDecoder().decode(Value.self, from: Array(json.utf8)) else { return nil }
        used[json] = value
        return value
    }

    /// Forgets the values that nobody asked for since the last time.
    mutating func forgetUnused() {
        known = used
        used = [:]
    }
}
