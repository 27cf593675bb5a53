// Making clients, and how their queues wake the thread that serves them.
#define _GNU_SOURCE
#include "client.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("BaselineInC: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

waker make_waker(void) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC)) fail("no pipe to wake the thread with: %m");
    return (waker){.read_end = ends[0], .write_end = ends[1]};
}

void sleep_until_woken(const waker *waker, int milliseconds) {
    struct pollfd wait = {.fd = waker->read_end, .events = POLLIN};
    if (poll(&wait, 1, milliseconds) > 0) {
        char bytes[64];
        while (read(waker->read_end, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {}
    }
}

static void set(rd_kafka_conf_t *configuration, const char *name, const char *value) {
    char error[512];
    if (rd_kafka_conf_set(configuration, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail("%s", error);
}

static rd_kafka_conf_t *make_configuration(const options *options, const property *properties, size_t count) {
    rd_kafka_conf_t *configuration = rd_kafka_conf_new();
    set(configuration, "bootstrap.servers", options->bootstrap_servers);
    set(configuration, "socket.nagle.disable", "true");
    for (size_t i = 0; i < count; i++) set(configuration, properties[i].name, properties[i].value);
    return configuration;
}

static rd_kafka_t *make_handle(rd_kafka_type_t type, rd_kafka_conf_t *configuration) {
    char error[512];
    rd_kafka_t *handle = rd_kafka_new(type, configuration, error, sizeof error);
    if (!handle) fail("no client: %s", error);
    return handle;
}

client make_producer(const options *options, const waker *waker) {
    rd_kafka_conf_t *configuration =
        make_configuration(options, options->producer_properties, options->producer_property_count);
    rd_kafka_conf_set_events(configuration, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    client producer = {.handle = make_handle(RD_KAFKA_PRODUCER, configuration)};
    producer.queue = rd_kafka_queue_get_main(producer.handle);
    rd_kafka_queue_io_event_enable(producer.queue, waker->write_end, "p", 1);
    return producer;
}

client make_consumer(const options *options, const waker *waker) {
    rd_kafka_conf_t *configuration =
        make_configuration(options, options->consumer_properties, options->consumer_property_count);
    set(configuration, "group.id", options->group);
    set(configuration, "auto.offset.reset", "earliest");
    set(configuration, "enable.auto.commit", "false");
    set(configuration, "enable.auto.offset.store", "false");
    rd_kafka_conf_set_events(configuration, RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_ERROR);
    client consumer = {.handle = make_handle(RD_KAFKA_CONSUMER, configuration)};
    rd_kafka_poll_set_consumer(consumer.handle);
    consumer.queue = rd_kafka_queue_get_consumer(consumer.handle);
    rd_kafka_queue_io_event_enable(consumer.queue, waker->write_end, "c", 1);
    return consumer;
}

void subscribe(const client *consumer, const char *topic) {
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(consumer->handle, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (error) fail("cannot subscribe to %s: %s", topic, rd_kafka_err2str(error));
}

rd_kafka_topic_t *make_topic(const client *producer, const char *name) {
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->handle, name, NULL);
    if (!topic) fail("no topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    return topic;
}

void report_error(const client *client, rd_kafka_event_t *event) {
    if (rd_kafka_event_error_is_fatal(event)) {
        char reason[512];
        rd_kafka_resp_err_t code = rd_kafka_fatal_error(client->handle, reason, sizeof reason);
        fail("%s: fatal: %s (%s)", rd_kafka_name(client->handle), reason, rd_kafka_err2name(code));
    }
    fprintf(stderr, "BaselineInC: %s: %s\n", rd_kafka_name(client->handle), rd_kafka_event_error_string(event));
}

void close_consumer(client *consumer) {
    rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(consumer->queue);
    rd_kafka_resp_err_t error = rd_kafka_consumer_close(consumer->handle);
    if (error) fail("closing the consumer: %s", rd_kafka_err2str(error));
    rd_kafka_destroy(consumer->handle);
}

void close_producer(client *producer) {
    rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(producer->queue);
    rd_kafka_destroy(producer->handle);
}
