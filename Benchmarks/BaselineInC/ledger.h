// Which offsets of a partition are complete, and up to where they are contiguous: what may be committed.
#ifndef BASELINE_LEDGER_H
#define BASELINE_LEDGER_H

#include <stdint.h>

#define LEDGER_WINDOW 16384

typedef struct {
    /// The first offset that is not complete; -1 before the first record.
    int64_t base;
    /// One more than the last offset taken.
    int64_t next;
    /// The offset committed last.
    int64_t committed;
    uint64_t complete[LEDGER_WINDOW / 64];
    /// How many records an offset's handling has published that are not acknowledged.
    uint16_t unacknowledged[LEDGER_WINDOW];
} ledger;

void ledger_reset(ledger *ledger);
int ledger_is_full(const ledger *ledger);

/// Takes an offset that awaits `count` acknowledgements. Offsets that were skipped over count as complete.
void ledger_take(ledger *ledger, int64_t offset, uint16_t count);

/// One acknowledgement came. True when it was the offset's last.
int ledger_acknowledge(ledger *ledger, int64_t offset);

#endif
