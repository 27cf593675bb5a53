// The load generator's parts: what is sent, how it is scheduled, what is measured.
#ifndef TROUPE_GATEWAY_LOAD_H
#define TROUPE_GATEWAY_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What the command line asks for.
struct options {
    bool hold;        ///< Hold requests that wait, instead of posting at a rate.
    uint16_t port;    ///< The gateway's port on this machine.
    int connections;  ///< Connections held, or at most opened.
    double rate;      ///< Requests a second, from their intended start.
    double seconds;   ///< How long, when posting.
    int wait;         ///< Seconds a held request asks to wait.
};

/// Values of which percentiles are wanted, in microseconds.
struct samples {
    int64_t *values;
    size_t count, capacity;
};

void samples_add(struct samples *samples, int64_t value);
/// The value below which a share of all values lies; 0 when there is none. Sorts.
int64_t samples_at(struct samples *samples, double share);

/// What came of the requests.
struct results {
    struct samples latency;  ///< From the intended start to the end of the answer.
    struct samples ending;   ///< From the ending event's time to the end of the answer.
    long sent, answered, accepted, ended, refused, dropped;
    int most_open;           ///< The most connections that were open at once.
};

int64_t now_us(void);
/// Microseconds since 1970.
int64_t wall_us(void);
/// The time in an RFC 3339 text with milliseconds, in microseconds since 1970; -1 when it is none.
int64_t parse_time(const char *text);

/// Runs what the options ask for; returns 0, or -1 when nothing could be connected.
int run_load(const struct options *options, struct results *results);

#endif
