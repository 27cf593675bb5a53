// The parts of the page, with the headers that keep it from ever running or loading anything else.

/// The page's files as they are served.
extension DashboardAssets {
    /// What the page may load: its own script and style, and its own JSON.
    ///
    /// No script can put markup made of text into the page (Trusted Types), nothing can be embedded or submitted.
    static let policy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
        trusted-types 'none'
        """

    /// The files by their paths.
    static let all: [(path: String, asset: StaticAsset)] = [
        ("", asset(page, "text/html")), ("dashboard.css", asset(style, "text/css")),
        ("dashboard.js", asset(script, "text/javascript")),
    ]

    private static func asset(_ text: String, _ type: String) -> StaticAsset {
        StaticAsset(text, contentType: type + "; charset=utf-8", headers: .page(contentSecurityPolicy: policy))
    }
}
