// Why a step is not done, by what the service's instances say.

import Troupe

extension StepDelay {
    /// Why `step` is not done; `nil` when it is.
    ///
    /// The first of these that holds: the event is in the dead-letter topic; no instance is alive; the event waits in
    /// place or in the retry topic; the owner of its partition has trouble; nobody owns the partition; the route's
    /// breaker is open; records before it are to be handled; handlers are under way.
    init?(_ step: FlowStep, of event: FlowEvent?, _ registry: JudgedRegistry, at now: Int64) {
        if step.status == .notKnown {
            switch registry.unreportedUntil[step.service] {
            case .max: self.init(.unknown, "it does not report its attempts")
            case .some: self.init(.unknown, "it lost reports of its attempts")
            case nil: self.init(.unknown, "the flow is too large to be read whole")
            }
            return
        }
        guard step.status.isOwed || step.status == .deadLettered else { return nil }
        let service = registry.services[step.service]
        let route = registry.duties[step.type]?.first { $0.service == step.service }?.route
        // Where the event was sent its report says; what is declared now may be another version's.
        let last = step.attempts.deciding
        if step.status == .deadLettered {
            let topic = last?.sentTo ?? route?.deadLetterTopic
            self.init(
                .inDeadLetterTopic,
                topic.map { "the letter waits in \($0)" } ?? "the event is in its dead-letter topic",
                topic: topic)
            return
        }
        let live = service?.instances.filter { $0.state == .live }.map(\.heartbeat) ?? []
        guard !live.isEmpty else {
            let lag = service?.lag
            let text = "its group has no members" + (lag.map { "; lag \($0)" } ?? "")
            self.init(.noMembers, text, topic: event?.topic, lag: lag)
            return
        }
        if step.status == .waiting, let last {
            self.init(waiting: last, retryTopic: last.sentTo ?? route?.retryTopic, at: now)
        } else {
            self.init(live, event, route, at: now)
        }
    }

    private init(waiting last: FlowAttempt, retryTopic: String?, at now: Int64) {
        let when: String
        if let until = last.notBefore, until > now {
            when = " for \(TimeText.length(until.subtractingSaturated(now))) more"
        } else {
            when = ""
        }
        let error = last.failure.map { ", after \($0.type)" } ?? (last.number == 0 ? ", behind an earlier event" : "")
        if last.outcome == .redirected {
            self.init(
                .inRetryTopic, "it waits in \(retryTopic ?? "its retry topic")\(when)\(error)", topic: retryTopic,
                until: last.notBefore)
        } else {
            self.init(
                .retrying, "attempt \(Int64(last.number).addingSaturated(1)) waits in \(last.instance)\(when)\(error)",
                instance: last.instance, until: last.notBefore)
        }
    }

    private init(_ live: [InstanceHeartbeat], _ event: FlowEvent?, _ route: RouteDeclaration?, at now: Int64) {
        let owner = event.flatMap { event in
            live.first { $0.assignment[event.topic]?.contains(event.partition) ?? false }
        }
        if let instance = owner ?? live.first(where: { $0.status.trouble != nil }),
            let trouble = instance.status.trouble
        {
            self.init(.trouble, "\(instance.instance) has trouble: \(trouble)", instance: instance.instance)
            return
        }
        guard let owner else {
            let place = event.map { "partition \($0.partition) of \($0.topic)" } ?? "the event's partition"
            let count = live.count == 1 ? "its instance does not own" : "none of its \(live.count) instances owns"
            self.init(.unowned, "\(count) \(place)", topic: event?.topic)
            return
        }
        let status = owner.status
        if let route, status.routes.contains(where: { $0.route == route.name && $0.circuit == .open }) {
            self.init(.breakerOpen, "its circuit breaker is open in \(owner.instance)", instance: owner.instance)
        } else if let lag = status.lag, lag > status.inFlight {
            self.init(.lag, "\(owner.instance) has a lag of \(lag)", instance: owner.instance, lag: lag)
        } else if status.running > 0 {
            let handlers = status.running == 1 ? "1 handler" : "\(status.running) handlers"
            self.init(.running, "\(owner.instance) runs \(handlers)", instance: owner.instance, lag: status.lag)
        } else {
            self.init(
                .unknown, "\(owner.instance) owns the partition and says of nothing that holds it up",
                instance: owner.instance, lag: status.lag)
        }
    }
}
