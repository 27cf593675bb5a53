// The engine's work in plain C, on one thread: read a record, copy it, find its ids, route it by type, publish one
// follow-on event, and commit the contiguous offsets whose follow-on events are acknowledged, every 100 ms.
#include "client.h"
#include "envelope.h"
#include "ledger.h"
#include "measure.h"
#include "workloads.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARTITIONS 256
#define BURST 256
#define COMMIT_INTERVAL 0.1
#define FOLLOW_ON_SIZE 70

typedef struct {
    const options *options;
    waker waker;
    client consumer, producer;
    rd_kafka_topic_t *output;
    ledger *ledgers;
    int partition_count;
    int64_t taken, complete, commits;
    double began, last_commit;
} pipeline;

/// A position as the opaque of a produced record: 16 bits of partition, 48 bits of offset.
static void *position_opaque(const record *record) {
    return (void *)((uintptr_t)record->partition << 48 | (uintptr_t)record->offset);
}

/// Answers every delivery report that is there. True if there was one.
static int serve_reports(pipeline *pipeline) {
    int moved = 0;
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(pipeline->producer.queue, 0))) {
        moved = 1;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            const rd_kafka_message_t *message;
            while ((message = rd_kafka_event_message_next(event))) {
                if (message->err) fail("a follow-on event was not delivered: %s", rd_kafka_err2str(message->err));
                uintptr_t position = (uintptr_t)message->_private;
                pipeline->complete += ledger_acknowledge(
                    &pipeline->ledgers[position >> 48], (int64_t)(position & 0xffffffffffff));
            }
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
            report_error(&pipeline->producer, event);
        }
        rd_kafka_event_destroy(event);
    }
    return moved;
}

static void publish(pipeline *pipeline, const record *record, const parent_event *parent) {
    rd_kafka_headers_t *headers = follow_on_headers(parent, "/services/bench", "bench.stock.reserved", record->key);
    size_t length = record->value.length < FOLLOW_ON_SIZE ? record->value.length : FOLLOW_ON_SIZE;
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = pipeline->output},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)record->key.bytes, record->key.length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)record->value.bytes, length}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = position_opaque(record)},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    for (;;) {
        rd_kafka_error_t *error =
            rd_kafka_produceva(pipeline->producer.handle, arguments, sizeof arguments / sizeof *arguments);
        if (!error) return;
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("produce: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!serve_reports(pipeline)) sleep_until_woken(&pipeline->waker, 100);
    }
}

static void handle(pipeline *pipeline, const rd_kafka_message_t *message) {
    if (message->err) fail("reading %s: %s", pipeline->options->topic, rd_kafka_message_errstr(message));
    if (message->partition >= MAX_PARTITIONS) fail("more than %d partitions", MAX_PARTITIONS);
    if (message->partition >= pipeline->partition_count) pipeline->partition_count = message->partition + 1;
    if (!pipeline->taken++) pipeline->began = monotonic_seconds();

    record *record = copy_record(message);
    parent_event parent;
    ledger *ledger = &pipeline->ledgers[record->partition];
    static const char routed[] = "bench.order.placed";
    int is_routed = parse_parent(record, &parent) && parent.type.length == sizeof routed - 1
        && !memcmp(parent.type.bytes, routed, sizeof routed - 1);
    if (is_routed) {
        ledger_take(ledger, record->offset, 1);
        publish(pipeline, record, &parent);
    } else {
        ledger_take(ledger, record->offset, 0);
        pipeline->complete++;
    }
    free(record);
}

/// As in the engine, a bound on all records in flight and one on each partition's; either stops the reading here.
static int has_room(const pipeline *pipeline) {
    if (pipeline->taken - pipeline->complete >= pipeline->options->max_in_flight) return 0;
    for (int i = 0; i < pipeline->partition_count; i++) if (ledger_is_full(&pipeline->ledgers[i])) return 0;
    return 1;
}

static int read_records(pipeline *pipeline) {
    int moved = 0;
    for (int i = 0; i < BURST && has_room(pipeline); i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(pipeline->consumer.queue, 0);
        if (!event) break;
        moved = 1;
        switch (rd_kafka_event_type(event)) {
            case RD_KAFKA_EVENT_FETCH: {
                const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
                if (message) handle(pipeline, message);
                break;
            }
            case RD_KAFKA_EVENT_OFFSET_COMMIT:
                if (rd_kafka_event_error(event)) fail("commit: %s", rd_kafka_event_error_string(event));
                break;
            case RD_KAFKA_EVENT_ERROR: report_error(&pipeline->consumer, event); break;
            default: break;
        }
        rd_kafka_event_destroy(event);
    }
    return moved;
}

/// Commits what has become contiguous: without waiting while running, and waiting for the answer at the end.
static void commit(pipeline *pipeline, int wait) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(pipeline->partition_count);
    for (int i = 0; i < pipeline->partition_count; i++) {
        ledger *ledger = &pipeline->ledgers[i];
        if (ledger->base <= ledger->committed) continue;
        rd_kafka_topic_partition_list_add(offsets, pipeline->options->topic, i)->offset = ledger->base;
        ledger->committed = ledger->base;
    }
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (offsets->cnt) {
        pipeline->commits++;
        error = wait ? rd_kafka_commit(pipeline->consumer.handle, offsets, 0)
                     : rd_kafka_commit_queue(pipeline->consumer.handle, offsets, pipeline->consumer.queue, NULL, NULL);
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error) fail("commit: %s", rd_kafka_err2str(error));
}

static void run_loop(pipeline *pipeline) {
    while (pipeline->complete < pipeline->options->records) {
        int moved = read_records(pipeline);
        moved |= serve_reports(pipeline);
        double now = monotonic_seconds();
        if (now - pipeline->last_commit >= COMMIT_INTERVAL) {
            pipeline->last_commit = now;
            commit(pipeline, 0);
        }
        if (!moved) sleep_until_woken(&pipeline->waker, 100);
    }
    commit(pipeline, 1);
}

void run_pipeline(const options *options) {
    if (!options->output_topic) fail("the pipeline needs --output-topic");
    pipeline pipeline = {.options = options, .waker = make_waker()};
    pipeline.ledgers = malloc(MAX_PARTITIONS * sizeof *pipeline.ledgers);
    if (!pipeline.ledgers) fail("no memory for the offset ledgers");
    for (int i = 0; i < MAX_PARTITIONS; i++) ledger_reset(&pipeline.ledgers[i]);
    pipeline.producer = make_producer(options, &pipeline.waker);
    pipeline.output = make_topic(&pipeline.producer, options->output_topic);
    pipeline.consumer = make_consumer(options, &pipeline.waker);
    subscribe(&pipeline.consumer, options->topic);

    run_loop(&pipeline);

    close_consumer(&pipeline.consumer);
    rd_kafka_topic_destroy(pipeline.output);
    close_producer(&pipeline.producer);
    double seconds = monotonic_seconds() - pipeline.began;
    free(pipeline.ledgers);
    print_result("pipeline", options->records, seconds, pipeline.commits);
}
