// The other side of the greeter: signs people up from outside a handler, and prints each greeting that comes back.
//
// It declares the events it shares with the greeter for itself: services agree on what is on the wire, and on no code.

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
enum Visitor {
    static func main() async throws {
        let people = CommandLine.arguments.dropFirst()
        let publisher = try await EventPublisher("visitor")
        for name in people {
            // The key makes a repetition recognisable: signing up twice is the same event.
            try await publisher.publish(PersonSignedUp(name: name), idempotencyKey: name)
        }
        await publisher.shutdown()

        let (greetings, greeted) = AsyncStream.makeStream(of: GreetingWritten.self)
        var router = EventRouter()
        router.on(GreetingWritten.self) { greeting, _ in
            greeted.yield(greeting)
        }
        let service = EventService("visitor", router: router)
        let running = Task { try await service.runService() }

        var waiting = Set(people)
        for await greeting in greetings where waiting.remove(greeting.name) != nil {
            print(greeting.text)
            if waiting.isEmpty { break }
        }
        running.cancel()
        try await running.value
    }
}
