// Random numbers for span ids and jitter: fast, shared between threads, repeatable from a seed.

import Synchronization

/// A generator of random numbers that costs one atomic addition.
///
/// Not for secrets.
///
/// SplitMix64 (Steele, Lea and Flood, 2014) over an atomic counter.
package final class FastRandom: Sendable {
    private let state: Atomic<UInt64>

    /// Begins at `seed`.
    package init(seed: UInt64) { state = Atomic(seed) }

    /// Begins at a random seed.
    package convenience init() { self.init(seed: UInt64.random(in: .min ... .max)) }

    /// The next 64 random bits.
    package func next() -> UInt64 {
        let increment: UInt64 = 0x9e37_79b9_7f4a_7c15
        var mixed = state.wrappingAdd(increment, ordering: .relaxed).newValue
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// A random number of at least 0 and less than 1.
    package func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
