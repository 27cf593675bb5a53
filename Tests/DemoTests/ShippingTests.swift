// Shipping's decisions, in two releases.

import DemoEvents
import Foundation
import Testing

@testable import DemoShipping

@Suite struct ShippingTests {
    private func paid(_ country: String) -> PaymentTaken {
        PaymentTaken(orderID: "o1", amount: 5, customer: "ada@example.org", country: country)
    }

    @Test func theFirstReleaseKnowsNoZoneForOneCountryAndTheSecondDoes() throws {
        #expect(throws: LabelError.self) { try Shipping(release: 1).dispatch(paid(Catalogue.brokenCountry)) }
        #expect(try Shipping(release: 2).dispatch(paid(Catalogue.brokenCountry)).zone == "EFTA")
    }

    @Test func everyCountryOfTheTrafficIsShippedTo() throws {
        for country in Set(Traffic(count: 400, seed: 1).orders.map(\.country)) {
            #expect(try Shipping(release: 2).dispatch(paid(country)).orderID == "o1")
        }
        #expect(throws: LabelError.self) { try Shipping(release: 2).dispatch(paid("XX")) }
    }

    @Test func anOrderIsDispatchedOnce() throws {
        let store = try ShippingStore(path: ":memory:")
        let first = try store.dispatch(paid("SE"), by: Shipping(release: 1), eventID: "e1")
        let second = try store.dispatch(paid("SE"), by: Shipping(release: 2), eventID: "e1")
        #expect(first == second)
    }

    @Test func whatFailedIsNotRemembered() throws {
        let store = try ShippingStore(path: ":memory:")
        #expect(throws: LabelError.self) {
            try store.dispatch(paid(Catalogue.brokenCountry), by: Shipping(release: 1), eventID: "e1")
        }
        #expect(
            try store.dispatch(paid(Catalogue.brokenCountry), by: Shipping(release: 2), eventID: "e1").zone == "EFTA")
    }
}
