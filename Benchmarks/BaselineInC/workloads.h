// The workloads, each in a file of its own.
#ifndef BASELINE_WORKLOADS_H
#define BASELINE_WORKLOADS_H

#include "options.h"

void run_fill(const options *options);
void run_pipeline(const options *options);
void run_produce(const options *options);
void run_consume(const options *options);

#endif
