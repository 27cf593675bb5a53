// Consuming as fast as records come: each is copied, as anything that keeps it must do.
#include "client.h"
#include "measure.h"
#include "record.h"
#include "workloads.h"

#include <stdlib.h>

void run_consume(const options *options) {
    waker waker = make_waker();
    client consumer = make_consumer(options, &waker);
    subscribe(&consumer, options->topic);

    int64_t read = 0, bytes = 0;
    double began = 0;
    while (read < options->records) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(consumer.queue, 0);
        if (!event) {
            sleep_until_woken(&waker, 100);
            continue;
        }
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH) {
            const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
            if (message && message->err) fail("reading %s: %s", options->topic, rd_kafka_message_errstr(message));
            if (message) {
                if (!read++) began = monotonic_seconds();
                record *copy = copy_record(message);
                bytes += (int64_t)copy->value.length;
                free(copy);
            }
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
            report_error(&consumer, event);
        }
        rd_kafka_event_destroy(event);
    }
    if (!bytes) fail("the records of %s had no values", options->topic);
    close_consumer(&consumer);
    print_result("consume", options->records, monotonic_seconds() - began, 0);
}
