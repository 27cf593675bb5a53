// The page over the demo's flows, for as long as the demo runs.

import Troupe
import TroupeFlow
import TroupeWeb

/// The page that shows the demo while it plays.
struct DemoPage: Sendable {
    private let server: HTTPServer

    /// Serves the page on a free port of this machine.
    init(_ flows: FlowStore, _ venue: DemoVenue) throws {
        var dashboard = Dashboard(flows)
        dashboard.deadLetters = LetterDesk { venue.cluster }
        dashboard.deadLetterOptions = venue.options
        dashboard.commandOptions = ["--store=\(flows.path)"]
        var configuration = HTTPServerConfiguration()
        configuration.limits = .dashboard
        configuration.logger = .ofCommands
        server = try HTTPServer(dashboard.router(), configuration)
    }

    /// Where it is.
    var address: String { DashboardCommand.url("127.0.0.1", server.port) }

    func stop() async { await server.stop() }
}
