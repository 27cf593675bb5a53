// Making a producer or a consumer that shows its events in a queue and wakes one sleeping thread.
#ifndef BASELINE_CLIENT_H
#define BASELINE_CLIENT_H

#include "options.h"

#include <librdkafka/rdkafka.h>

/// A pipe into which librdkafka writes a byte when a queue that was empty gets its first entry.
typedef struct {
    int read_end;
    int write_end;
} waker;

typedef struct {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
} client;

/// Prints the message and exits with 1. For what a benchmark cannot go on from.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

waker make_waker(void);

/// Sleeps until a queue wakes it or the time is over.
void sleep_until_woken(const waker *waker, int milliseconds);

/// A producer whose delivery reports are events in its queue.
client make_producer(const options *options, const waker *waker);

/// A consumer in the options' group, from the earliest offset, that commits only what it is told to.
client make_consumer(const options *options, const waker *waker);

/// Subscribes to the options' topic.
void subscribe(const client *consumer, const char *topic);

/// A topic handle. Producing by handle rather than by name spares librdkafka before 2.10 a second's wait.
rd_kafka_topic_t *make_topic(const client *producer, const char *name);

/// Ends the process for an error event that librdkafka does not mend by itself; prints others.
void report_error(const client *client, rd_kafka_event_t *event);

/// Leaves the group, if any, and frees the client.
void close_consumer(client *consumer);
void close_producer(client *producer);

#endif
