// Clocks and percentiles.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

static int64_t microseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t) time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t now_us(void) { return microseconds(CLOCK_MONOTONIC); }
int64_t wall_us(void) { return microseconds(CLOCK_REALTIME); }

int64_t parse_time(const char *text) {
    struct tm parts;
    memset(&parts, 0, sizeof parts);
    int milliseconds = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
               &parts.tm_min, &parts.tm_sec, &milliseconds) != 7)
        return -1;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return ((int64_t) timegm(&parts) * 1000 + milliseconds) * 1000;
}

void samples_add(struct samples *samples, int64_t value) {
    if (samples->count == samples->capacity) {
        size_t capacity = samples->capacity == 0 ? 4096 : samples->capacity * 2;
        int64_t *values = realloc(samples->values, capacity * sizeof *values);
        if (values == NULL) return;
        samples->values = values;
        samples->capacity = capacity;
    }
    samples->values[samples->count++] = value;
}

static int compare(const void *one, const void *other) {
    int64_t a = *(const int64_t *) one, b = *(const int64_t *) other;
    return (a > b) - (a < b);
}

int64_t samples_at(struct samples *samples, double share) {
    if (samples->count == 0) return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    size_t index = (size_t) (share * (double) samples->count);
    return samples->values[index < samples->count ? index : samples->count - 1];
}
