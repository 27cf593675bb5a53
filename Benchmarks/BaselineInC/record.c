// Copying a message.
#include "record.h"

#include "client.h"

#include <stdlib.h>
#include <string.h>

static slice append(char **end, const void *bytes, size_t length) {
    slice copy = {.bytes = *end, .length = length};
    if (length) memcpy(*end, bytes, length);
    *end += length;
    return copy;
}

record *copy_record(const rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t length, size = sizeof(record) + message->key_len + message->len, count = 0;
    if (!rd_kafka_message_headers(message, &headers)) {
        while (count < MAX_HEADERS && !rd_kafka_header_get_all(headers, count, &name, &value, &length)) {
            size += strlen(name) + length;
            count++;
        }
    }
    record *copy = malloc(size);
    if (!copy) fail("no memory for a record of %zu bytes", size);
    char *end = (char *)(copy + 1);
    copy->offset = message->offset;
    copy->partition = message->partition;
    copy->header_count = count;
    copy->key = append(&end, message->key, message->key_len);
    copy->value = append(&end, message->payload, message->len);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_header_get_all(headers, i, &name, &value, &length);
        copy->headers[i].name = append(&end, name, strlen(name));
        copy->headers[i].value = append(&end, value, length);
    }
    return copy;
}

slice find_header(const record *record, const char *name) {
    size_t length = strlen(name);
    for (size_t i = record->header_count; i-- > 0;) {
        const header *header = &record->headers[i];
        if (header->name.length == length && !memcmp(header->name.bytes, name, length)) return header->value;
    }
    return (slice){.bytes = "", .length = 0};
}
