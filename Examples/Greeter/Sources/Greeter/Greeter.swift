// A whole service: it greets everybody who signs up.

import Troupe

struct PersonSignedUp: Event {
    static let type: EventType = "example.person.signed-up"
    static let topic: Topic = "people"
    let name: String
    var key: EventKey { EventKey(name) }
}

struct GreetingWritten: Event {
    static let type: EventType = "example.greeting.written"
    static let topic: Topic = "greetings"
    let name: String
    let text: String
    var key: EventKey { EventKey(name) }
}

@main
enum Greeter {
    static func main() async throws {
        var router = EventRouter()
        router.on(PersonSignedUp.self, publishes: .one(GreetingWritten.self)) { person, _ in
            GreetingWritten(name: person.name, text: "Welcome, \(person.name)!")
        }
        try await EventService("greeter", router: router).runService()
    }
}
