// One step of a flow: a service that reads an event of one topic and publishes one to the next.

import Foundation
import KafkaClient
import Troupe

/// The event the step reads.
private struct StepBegun: RawEvent {
    static let type: EventType = "bench.step"
    static let topic = Topic(Options.current.topic)
    let rawBytes: [UInt8]
    var key: EventKey { .none }

    init(rawBytes: [UInt8]) { self.rawBytes = rawBytes }
}

/// The event it publishes: the same bytes under the same key.
private struct StepDone: RawEvent {
    static let type: EventType = "bench.step"
    static let topic = Topic(Options.current.outputTopic)
    let rawBytes: [UInt8]
    let key: EventKey

    init(rawBytes: [UInt8]) { self.init(rawBytes: rawBytes, key: .none) }

    init(rawBytes: [UInt8], key: EventKey) {
        self.rawBytes = rawBytes
        self.key = key
    }
}

/// Runs one step until it is told to stop by SIGTERM; returns the seconds it ran.
func runStep(_ options: Options) async throws -> Double {
    let began = ContinuousClock.now
    var kafka = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.producerProperties + options.consumerProperties { kafka.properties[name] = value }
    var configuration = ServiceConfiguration(kafka: kafka)
    configuration.consumerGroup = options.group
    configuration.logger = Logger(label: "bench")
    configuration.logger?.level = .error
    var router = EventRouter(retry: .never)
    router.on(StepBegun.self, publishes: .one(StepDone.self)) { event, context in
        StepDone(rawBytes: event.rawBytes, key: context.key)
    }
    let service = EventService("bench", router: router, configuration: configuration)
    let ready = Task {
        while service.status.partitions == 0 { try await Task.sleep(for: .milliseconds(50)) }
        FileHandle.standardOutput.write(Data("ready\n".utf8))
    }
    try await service.runService()
    ready.cancel()
    return (ContinuousClock.now - began) / .seconds(1)
}
