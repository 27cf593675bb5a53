// The clock and the result line.
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

double monotonic_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void print_result(const char *workload, int64_t records, double seconds, int64_t commits) {
    printf("{\"workload\": \"%s\", \"side\": \"c\", \"records\": %" PRId64 ", \"seconds\": %.6f, \"commits\": %" PRId64 "}\n",
           workload, records, seconds, commits);
}
