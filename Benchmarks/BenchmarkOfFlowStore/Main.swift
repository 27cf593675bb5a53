// Fills a flow store with made-up flows and asks it, to see what an event costs as the store grows.

import EventJSON
import Foundation
import KafkaClient
import Troupe
import TroupeFlow

/// `BenchmarkOfFlowStore PATH EVENTS`: writes so many events, and a report of a handling for each, asks the store, and has it
/// forget some flows.
///
/// With 0 events it only asks a store that was written before.
@main enum BenchmarkOfFlowStore {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let total = Int(arguments[2]) else {
            print("usage: BenchmarkOfFlowStore PATH EVENTS")
            return
        }
        let store = try FlowStore(path: arguments[1])
        let writer = FlowWriter(store)
        var load = try Load()
        if total > 0 { try writer.apply(load.takeDeclarations(), at: load.now) }
        print("events        events/s  µs of CPU an event  MiB")
        var spent = Spent()
        let slice = max(5_000, total / 10)
        while load.events < total {
            let end = min(total, load.events + slice)
            let begin = load.events
            var part = Spent()
            while load.events < end {
                let records = try load.next(flows: 300)
                part.add(try measured { _ = try writer.apply(records, at: load.now) })
            }
            spent.add(part)
            let count = Double(load.events - begin)
            print(
                [
                    pad(String(load.events), 10), pad(String(Int(count / part.wall)), 11),
                    pad(String(format: "%.1f", part.processor / count * 1e6), 18),
                    pad(String(try size(of: arguments[1]) >> 20), 6),
                ].joined(separator: "  "))
        }
        if total == 0 { return try ask(store, writer, at: .max) }
        print(
            "all: \(Int(Double(load.events) / spent.wall)) events/s, "
                + String(format: "%.1f µs of CPU an event", spent.processor / Double(load.events) * 1e6))
        try ask(store, writer, at: load.now)
    }

    private static func ask(_ store: FlowStore, _ writer: FlowWriter, at time: Int64) throws {
        let flows = try store.counts().values.reduce(0, +)
        let newest = try store.flows(FlowQuery(limit: 1)).flows.first
        let now = time == .max ? newest?.updatedAt ?? 0 : time
        // The oldest may have been forgotten; the latest are under way.
        let end = (newest?.subject.flatMap { Int($0.dropFirst("order-".count)) } ?? 0) + 1
        let settled = (end - flows)..<(end - 3_000)
        try report("flow by id") {
            try store.flow(Load.flowID(Int.random(in: settled)), at: now) != nil
        }
        try report("flows by subject") {
            try store.flows(FlowQuery(subject: "order-\(Int.random(in: settled))")).flows.count == 1
        }
        try report("first page") { try store.flows().flows.count == 50 }
        try report("flows by type") { try store.flows(FlowQuery(type: Load.steps[3].type)).flows.count == 50 }
        try report("flows by service") { try store.flows(FlowQuery(service: "service-2")).flows.count == 50 }
        try report("flows by status") { try store.flows(FlowQuery(statuses: [.completed])).flows.count == 50 }
        try report("stuck flows") { try store.flows(FlowQuery(statuses: [.stuck])).flows.isEmpty }
        try report("text") {
            try !store.flows(FlowQuery(text: Load.flowID(Int.random(in: settled)))).flows.isEmpty
        }
        try report("counts by status") { try store.counts().values.reduce(0, +) == flows }
        // What no flow fulfils, though many fulfil each part of it.
        try report("type and status") {
            try store.flows(FlowQuery(type: Load.steps[6].type, statuses: [.running, .failed])).flows.isEmpty
        }
        try report("service and status") {
            try store.flows(FlowQuery(service: "service-5", statuses: [.failed, .stuck])).flows.isEmpty
        }
        try report("type and service") {
            try store.flows(FlowQuery(type: Load.steps[3].type, service: "nobody")).flows.isEmpty
        }
        try report("common beginning") { try store.flows(FlowQuery(text: "order-")).flows.count == 50 }
        try report("graph") { try store.observedTraffic().flows == 1_000 }
        try report("changes") { try store.changes(since: store.lastChange() - 100).flows.count == 100 }
        try report("forget 500 flows", times: 20) {
            try writer.forget(FlowRetention(bytes: 1), at: now) == 500
        }
    }

    private static func report(_ name: String, times count: Int = 200, _ query: () throws -> Bool) throws {
        var times: [Double] = []
        for _ in 0..<count {
            var isRight = false
            times.append(try measured { isRight = try query() }.wall)
            if !isRight { print("\(name): a wrong answer") }
        }
        times.sort()
        print(
            pad(name, 18, right: false)
                + String(
                    format: "  median %.2f ms  p99 %.2f ms", times[count / 2] * 1e3, times[(count * 99 - 1) / 100] * 1e3
                ))
    }

    private static func size(of path: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }

    private static func pad(_ text: String, _ width: Int, right: Bool = true) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return right ? space + text : text + space
    }
}

/// Time on the wall and of the processor, in seconds.
struct Spent {
    var wall = 0.0
    var processor = 0.0

    mutating func add(_ other: Spent) {
        wall += other.wall
        processor += other.processor
    }
}

/// Measures a body that runs on the calling thread.
func measured(_ body: () throws -> Void) rethrows -> Spent {
    func processor() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let began = (ContinuousClock.now, processor())
    try body()
    let wall = began.0.duration(to: .now)
    return Spent(wall: wall / .seconds(1), processor: processor() - began.1)
}
