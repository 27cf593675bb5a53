// The page that shows flows, services, the graph and dead letters: its settings, and where it is mounted.

public import TroupeFlow

/// A page over a flow store: what happened to each flow, what did not, who must do what next.
///
/// ```swift
/// let store = try FlowStore(path: "flows.sqlite", mode: .readOnly)
/// var configuration = HTTPServerConfiguration(port: 8090)
/// configuration.limits = .dashboard
/// let server = try HTTPServer(Dashboard(store).router(), configuration)
/// ```
///
/// The page and the JSON it is made of, under `api/`, only read, except that dead letters can be sent again where
/// `replayTokens` are set. Everything the page needs is in the program; it loads nothing from elsewhere, and shows what events
/// hold as text only. Browsers send no tokens for pages: where others than this machine's users reach the server, put it
/// behind something that knows them.
public struct Dashboard: Sendable {
    /// The store.
    public let store: FlowStore
    /// Names of members of JSON payloads whose values are not shown: `email`, or `customer.email` for members of that
    /// name within one called `customer`.
    ///
    /// They are matched at any depth, whatever their case, and left out before the payload leaves the process. While any
    /// are named, payloads that are no JSON are not shown at all, nor are the keys of dead letters' records, nor the
    /// values of their headers that are not Troupe's or CloudEvents'.
    public var maskedFields: [String] = []
    /// Whether payloads are shown.
    public var showsPayloads = true
    /// Where dead letters are read; without it the page shows none.
    public var deadLetters: (any DeadLetterDesk)?
    /// Who may send dead letters again; nobody when `nil`.
    public var replayTokens: BearerTokens?
    /// Options for the command that the page gives for a flow, such as `--store=flows.sqlite`.
    public var commandOptions: [String] = []

    /// Options for the command that the page gives for a dead letter, such as `--bootstrap-servers=localhost:9092`.
    public var deadLetterOptions: [String] = []

    /// How long the stream of changes may say nothing, so that a page can tell that its connection has died.
    var longestSilence = Duration.seconds(10)

    /// Makes a page over a store.
    public init(_ store: FlowStore) { self.store = store }

    /// The routes of the page and of its JSON.
    ///
    /// - Parameter prefix: What stands before their paths, such as `/dashboard`; nothing for a server of its own.
    public func router(at prefix: String = "") -> HTTPRouter {
        var router = HTTPRouter()
        for (path, asset) in DashboardAssets.all { router.get("\(prefix)/\(path)", asset: asset) }
        if !prefix.isEmpty {
            // The page names its parts relative to itself.
            router.get(prefix) { _ in HTTPResponse(308, headers: ["Location": prefix + "/"]) }
        }
        DashboardRoutes(dashboard: self).add(to: &router, at: prefix + "/api")
        return router
    }
}
