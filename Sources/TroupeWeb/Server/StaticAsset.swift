// A body that never changes, with the tag by which a client knows that it has it already.

/// Bytes that are the same for every request: a page, a script, a picture.
public struct StaticAsset: Sendable {
    /// The bytes.
    public let bytes: [UInt8]
    /// The header fields, `ETag` among them.
    public let headers: HTTPHeaders

    /// Makes an asset.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - contentType: Their media type, such as `text/html; charset=utf-8`.
    ///   - headers: More header fields, such as those of `HTTPHeaders.page(contentSecurityPolicy:)`.
    public init(_ bytes: [UInt8], contentType: String, headers: HTTPHeaders = [:]) {
        self.bytes = bytes
        var all = headers
        all["Content-Type"] = contentType
        all["ETag"] = EntityTag.of(bytes)
        // To be asked for again each time, which costs a 304 as long as the bytes are the same.
        if all["Cache-Control"] == nil { all["Cache-Control"] = "no-cache" }
        self.headers = all
    }

    /// Makes an asset of text in UTF-8.
    public init(_ text: String, contentType: String, headers: HTTPHeaders = [:]) {
        self.init(Array(text.utf8), contentType: contentType, headers: headers)
    }

    /// The asset, or 304 when the client has it.
    public func response(to request: HTTPRequest) -> HTTPResponse {
        guard let tag = headers["ETag"], EntityTag.matches(tag, request.headers.values(of: "If-None-Match")) else {
            return HTTPResponse(.ok, headers: headers, body: .bytes(bytes))
        }
        var kept = headers
        kept["Content-Type"] = nil
        return HTTPResponse(.notModified, headers: kept)
    }
}

/// Entity tags (RFC 9110, section 8.8.3).
enum EntityTag {
    /// A strong tag of bytes: their number and the 64 bits of their FNV-1a hash.
    static func of(_ bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "\"\(String(bytes.count, radix: 36))-\(String(hash, radix: 36))\""
    }

    /// Whether a tag is among those of `If-None-Match`, compared weakly as the standard wants it there.
    static func matches(_ tag: String, _ fields: [String]) -> Bool {
        fields.contains { field in
            field.split(separator: ",").contains { part in
                var part = part.drop { $0 == " " }
                while part.last == " " { part.removeLast() }
                return part == "*" || part == tag || part == "W/" + tag
            }
        }
    }
}

extension HTTPHeaders {
    /// The header fields of a page that nobody may embed and that loads only what the policy allows.
    ///
    /// - Parameter contentSecurityPolicy: The policy; only what comes from this server when nothing is said: no script
    ///   or style within the page, no other host.
    public static func page(
        contentSecurityPolicy: String = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        form-action 'none'; base-uri 'none'; frame-ancestors 'none'
        """
    ) -> HTTPHeaders {
        [
            "Content-Security-Policy": contentSecurityPolicy, "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        ]
    }
}
