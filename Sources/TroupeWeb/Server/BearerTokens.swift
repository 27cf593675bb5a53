// Who may ask: tokens, compared in a time that tells nothing of them.

public import KafkaClient

/// The tokens that a route takes in `Authorization: Bearer ...` (RFC 6750).
///
/// They appear in no description, log or answer.
public struct BearerTokens: Sendable {
    private let tokens: [Secret]

    /// Takes any of some tokens; without one nobody may ask.
    ///
    /// - Parameter tokens: Tokens of visible ASCII; several, so that a new one can be given out before an old one ends.
    ///   Empty ones count for nothing.
    public init(_ tokens: [Secret]) { self.tokens = tokens.filter { !$0.reveal().isEmpty } }

    /// Takes one token.
    public init(_ token: Secret) { self.init([token]) }

    /// Whether the value of an `Authorization` header holds one of the tokens.
    ///
    /// How long it takes depends on the length of what was sent and on the number of tokens, not on their bytes.
    public func admit(authorization: String?) -> Bool {
        guard let authorization else { return false }
        let scheme = "bearer "
        guard authorization.utf8.count > scheme.utf8.count,
            zip(authorization.utf8, scheme.utf8).allSatisfy({ HTTPHeaders.lowercase($0) == $1 })
        else { return false }
        let sent = Array(authorization.utf8.dropFirst(scheme.utf8.count))
        var admitted = false
        for token in tokens where Self.isEqual(sent, Array(token.reveal().utf8)) { admitted = true }
        return admitted
    }

    /// Compares every byte of what was sent, wherever the first difference is.
    static func isEqual(_ sent: [UInt8], _ token: [UInt8]) -> Bool {
        guard !token.isEmpty else { return false }
        var difference: UInt8 = sent.count == token.count ? 0 : 1
        for index in sent.indices { difference |= sent[index] ^ token[index % token.count] }
        return difference == 0
    }
}
