// What shipping decides: the label of a parcel.

import DemoEvents

/// No label can be printed.
struct LabelError: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// The rules of shipping, in two releases.
struct Shipping: Sendable {
    /// The release: 1 knows no customs zone for Iceland, 2 does.
    let release: Int

    /// The customs zone a country lies in.
    func zone(of country: String) throws(LabelError) -> String {
        switch country {
        case "AT", "DE", "FR", "PL", "SE": return "EU"
        case "CH", "NO": return "EFTA"
        case "IS" where release >= 2: return "EFTA"
        case "US": return "WORLD"
        default: throw LabelError(description: "no customs zone is known for country \(country)")
        }
    }

    /// The parcel of a paid order; the same order always gets the same number.
    func dispatch(_ order: PaymentTaken) throws(LabelError) -> ParcelDispatched {
        let zone = try zone(of: order.country)
        return ParcelDispatched(
            orderID: order.orderID, customer: order.customer, zone: zone, trackingNumber: "\(zone)-\(order.orderID)")
    }
}
