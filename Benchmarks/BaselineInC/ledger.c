// The bitmap window over a partition's offsets.
#include "ledger.h"

#include <string.h>

static void set_complete(ledger *ledger, int64_t offset) {
    ledger->complete[offset % LEDGER_WINDOW / 64] |= 1ull << (offset % 64);
}

static void advance(ledger *ledger) {
    while (ledger->base < ledger->next) {
        uint64_t *word = &ledger->complete[ledger->base % LEDGER_WINDOW / 64];
        uint64_t bit = 1ull << (ledger->base % 64);
        if (!(*word & bit)) return;
        *word &= ~bit;
        ledger->base++;
    }
}

void ledger_reset(ledger *ledger) {
    memset(ledger, 0, sizeof *ledger);
    ledger->base = -1;
}

int ledger_is_full(const ledger *ledger) {
    return ledger->base >= 0 && ledger->next - ledger->base >= LEDGER_WINDOW;
}

void ledger_take(ledger *ledger, int64_t offset, uint16_t count) {
    if (ledger->base < 0 || (ledger->base == ledger->next && offset > ledger->next)) {
        if (ledger->base < 0) ledger->committed = offset;
        ledger->base = ledger->next = offset;
    }
    for (; ledger->next < offset; ledger->next++) set_complete(ledger, ledger->next);
    ledger->next = offset + 1;
    ledger->unacknowledged[offset % LEDGER_WINDOW] = count;
    if (!count) {
        set_complete(ledger, offset);
        advance(ledger);
    }
}

int ledger_acknowledge(ledger *ledger, int64_t offset) {
    if (--ledger->unacknowledged[offset % LEDGER_WINDOW]) return 0;
    set_complete(ledger, offset);
    advance(ledger);
    return 1;
}
