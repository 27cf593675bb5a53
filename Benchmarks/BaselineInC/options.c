// Reading the command line.
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: BaselineInC fill|pipeline|produce|consume --bootstrap-servers LIST --topic NAME --records N\n"
    "         [--output-topic NAME] [--group NAME] [--value-size BYTES | --value TEXT] [--keys N] [--max-in-flight N]\n"
    "         [--consumer NAME=VALUE]... [--producer NAME=VALUE]...\n"
    "fill      produce N records with nine CloudEvents headers and a key to the topic\n"
    "pipeline  read N records, publish one follow-on event each to the output topic, commit as they are acknowledged\n"
    "produce   produce N records without headers\n"
    "consume   read and copy N records\n"
    "--consumer and --producer set librdkafka properties. The result is one line of JSON on standard output.\n";

static _Noreturn void refuse(const char *what, const char *which) {
    fprintf(stderr, "BaselineInC: %s%s%s\n%s", what, which ? ": " : "", which ? which : "", usage);
    exit(64);
}

static int64_t positive(const char *option, const char *text) {
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value <= 0) refuse("expected a positive whole number", option);
    return value;
}

static void add_property(property *list, size_t *count, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text) refuse("expected NAME=VALUE", text);
    if (*count == MAX_PROPERTIES) refuse("too many properties", text);
    *equals = 0;
    list[(*count)++] = (property){.name = text, .value = equals + 1};
}

options read_options(int count, char **arguments) {
    options result = {.group = "baseline", .value_size = 200, .keys = 10000, .max_in_flight = 20000};
    if (count < 2) refuse("no workload", NULL);
    result.workload = arguments[1];
    for (int i = 2; i < count; i += 2) {
        const char *option = arguments[i];
        if (i + 1 == count) refuse("a value is missing after", option);
        char *value = arguments[i + 1];
        if (!strcmp(option, "--bootstrap-servers")) result.bootstrap_servers = value;
        else if (!strcmp(option, "--topic")) result.topic = value;
        else if (!strcmp(option, "--output-topic")) result.output_topic = value;
        else if (!strcmp(option, "--group")) result.group = value;
        else if (!strcmp(option, "--records")) result.records = positive(option, value);
        else if (!strcmp(option, "--value-size")) result.value_size = (size_t)positive(option, value);
        else if (!strcmp(option, "--value")) result.value = value;
        else if (!strcmp(option, "--keys")) result.keys = positive(option, value);
        else if (!strcmp(option, "--max-in-flight")) result.max_in_flight = positive(option, value);
        else if (!strcmp(option, "--consumer"))
            add_property(result.consumer_properties, &result.consumer_property_count, value);
        else if (!strcmp(option, "--producer"))
            add_property(result.producer_properties, &result.producer_property_count, value);
        else refuse("unknown option", option);
    }
    if (result.value) result.value_size = strlen(result.value);
    if (!result.bootstrap_servers) refuse("missing", "--bootstrap-servers");
    if (!result.topic) refuse("missing", "--topic");
    if (!result.records) refuse("missing", "--records");
    return result;
}
