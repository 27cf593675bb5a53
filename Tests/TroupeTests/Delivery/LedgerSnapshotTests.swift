// What is committed beside an offset: written, read, damaged.

import Testing

@testable import Troupe

@Suite struct LedgerSnapshotTests {
    private func defect(_ base: Int64, _ metadata: String) -> LedgerSnapshot.Defect? {
        do throws(LedgerSnapshot.Defect) {
            _ = try LedgerSnapshot(base: base, metadata: metadata)
            return nil
        } catch { return error }
    }

    @Test func contiguousCompletionNeedsNoMetadata() throws {
        #expect(LedgerSnapshot(base: 7).metadata.isEmpty)
        #expect(LedgerSnapshot(base: 7, words: [0, 0]).metadata.isEmpty)
        #expect(try LedgerSnapshot(base: 7, metadata: "") == LedgerSnapshot(base: 7))
    }

    @Test func theFullWindowFitsIntoTheBrokersLimit() throws {
        let words = [UInt64](repeating: .max, count: Int(OffsetLedger.window / 64))
        let full = LedgerSnapshot(base: .max - OffsetLedger.window, words: words)
        #expect(full.metadata.utf8.count == 2_752)
        #expect(try LedgerSnapshot(base: full.base, metadata: full.metadata) == full)
    }

    @Test func theWireFormIsFixed() throws {
        // A test vector: a change of these bytes needs a new version.
        let snapshot = LedgerSnapshot(base: 1_000, words: [0b1010, 1])
        #expect(snapshot.metadata == "troupe-ledger:1:dACA0AoAAAAAAAAAAQ==")
    }

    @Test func foreignMetadataIsToldApart() {
        #expect(defect(5, "consumer-7@host") == .foreign)
        #expect(defect(5, "troupe-ledger:2:AAAA") == .unknownVersion)
        #expect(defect(5, "troupe-ledger:") == .unknownVersion)
        #expect(defect(5, "troupe-ledger:1:") == .damaged)
        #expect(defect(5, "troupe-ledger:1:%%%") == .damaged)
        let longer = [UInt64](repeating: 1, count: Int(OffsetLedger.window / 64) + 1)
        #expect(defect(5, LedgerSnapshot(base: 5, words: longer).metadata) == .damaged)
    }

    @Test func metadataOfAnotherOffsetIsNotBelieved() {
        let metadata = LedgerSnapshot(base: 5, words: [0b100]).metadata
        #expect(defect(5, metadata) == nil)
        #expect(defect(6, metadata) == .damaged)
    }

    @Test func anyChangedCharacterIsNoticed() {
        let metadata = LedgerSnapshot(base: 5, words: [0x8000_0000_0000_0002, 0x42]).metadata
        for index in metadata.indices {
            var changed = metadata
            changed.replaceSubrange(index...index, with: metadata[index] == "B" ? "C" : "B")
            #expect(defect(5, changed) != nil, "\(changed)")
        }
    }
}
