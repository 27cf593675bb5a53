// The `main` of the demo services.

import Foundation
public import Troupe

/// Runs a demo service as a process's main business.
public enum DemoService {
    /// Builds a service from the process's settings and runs it until SIGTERM or SIGINT; ends the process with 1 when
    /// it fails.
    ///
    /// - Parameters:
    ///   - name: The service's name.
    ///   - alongside: What the process does beside handling events, if anything.
    ///   - router: Opens the service's files and returns its routes.
    public static func main(
        _ name: String, alongside: (@Sendable (DemoSettings, EventService) async throws -> Void)? = nil,
        router: @Sendable (DemoSettings) throws -> EventRouter
    ) async {
        let settings = DemoSettings()
        if settings.endsWithParent { ParentWatch.start() }
        do {
            let service = EventService(name, router: try router(settings))
            let reporter = settings.statusDescriptor.map { descriptor in
                Task { try await StatusReporter(service, descriptor: descriptor).run() }
            }
            let work = alongside.map { work in Task { await run(name, settings, service, work) } }
            try await service.runService()
            work?.cancel()
            reporter?.cancel()
        } catch {
            complain(name, error)
            exit(1)
        }
    }

    /// What a process does beside handling events must not fail silently: the process ends with it.
    private static func run(
        _ name: String, _ settings: DemoSettings, _ service: EventService,
        _ work: @Sendable (DemoSettings, EventService) async throws -> Void
    ) async {
        do {
            try await work(settings, service)
        } catch is CancellationError {
        } catch {
            complain(name, error)
            exit(1)
        }
    }

    private static func complain(_ name: String, _ error: any Error) {
        FileHandle.standardError.write(Data("\(name): \(error)\n".utf8))
    }
}
