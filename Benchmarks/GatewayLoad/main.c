// Posts orders to a gateway, at a rate or held open, and prints what came of it as JSON.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load.h"

static int usage(void) {
    fprintf(stderr,
            "usage: GatewayLoad post PORT --rate N --seconds S [--connections N]\n"
            "       GatewayLoad hold PORT --connections N [--rate N] [--wait S]\n");
    return 64;
}

static void print(const char *name, struct samples *samples) {
    printf("\"%s\":{\"count\":%zu,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}", name,
           samples->count, samples_at(samples, 0.5) / 1e3, samples_at(samples, 0.9) / 1e3,
           samples_at(samples, 0.99) / 1e3, samples_at(samples, 0.999) / 1e3, samples_at(samples, 1) / 1e3);
}

int main(int count, char **arguments) {
    if (count < 3) return usage();
    struct options options = {.hold = strcmp(arguments[1], "hold") == 0,
                              .port = (uint16_t) atoi(arguments[2]),
                              .connections = 1000,
                              .rate = 1000,
                              .seconds = 10,
                              .wait = 30};
    if (!options.hold && strcmp(arguments[1], "post") != 0) return usage();
    for (int index = 3; index + 1 < count; index += 2) {
        const char *name = arguments[index], *value = arguments[index + 1];
        if (strcmp(name, "--rate") == 0) options.rate = atof(value);
        else if (strcmp(name, "--seconds") == 0) options.seconds = atof(value);
        else if (strcmp(name, "--connections") == 0) options.connections = atoi(value);
        else if (strcmp(name, "--wait") == 0) options.wait = atoi(value);
        else return usage();
    }
    if (count % 2 == 0 || options.rate <= 0 || options.connections <= 0 || options.port == 0) return usage();
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t) options.connections + 64) {
        fprintf(stderr, "GatewayLoad: %d connections need more open files than %lu; raise ulimit -n\n",
                options.connections, (unsigned long) limit.rlim_cur);
        return 1;
    }
    struct results results;
    memset(&results, 0, sizeof results);
    if (run_load(&options, &results) != 0) {
        fprintf(stderr, "GatewayLoad: nothing answers at port %d\n", options.port);
        return 1;
    }
    printf("{\"sent\":%ld,\"answered\":%ld,\"accepted\":%ld,\"ended\":%ld,\"refused\":%ld,\"dropped\":%ld,"
           "\"connections\":%d,",
           results.sent, results.answered, results.accepted, results.ended, results.refused, results.dropped,
           results.most_open);
    print("latency", &results.latency);
    printf(",");
    print("ending", &results.ending);
    printf("}\n");
    return 0;
}
