// The command line of the baseline: which workload, where, how much, and librdkafka properties for both clients.
#ifndef BASELINE_OPTIONS_H
#define BASELINE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#define MAX_PROPERTIES 64

typedef struct {
    const char *name;
    const char *value;
} property;

typedef struct {
    const char *workload;
    const char *bootstrap_servers;
    const char *topic;
    const char *output_topic;
    const char *group;
    int64_t records;
    size_t value_size;
    /// What each value is; NULL for `value_size` times the same letter.
    const char *value;
    /// How many different keys are produced.
    int64_t keys;
    /// How many records the pipeline has read at most that are not complete.
    int64_t max_in_flight;
    property consumer_properties[MAX_PROPERTIES];
    size_t consumer_property_count;
    property producer_properties[MAX_PROPERTIES];
    size_t producer_property_count;
} options;

/// Reads the command line. Prints what is wrong and the usage, and exits with 64, when it makes no sense.
options read_options(int count, char **arguments);

#endif
