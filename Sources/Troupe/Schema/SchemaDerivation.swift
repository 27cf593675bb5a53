// Derives forms by running `init(from:)` again and again over decoders without data.

/// What one run of an `init(from:)` is told.
struct SchemaTrial {
    /// What strings are answered with.
    var text = ""
    /// Which of an enumeration's keys is there.
    var variant = 0
    /// What is refused: a place in the type, and how often.
    var refusal: (place: String, count: Int)?
}

/// Derives the forms of types; each type once.
final class SchemaDerivation {
    /// Strings that types with rules of their own may take.
    private static let texts = [
        "", "a", "1", "00000000-0000-7000-8000-000000000000", "2026-01-01T00:00:00.000Z", "2026-01-01",
        "https://example.com/", "a@example.com", "EUR", "DE", "en", "a.b", "a-1",
    ]
    /// How deep types may nest.
    private static let maxDepth = 64
    /// How many forms a place may have.
    private static let maxForms = 8
    /// How often an `init(from:)` is run for one schema: types that contain one another in many ways are cut short.
    private static let maxRuns = 10_000

    private var known: [ObjectIdentifier: Derived<Any>] = [:]
    /// The types whose forms are being derived, outermost first.
    private var open: [ObjectIdentifier] = []
    /// The outermost open type that cut something short, by its place in `open`.
    private var outermostCut = Int.max
    private var runs = 0

    /// The form of a type, and a sample.
    func derive<T: Decodable>(_ type: T.Type) -> Derived<T> {
        if let derived = SchemaTypes.known(type) { return derived }
        let id = ObjectIdentifier(type)
        if let derived = known[id] { return Derived(node: derived.node, sample: derived.sample as? T) }
        if let place = open.firstIndex(of: id) ?? (open.count < Self.maxDepth && runs < Self.maxRuns ? nil : 0) {
            outermostCut = min(outermostCut, place)
            return Derived(node: .unknown("\(type) once more"), sample: nil)
        }
        let depth = open.count
        open.append(id)
        defer { open.removeLast() }
        let derived: Derived<T>
        if let composite = type as? any SchemaComposite.Type {
            let parts = composite.derive(by: self)
            derived = Derived(node: parts.node, sample: parts.sample as? T)
        } else {
            derived = SchemaTypes.enumeration(type) ?? ask(type)
        }
        // What was cut short by a type that is open around it has another form elsewhere.
        if outermostCut >= depth {
            outermostCut = .max
            known[id] = Derived(node: derived.node, sample: derived.sample)
        }
        return derived
    }

    /// The form of a type that only its `init(from:)` knows.
    private func ask<T: Decodable>(_ type: T.Type) -> Derived<T> {
        var trial = SchemaTrial()
        var (record, sample) = run(type, trial)
        if sample == nil, !record.lacksSample {
            for text in Self.texts.dropFirst() {
                var other = trial
                other.text = text
                let (again, value) = run(type, other)
                guard value != nil else { continue }
                (record, sample, trial) = (again, value, other)
                break
            }
        }
        let names = record.root.variants
        if !names.isEmpty, sample.map({ Mirror(reflecting: $0).displayStyle == .enum }) ?? true {
            var nodes: [SchemaNode] = []
            for variant in names.indices {
                trial.variant = variant
                let (record, value) = run(type, trial)
                sample = sample ?? value
                nodes.append(probe(type, record, trial, isComplete: value != nil))
            }
            return Derived(node: .any(of: nodes), sample: sample)
        }
        return Derived(node: probe(type, record, trial, isComplete: sample != nil), sample: sample)
    }

    /// The form after a first run, made exact by refusing one thing at a time.
    private func probe<T: Decodable>(
        _ type: T.Type, _ record: SchemaRecord, _ trial: SchemaTrial, isComplete: Bool
    ) -> SchemaNode {
        let places = record.places
        for place in places {
            for count in 1...Self.maxForms {
                var refusing = trial
                refusing.refusal = (place, count)
                let (other, value) = run(type, refusing)
                record.root.merge(other.root, isOptional: true)
                // Refused as often as it was asked for: either nobody minds, or it is needed.
                guard other.attempts(at: place) <= count else { continue }
                if value != nil { record.root.makeOptional(place) }
                break
            }
        }
        return record.root.node(
            comment: isComplete ? nil : record.obstacle ?? "\(type) reads more than could be found out")
    }

    private func run<T: Decodable>(_ type: T.Type, _ trial: SchemaTrial) -> (SchemaRecord, T?) {
        runs += 1
        let record = SchemaRecord(self, trial)
        let value = try? T(from: SchemaRecorder(record: record, slot: record.root, codingPath: []))
        return (record, value)
    }
}
