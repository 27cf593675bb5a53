// What Swift cannot import of librdkafka: variadic calls, unions and newer symbols.
#ifndef TROUPE_CRDKAFKA_SHIM_H
#define TROUPE_CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/prctl.h>
#endif

/// Names the calling thread for debuggers and top(1), where the system can.
static inline void troupe_name_thread(const char *name) {
#ifdef __linux__
    prctl(PR_SET_NAME, name, 0, 0, 0);
#else
    (void)name;
#endif
}

/// One record to produce. A negative length stands for a null key or value.
typedef struct {
    rd_kafka_topic_t *topic;
    int32_t partition;
    const void *key;
    ptrdiff_t key_length;
    const void *value;
    ptrdiff_t value_length;
    /// Milliseconds since 1970; 0 lets librdkafka stamp the record.
    int64_t timestamp;
    /// Owned by librdkafka once the call succeeds, by the caller otherwise. May be NULL.
    rd_kafka_headers_t *headers;
    void *opaque;
} troupe_record;

/// Enqueues a copy of the record. Passes one VTYPE_HEADERS object, never single headers, because
/// librdkafka before 2.12 frees those twice when the partition is unknown.
static inline rd_kafka_resp_err_t troupe_produce(rd_kafka_t *client, const troupe_record *record) {
    rd_kafka_vu_t arguments[8];
    size_t count = 0;
    arguments[count].vtype = RD_KAFKA_VTYPE_RKT;
    arguments[count++].u.rkt = record->topic;
    arguments[count].vtype = RD_KAFKA_VTYPE_PARTITION;
    arguments[count++].u.i32 = record->partition;
    arguments[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    arguments[count++].u.i = RD_KAFKA_MSG_F_COPY;
    arguments[count].vtype = RD_KAFKA_VTYPE_KEY;
    // librdkafka takes a null pointer for "no key" and any other pointer with size 0 for "empty key".
    arguments[count].u.mem.ptr = record->key_length < 0 ? NULL : (void *)(record->key ? record->key : "");
    arguments[count++].u.mem.size = record->key_length < 0 ? 0 : (size_t)record->key_length;
    arguments[count].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[count].u.mem.ptr = record->value_length < 0 ? NULL : (void *)(record->value ? record->value : "");
    arguments[count++].u.mem.size = record->value_length < 0 ? 0 : (size_t)record->value_length;
    arguments[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    arguments[count++].u.ptr = record->opaque;
    if (record->timestamp > 0) {
        arguments[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        arguments[count++].u.i64 = record->timestamp;
    }
    if (record->headers) {
        arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        arguments[count++].u.headers = record->headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(client, arguments, count);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

/// Makes one request of a kind to one mock broker slow and, unless `error` is 0, fail.
static inline rd_kafka_resp_err_t troupe_mock_push_error(
    rd_kafka_mock_cluster_t *cluster, int32_t broker, int16_t request, rd_kafka_resp_err_t error, int milliseconds) {
    return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, request, 1, error, milliseconds);
}

#endif
