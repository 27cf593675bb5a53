// Producing as fast as the queue takes it, with every delivery report counted: `fill` with headers, `produce` without.
#include "client.h"
#include "envelope.h"
#include "measure.h"
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Serves every delivery report that is there. Any failed delivery ends the run: its figure would be worth nothing.
static int64_t serve_reports(const client *producer) {
    int64_t acknowledged = 0;
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(producer->queue, 0))) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            const rd_kafka_message_t *message;
            while ((message = rd_kafka_event_message_next(event))) {
                if (message->err) fail("a record was not delivered: %s", rd_kafka_err2str(message->err));
                acknowledged++;
            }
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
            report_error(producer, event);
        }
        rd_kafka_event_destroy(event);
    }
    return acknowledged;
}

/// False when the producer's queue is full; any other refusal ends the run.
static int enqueue(const client *producer, rd_kafka_topic_t *topic, slice key, slice value, int with_headers) {
    rd_kafka_vu_t arguments[5] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key.bytes, key.length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value.bytes, value.length}},
    };
    size_t count = 4;
    rd_kafka_headers_t *headers = NULL;
    if (with_headers) {
        headers = first_headers("/services/bench", "bench.order.placed", key);
        arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        arguments[count++].u.headers = headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(producer->handle, arguments, count);
    if (!error) return 1;
    if (headers) rd_kafka_headers_destroy(headers);
    if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("produce: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return 0;
}

static void run(const options *options, const char *workload, int with_headers) {
    waker waker = make_waker();
    client producer = make_producer(options, &waker);
    rd_kafka_topic_t *topic = make_topic(&producer, options->topic);
    char *value = malloc(options->value_size);
    char(*keys)[24] = malloc((size_t)options->keys * sizeof *keys);
    slice *names = malloc((size_t)options->keys * sizeof *names);
    if (!value || !keys || !names) fail("no memory for a value of %zu bytes", options->value_size);
    if (options->value) memcpy(value, options->value, options->value_size);
    else memset(value, 'x', options->value_size);
    // Writing the keys is no part of producing.
    for (int64_t key = 0; key < options->keys; key++)
        names[key] = (slice){keys[key], (size_t)snprintf(keys[key], sizeof keys[key], "order-%lld", (long long)key)};

    int64_t produced = 0, acknowledged = 0;
    double began = monotonic_seconds();
    while (acknowledged < options->records) {
        int64_t before = acknowledged;
        int full = 0;
        for (int burst = 0; burst < 256 && produced < options->records && !full; burst++) {
            slice name = names[produced % options->keys];
            full = !enqueue(&producer, topic, name, (slice){value, options->value_size}, with_headers);
            produced += !full;
        }
        acknowledged += serve_reports(&producer);
        if (acknowledged == before && (full || produced == options->records)) sleep_until_woken(&waker, 100);
    }
    free(value);
    free(names);
    free(keys);
    rd_kafka_topic_destroy(topic);
    close_producer(&producer);
    print_result(workload, options->records, monotonic_seconds() - began, 0);
}

void run_fill(const options *options) { run(options, "fill", 1); }
void run_produce(const options *options) { run(options, "produce", 0); }
