// The CloudEvents headers of an event: those of the input, and those of a follow-on event with its derived id.
#ifndef BASELINE_ENVELOPE_H
#define BASELINE_ENVELOPE_H

#include "record.h"

/// What a follow-on event takes over from the event that caused it.
typedef struct {
    slice id;
    slice source;
    slice type;
    slice correlation_id;
    slice traceparent;
} parent_event;

/// Finds the known headers in one pass. False if one that CloudEvents requires is missing.
int parse_parent(const record *record, parent_event *parent);

/// The ten headers of the one event that the handling of `parent` publishes. Owned by the caller until produced.
rd_kafka_headers_t *follow_on_headers(const parent_event *parent, const char *source, const char *type, slice subject);

/// The headers of an event that starts a flow.
rd_kafka_headers_t *first_headers(const char *source, const char *type, slice subject);

#endif
