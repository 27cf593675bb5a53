// SQLite's C interface, and the destructor constant that Swift cannot import.
#ifndef TROUPE_CSQLITE_SHIM_H
#define TROUPE_CSQLITE_SHIM_H

#include <sqlite3.h>

/// SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
static inline sqlite3_destructor_type troupe_sqlite_transient(void) { return SQLITE_TRANSIENT; }

#endif
