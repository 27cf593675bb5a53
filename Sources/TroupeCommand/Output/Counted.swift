// Numbers of things, in words that agree with them.

/// A number and what it counts: "1 letter", "2 letters".
///
/// - Parameter plural: The word for several, where it is not the word for one with an s.
func counted(_ number: some BinaryInteger, _ one: String, _ plural: String? = nil) -> String {
    number == 1 ? "1 \(one)" : "\(number) \(plural ?? one + "s")"
}
