// A record copied out of librdkafka, in one allocation: a kept message would pin its whole fetch buffer.
#ifndef BASELINE_RECORD_H
#define BASELINE_RECORD_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_HEADERS 32

typedef struct {
    const char *bytes;
    size_t length;
} slice;

typedef struct {
    slice name;
    slice value;
} header;

typedef struct {
    int64_t offset;
    int32_t partition;
    slice key;
    slice value;
    size_t header_count;
    header headers[MAX_HEADERS];
} record;

/// Copies the message with its key, value and headers. Free it with `free`.
record *copy_record(const rd_kafka_message_t *message);

/// The value of the last header of that name, or an empty slice.
slice find_header(const record *record, const char *name);

#endif
