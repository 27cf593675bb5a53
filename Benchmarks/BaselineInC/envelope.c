// Stamping CloudEvents headers: UUIDs (RFC 9562), RFC 3339 time and W3C trace context, written without the C library's
// formatting, which would dominate the cost.
#define _GNU_SOURCE
#include "envelope.h"

#include "client.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#define UUID_LENGTH 36
#define TRACEPARENT_LENGTH 55
#define TIME_LENGTH 24

static const char digits[] = "0123456789abcdef";

static void write_hex(char *out, uint64_t value, int count) {
    for (int i = count - 1; i >= 0; i--, value >>= 4) out[i] = digits[value & 15];
}

/// SplitMix64, seeded once by the system.
static uint64_t next_random(void) {
    static uint64_t state;
    while (!state) if (getrandom(&state, sizeof state, 0) != sizeof state) fail("no random seed");
    uint64_t mixed = (state += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

static void write_uuid(char *out, uint64_t milliseconds, int version, uint64_t high, uint64_t low) {
    write_hex(out, milliseconds >> 16, 8);
    out[8] = '-';
    write_hex(out + 9, milliseconds & 0xffff, 4);
    out[13] = '-';
    write_hex(out + 14, (uint64_t)version << 12 | (high & 0xfff), 4);
    out[18] = '-';
    write_hex(out + 19, 0x8000 | (high >> 12 & 0x3fff), 4);
    out[23] = '-';
    write_hex(out + 24, low, 12);
}

static uint64_t hash_slice(uint64_t hash, slice text) {
    for (size_t i = 0; i < text.length; i++) hash = (hash ^ (unsigned char)text.bytes[i]) * 0x100000001b3;
    return (hash ^ 0xff) * 0x100000001b3;
}

/// The 48-bit time at the start of a version 7 or 8 UUID, or 0 where the id is no UUID.
static uint64_t uuid_time(slice id) {
    if (id.length != UUID_LENGTH) return 0;
    uint64_t time = 0;
    for (int i = 0; i < 13; i++) {
        char c = id.bytes[i];
        if (i == 8) continue;
        if (c >= '0' && c <= '9') time = time << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f') time = time << 4 | (uint64_t)(c - 'a' + 10);
        else return 0;
    }
    return time;
}

/// An id that the same handling gives again: the parent's time, then a hash of all that makes the event what it is.
static void write_follow_on_id(char *out, const parent_event *parent, const char *source, const char *type) {
    slice service = {source, strlen(source)}, name = {type, strlen(type)};
    uint64_t hash = 0xcbf29ce484222325;
    hash = hash_slice(hash, parent->source);
    hash = hash_slice(hash, parent->id);
    hash = hash_slice(hash, service);
    hash = hash_slice(hash, name);
    uint64_t other = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
    write_uuid(out, uuid_time(parent->id), 8, hash, other ^ other >> 29);
}

static void write_time(char *out, const struct timespec *now) {
    static time_t second;
    static char text[32];
    if (second != now->tv_sec) {
        struct tm parts;
        second = now->tv_sec;
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", gmtime_r(&second, &parts));
    }
    int milliseconds = (int)(now->tv_nsec / 1000000);
    memcpy(out, text, 20);
    out[20] = (char)('0' + milliseconds / 100);
    out[21] = (char)('0' + milliseconds / 10 % 10);
    out[22] = (char)('0' + milliseconds % 10);
    out[23] = 'Z';
}

/// A new span in the parent's trace, or in a new trace.
static void write_traceparent(char *out, slice parent) {
    memcpy(out, "00-", 3);
    if (parent.length == TRACEPARENT_LENGTH) {
        memcpy(out + 3, parent.bytes + 3, 32);
    } else {
        write_hex(out + 3, next_random(), 16);
        write_hex(out + 19, next_random(), 16);
    }
    out[35] = '-';
    write_hex(out + 36, next_random(), 16);
    memcpy(out + 52, "-01", 3);
}

static void add(rd_kafka_headers_t *headers, const char *name, const char *value, size_t length) {
    rd_kafka_resp_err_t error = rd_kafka_header_add(headers, name, (ssize_t)strlen(name), value, (ssize_t)length);
    if (error) fail("cannot add the header %s: %s", name, rd_kafka_err2str(error));
}

static rd_kafka_headers_t *stamp(
    const char *id, const char *source, const char *type, slice subject, slice correlation_id, slice causation_id,
    slice traceparent
) {
    char time[TIME_LENGTH], trace[TRACEPARENT_LENGTH];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    write_time(time, &now);
    write_traceparent(trace, traceparent);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(10);
    add(headers, "ce_specversion", "1.0", 3);
    add(headers, "ce_id", id, UUID_LENGTH);
    add(headers, "ce_type", type, strlen(type));
    add(headers, "ce_source", source, strlen(source));
    add(headers, "ce_time", time, TIME_LENGTH);
    if (subject.length) add(headers, "ce_subject", subject.bytes, subject.length);
    add(headers, "content-type", "application/octet-stream", 24);
    add(headers, "ce_correlationid", correlation_id.bytes, correlation_id.length);
    if (causation_id.length) add(headers, "ce_causationid", causation_id.bytes, causation_id.length);
    add(headers, "traceparent", trace, TRACEPARENT_LENGTH);
    return headers;
}

int parse_parent(const record *record, parent_event *parent) {
    *parent = (parent_event){0};
    for (size_t i = 0; i < record->header_count; i++) {
        slice name = record->headers[i].name, value = record->headers[i].value;
        switch (name.length) {
            case 5: if (!memcmp(name.bytes, "ce_id", 5)) parent->id = value; break;
            case 7: if (!memcmp(name.bytes, "ce_type", 7)) parent->type = value; break;
            case 9: if (!memcmp(name.bytes, "ce_source", 9)) parent->source = value; break;
            case 11: if (!memcmp(name.bytes, "traceparent", 11)) parent->traceparent = value; break;
            case 16: if (!memcmp(name.bytes, "ce_correlationid", 16)) parent->correlation_id = value; break;
            default: break;
        }
    }
    return parent->id.length && parent->type.length && parent->source.length;
}

rd_kafka_headers_t *follow_on_headers(const parent_event *parent, const char *source, const char *type, slice subject) {
    char id[UUID_LENGTH];
    write_follow_on_id(id, parent, source, type);
    return stamp(id, source, type, subject, parent->correlation_id, parent->id, parent->traceparent);
}

rd_kafka_headers_t *first_headers(const char *source, const char *type, slice subject) {
    char id[UUID_LENGTH];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t milliseconds = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    write_uuid(id, milliseconds, 7, next_random(), next_random());
    // An event that starts a flow gives the flow its id.
    slice flow = {id, UUID_LENGTH}, none = {"", 0};
    return stamp(id, source, type, subject, flow, none, none);
}
