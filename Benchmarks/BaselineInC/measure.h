// What is measured: the time from the first record until all is acknowledged, committed and closed in order. CPU time
// and memory are taken from outside.
#ifndef BASELINE_MEASURE_H
#define BASELINE_MEASURE_H

#include <stdint.h>

/// Seconds on the monotonic clock.
double monotonic_seconds(void);

/// Prints one line of JSON: the workload, its records and the seconds they took.
void print_result(const char *workload, int64_t records, double seconds, int64_t commits);

#endif
