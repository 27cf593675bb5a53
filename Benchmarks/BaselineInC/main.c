// Plain C over librdkafka, doing what Troupe does: the yardstick of the benchmarks.
#include "options.h"
#include "workloads.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(const options *);
} workloads[] = {
    {"fill", run_fill},
    {"pipeline", run_pipeline},
    {"produce", run_produce},
    {"consume", run_consume},
};

int main(int count, char **arguments) {
    options chosen = read_options(count, arguments);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(workloads[i].name, chosen.workload)) continue;
        workloads[i].run(&chosen);
        return 0;
    }
    fprintf(stderr, "BaselineInC: unknown workload: %s\n", chosen.workload);
    return 64;
}
