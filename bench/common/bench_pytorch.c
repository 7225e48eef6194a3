/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "common/bench_pytorch.h"

#include <stdlib.h>
#include <string.h>

#include "common/bench_run.h"

static double best_rate(const bench_child *child)
{
    double best = 0;
    json_t *rows = bench_child_objects(child), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        double rate = json_number_value(json_object_get(row, "images_per_second"));
        best = rate > best ? rate : best;
    }
    json_decref(rows);
    return best;
}

double bench_pytorch(const char *python, const bench_pytorch_case *what)
{
    bool cpu = strcmp(what->device, "cpu") == 0;
    char *arguments[] = {bench_strdup(python),
                         bench_format("%s/peers/%s", BENCH_SOURCE_DIR, what->script),
                         bench_format("--device=%s", cpu ? "cpu" : "cuda"),
                         bench_format("--batch=%lld", (long long)what->batch),
                         bench_format("--size=%lld", (long long)what->size),
                         bench_format("--classes=%d", what->classes),
                         bench_format("--precision=%s", beam_precision_name(what->precision)),
                         bench_format("--threads=%u", what->threads),
                         bench_format("--seconds=%g", what->seconds),
                         bench_format("--windows=%u", what->windows),
                         what->compile ? bench_strdup("--compile") : NULL,
                         NULL};
    bench_child child;
    double best = 0;
    if (bench_child_run((const char *const *)arguments, &child)) {
        best = best_rate(&child);
        bench_child_free(&child);
    }
    for (size_t i = 0; arguments[i]; i++)
        free(arguments[i]);
    return best;
}
