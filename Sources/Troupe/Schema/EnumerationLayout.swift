// The cases of an enumeration that does not list them, by Swift's layout of such types.

/// Lists the cases of enumerations without values.
///
/// The synthesized `init(from:)` of `enum Size: String, Codable` says which string it does not take, and never which it
/// takes; nor can a value of the type be made otherwise, and without one the rest of the object that holds it would stay
/// unknown. So this is the one place where a value is made of its bits.
enum EnumerationLayout {
    /// The cases in the order of their declaration; `nil` for a type that is no enumeration without values.
    ///
    /// It relies on this: an enumeration of 2 to 255 cases without values is one byte that counts them, and `nil` of its
    /// optional is the first byte that is no case, so their number. An enumeration of a single case has no bytes, and
    /// cannot be told from one of none, of which there is no value: it counts as unknown.
    static func cases<T>(of type: T.Type) -> [T]? {
        guard _isPOD(type), MemoryLayout<T>.size == 1, MemoryLayout<T?>.size == 1 else { return nil }
        // Cases with values come first in the layout: when the byte 0 is a case without one, all are.
        guard isPlainCase(unsafeBitCast(UInt8(0), to: T.self)) else { return nil }
        let count = unsafeBitCast(T?.none, to: UInt8.self)
        return (0..<count).map { unsafeBitCast($0, to: T.self) }
    }

    private static func isPlainCase<T>(_ value: T) -> Bool {
        let mirror = Mirror(reflecting: value)
        return mirror.displayStyle == .enum && mirror.children.isEmpty
    }
}
