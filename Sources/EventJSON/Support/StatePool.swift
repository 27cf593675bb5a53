// Where the coders' reusable memory lies: states are taken for one call and given back, and never freed.

import Synchronization

/// Memory that a coder uses for one call after another.
///
/// A state is never freed, and its generation changes when a call ends. So a container that escaped its call can always
/// ask whether its time is over, and never reads what another call put there.
protocol ReusableState: ~Copyable {
    /// A state with its first memory.
    init()
    /// Which call the state serves: another number for each, 0 for none.
    var generation: UInt32 { get set }
    /// Gives back what a call made unusually large.
    mutating func shrink()
}

/// States that nobody uses.
///
/// There are as many as calls were ever under way at once. One is kept aside without a lock, for the usual case of one
/// thread that codes one event after the other.
struct StatePool<State: ReusableState & ~Copyable>: ~Copyable {
    private let spare = Atomic<UInt>(0)
    private let others = Mutex<[UInt]>([])

    /// A state for one call, with a generation no container has seen.
    @inline(__always) borrowing func take() -> UnsafeMutablePointer<State> {
        let address = spare.exchange(0, ordering: .acquiring)
        guard let state = UnsafeMutablePointer<State>(bitPattern: address) else { return takeOther() }
        return state
    }

    /// Ends the call: from here on its containers find another generation.
    @inline(__always) borrowing func give(_ state: UnsafeMutablePointer<State>) {
        state.pointee.generation &+= 1
        state.pointee.shrink()
        // After four thousand million calls a generation would come again: the state is then left alone.
        guard state.pointee.generation != .max else { return }
        let address = UInt(bitPattern: state)
        if !spare.compareExchange(expected: 0, desired: address, ordering: .releasing).exchanged { giveOther(address) }
    }

    @inline(never) private borrowing func takeOther() -> UnsafeMutablePointer<State> {
        if let address = others.withLock({ $0.popLast() }), let state = UnsafeMutablePointer<State>(bitPattern: address)
        {
            return state
        }
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State())
        return state
    }

    @inline(never) private borrowing func giveOther(_ address: UInt) { others.withLock { $0.append(address) } }
}
