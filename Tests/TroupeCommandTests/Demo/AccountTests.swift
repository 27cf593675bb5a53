// The account must see what is astray: each kind of loss is made and must be named.

import DemoEvents
import Foundation
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct AccountTests {
    private let planned = Traffic(count: 80, seed: 3).orders
    private var topics = TopicEvidence()
    private var files = FileEvidence()

    /// A run in which everything went as planned.
    init() {
        for sku in Catalogue.articles.map(\.sku) + [Catalogue.remote] { files.onHand[sku] = Catalogue.initialStock }
        for (number, order) in planned.enumerated() {
            topics.see("\(OrderPlaced.type)", order: order.id, eventID: "p\(order.id)", time: Int64(number))
            for service in order.path.deadLetteringServices.sorted() {
                let place = "\(service).x.dlt/0/\(topics.letters.count)"
                topics.letters.append(
                    TopicEvidence.Letter(place: place, service: service, order: order.id, replayCount: 0))
                if order.path == .brokenCountry { topics.replayed.insert(place) }
            }
            switch order.path.end {
            case .shipped:
                topics.see("\(PaymentTaken.type)", order: order.id, eventID: "t\(order.id)", time: Int64(number) + 5)
                topics.see(
                    "\(ParcelDispatched.type)", order: order.id, eventID: "s\(order.id)", time: Int64(number) + 10)
                let total = order.placed(at: Date(timeIntervalSince1970: 0)).total
                files.movements.append(FileEvidence.Movement(order: order.id, amount: "\(total)"))
                for line in order.lines {
                    files.held[order.id, default: [:]][line.sku, default: 0] += line.quantity
                    files.onHand[line.sku, default: 0] -= line.quantity
                }
            case .cancelled:
                topics.see("\(OrderCancelled.type)", order: order.id, eventID: "c\(order.id)", time: Int64(number) + 10)
                if order.path == .stolenCard { files.withdrawn.insert(order.id) }
            case .deadLettered: break
            }
        }
        files.metOutage = Set(planned.filter { $0.path == .happy }.prefix(3).map(\.id))
    }

    private func id(_ path: OrderPath) throws -> String { try #require(planned.first { $0.path == path }).id }

    private func account(_ topics: TopicEvidence? = nil, _ files: FileEvidence? = nil) -> Account {
        Account(planned: planned, topics: topics ?? self.topics, files: files ?? self.files)
    }

    private func astray(_ account: Account) -> [String: [String]] {
        Dictionary(uniqueKeysWithValues: account.findings.filter { !$0.astray.isEmpty }.map { ($0.title, $0.astray) })
    }

    @Test func aRunThatWentAsPlannedIsBalanced() {
        let account = account()
        #expect(astray(account) == [:])
        #expect(account.isBalanced)
        #expect(account.paths.map(\.expected).reduce(0, +) == 80)
        #expect(account.paths.allSatisfy { $0.expected == $0.seen && $0.expected > 0 })
        #expect(account.latency(0.5) == 10)
        #expect(account.latencies.count == planned.count { $0.path.deadLetteringServices.isEmpty })
    }

    @Test func anOrderThatVanishedIsNamed() throws {
        var topics = topics
        let lost = try id(.happy)
        topics.sightings["\(ParcelDispatched.type)"]?[lost] = nil
        let found = astray(account(topics))
        #expect(found["every order ends once"] == [lost])
        #expect(found["every order went its way"] == ["\(lost) (shipped)"])
    }

    @Test func anOrderThatWasNeverPlacedIsNamed() throws {
        var topics = topics
        let lost = try id(.outOfStock)
        topics.sightings["\(OrderPlaced.type)"]?[lost] = nil
        #expect(astray(account(topics))["placed"] == [lost])
    }

    @Test func anOrderThatEndedTwiceIsNamed() throws {
        var topics = topics
        let both = try id(.happy)
        topics.see("\(OrderCancelled.type)", order: both, eventID: "x", time: 1)
        #expect(astray(account(topics))["every order ends once"] == [both])
    }

    @Test func anOrderNobodyPlannedIsNamed() {
        var topics = topics
        topics.see("\(ParcelDispatched.type)", order: "stranger", eventID: "x", time: 1)
        #expect(astray(account(topics))["every order ends once"] == ["stranger"])
    }

    @Test func aLetterThatWasReplayedButNotHandledIsNamed() throws {
        var topics = topics
        let lost = try id(.brokenCountry)
        topics.sightings["\(ParcelDispatched.type)"]?[lost] = nil
        #expect(astray(account(topics))["every order ends once"] == [lost])
    }

    @Test func aLetterWhereNoneBelongsIsNamed() throws {
        var topics = topics
        let order = try id(.happy)
        topics.letters.append(TopicEvidence.Letter(place: "x", service: "notifications", order: order, replayCount: 0))
        #expect(astray(account(topics))["dead letters"] == ["\(order) (notifications)"])
    }

    @Test func aDoubleChargeAWrongChargeAndAMissingOneAreNamed() throws {
        let paid = planned.filter { $0.path == .happy }.prefix(3).map(\.id)
        var files = files
        files.movements.append(try #require(files.movements.first { $0.order == paid[0] }))
        files.movements.removeAll { $0.order == paid[1] }
        let wrong = try #require(files.movements.firstIndex { $0.order == paid[2] })
        files.movements[wrong].amount = "0.01"
        let free = try id(.outOfStock)
        files.movements.append(FileEvidence.Movement(order: free, amount: "1"))
        #expect(astray(account(nil, files)) == ["every paid order is charged once": (paid + [free]).sorted()])
    }

    @Test func stockThatVanishedIsNamed() throws {
        var files = files
        files.onHand["lamp", default: 0] -= 1
        #expect(astray(account(nil, files)) == ["stock is conserved": ["lamp"]])
        var leaking = self.files
        let cancelled = try id(.paymentDeclined)
        leaking.held[cancelled] = ["mug": 1]
        leaking.onHand["mug", default: 0] -= 1
        #expect(astray(account(nil, leaking)) == ["stock is conserved": [cancelled]])
    }

    @Test func aRepetitionUnderAnotherIDIsNamedAndUnderTheSameIsNot() throws {
        let order = try id(.happy)
        var topics = topics
        topics.see("\(ParcelDispatched.type)", order: order, eventID: "s\(order)", time: 99)
        #expect(account(topics).isBalanced)
        topics.see("\(ParcelDispatched.type)", order: order, eventID: "other", time: 99)
        #expect(astray(account(topics)) == ["duplicates": ["\(order) (\(ParcelDispatched.type))"]])
    }

    @Test func anOutageNobodyMetIsNoSuccess() {
        var files = files
        files.metOutage = []
        #expect(Set(astray(account(nil, files)).keys) == ["retried through the outage"])
    }

    @Test func anOrderReleasedBeforeItsReservationMustHoldNothing() throws {
        var files = files
        files.held[try id(.stolenCard)] = ["lamp": 1]
        #expect(astray(account(nil, files)).keys.contains("released before reserved"))
        files = self.files
        files.withdrawn = []
        #expect(astray(account(nil, files)).isEmpty)
    }

    @Test func theTextNamesEveryOrderThatIsAstray() throws {
        var topics = topics
        let lost = try id(.happy)
        topics.sightings["\(ParcelDispatched.type)"]?[lost] = nil
        let text = AccountText(account(topics)).lines(.plain).joined(separator: "\n")
        #expect(text.contains(lost))
        #expect(text.hasSuffix("The account is NOT balanced."))
        #expect(AccountText(account()).lines(.plain).last?.hasPrefix("The account is balanced") == true)
    }
}
