// What one run of an `init(from:)` asked for.

/// What one run of an `init(from:)` asked for.
final class SchemaRecord {
    let derivation: SchemaDerivation
    let trial: SchemaTrial
    let root = SchemaSlot(place: "")
    /// The places that were asked for a value, in order.
    private(set) var places: [String] = []
    private var counts: [String: Int] = [:]
    /// Whether a value was asked for of which there is no sample.
    private(set) var lacksSample = false
    /// What kept the run from its end.
    private(set) var obstacle: String?

    init(_ derivation: SchemaDerivation, _ trial: SchemaTrial) {
        self.derivation = derivation
        self.trial = trial
    }

    func attempts(at place: String) -> Int { counts[place] ?? 0 }

    /// Answers a request for a value at a place.
    func value<T: Decodable>(_ type: T.Type, at slot: SchemaSlot, _ path: [any CodingKey]) throws -> T {
        let attempt = attempts(at: slot.place) + 1
        counts[slot.place] = attempt
        if attempt == 1 { places.append(slot.place) }
        let derived = derivation.derive(type)
        slot.add(derived.node)
        if let refusal = trial.refusal, refusal.place == slot.place, attempt <= refusal.count {
            throw DecodingError.valueNotFound(
                type, DecodingError.Context(codingPath: path, debugDescription: "Refused to see what follows"))
        }
        if let text = trial.text as? T { return text }
        guard let sample = derived.sample else {
            lacksSample = true
            obstacle = obstacle ?? "No value of \(type) could be made: what is read after it is not known"
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: path, debugDescription: "There is no sample of \(type)"))
        }
        return sample
    }
}

/// A place in a type: what is read there.
final class SchemaSlot {
    /// The keys on the way to it.
    let place: String
    /// The forms it was read in.
    private var forms: [SchemaNode] = []
    /// Members, when it was read as an object.
    private var members: [(name: String, slot: SchemaSlot)]?
    /// Elements, when it was read as an array.
    private var elements: [SchemaSlot]?
    /// The names of which one is there, when it was asked which are.
    var variants: [String] = []
    /// Whether names were asked for that cannot be foreseen.
    var isOpen = false
    /// Whether it may be missing.
    var isOptional = false
    /// Whether it may be null.
    var isNullable = false

    init(place: String) { self.place = place }

    func add(_ node: SchemaNode) {
        if !forms.contains(node) { forms.append(node) }
    }

    func becomeObject() { members = members ?? [] }
    func becomeArray() { elements = elements ?? [] }

    func member(_ name: String) -> SchemaSlot {
        if let slot = members?.first(where: { $0.name == name })?.slot { return slot }
        let slot = SchemaSlot(place: place + "/" + name)
        members = (members ?? []) + [(name, slot)]
        return slot
    }

    func element(_ index: Int) -> SchemaSlot {
        var all = elements ?? []
        while all.count <= index { all.append(SchemaSlot(place: place + "/\(all.count)")) }
        elements = all
        return all[index]
    }

    /// Adds what another run found.
    func merge(_ other: SchemaSlot, isOptional: Bool) {
        for form in other.forms { add(form) }
        self.isOptional = self.isOptional || other.isOptional
        isNullable = isNullable || other.isNullable
        isOpen = isOpen || other.isOpen
        if let theirs = other.members {
            becomeObject()
            for (name, slot) in theirs {
                let isNew = !(members ?? []).contains { $0.name == name }
                let mine = member(name)
                mine.merge(slot, isOptional: isOptional)
                if isNew, isOptional { mine.isOptional = true }
            }
        }
        if let theirs = other.elements {
            becomeArray()
            for (index, slot) in theirs.enumerated() { element(index).merge(slot, isOptional: isOptional) }
        }
    }

    func makeOptional(_ place: String) {
        if self.place == place { isOptional = true }
        for (_, slot) in members ?? [] { slot.makeOptional(place) }
        for slot in elements ?? [] { slot.makeOptional(place) }
    }

    /// The form of what is read here.
    func node(comment: String?) -> SchemaNode {
        var nodes = forms
        if let members {
            let properties = members.map {
                SchemaNode.Property(name: $0.name, node: $0.slot.node(comment: nil), isRequired: !$0.slot.isOptional)
            }
            if isOpen, properties.isEmpty {
                nodes.append(.map(.unknown("Names and values are found out when it is read")))
            } else {
                nodes.append(.object(properties, comment: comment))
            }
        }
        if let elements {
            let found = elements.map { $0.node(comment: nil) }
            let isUniform = Set(found).count == 1
            nodes.append(
                found.isEmpty
                    ? .array(.unknown("No element was read"), isUnique: false)
                    : isUniform ? .array(found[0], isUnique: false) : .tuple(found))
        }
        guard !nodes.isEmpty else { return isNullable ? .scalar("null") : .unknown(comment ?? "Nothing is read of it") }
        return isNullable ? .nullable(.any(of: nodes)) : .any(of: nodes)
    }
}
