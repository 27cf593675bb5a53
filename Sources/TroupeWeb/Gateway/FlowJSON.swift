// Flows and their events as JSON, with the names of CloudEvents' JSON format.

import EventJSON
import Troupe

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which events' payloads clients get to see.
public enum PayloadVisibility: String, Sendable, Hashable, CaseIterable {
    /// None.
    case none
    /// That of the event that ended the flow, which is the answer to who started it.
    case endings
    /// All: also those of events that services mean for each other only.
    case all
}

/// Writes flows as JSON.
enum FlowJSON {
    /// A flow: its status, what ended it, and its events.
    static func object(_ flow: FlowSnapshot, _ payloads: PayloadVisibility) -> [UInt8] {
        var json = JSONText()
        json.add("id", flow.id)
        json.add("status", flow.status)
        if let ending = flow.ending { json.add("ending", json: object(ending, withData: payloads != .none)) }
        json.add("events", list: flow.events.map { object($0, withData: payloads == .all) })
        if flow.omittedEvents > 0 { json.add("omittedEvents", flow.omittedEvents) }
        return json.finished
    }

    /// An event: attributes and, if it may be seen, data.
    static func object(_ event: FlowEvent, withData: Bool) -> [UInt8] {
        let envelope = event.envelope
        var json = JSONText()
        json.add("id", envelope.id)
        json.add("type", envelope.type.rawValue)
        json.add("source", envelope.source)
        json.add("subject", envelope.subject)
        json.add("time", envelope.time.map { RFC3339.text(milliseconds: $0) })
        json.add("causationid", envelope.causationID)
        guard withData, let data = event.data else { return json.finished }
        json.add("datacontenttype", envelope.contentType)
        if data.withUnsafeBytes({ JSONText.isValid($0) }) {
            json.add("data", json: data)
        } else {
            json.add("data_base64", Data(data).base64EncodedString())
        }
        return json.finished
    }
}
