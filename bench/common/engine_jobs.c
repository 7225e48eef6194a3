/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "common/engine_jobs.h"

#include <stdio.h>
#include <string.h>

#include <beam/transform.h>

#include "common/bench_run.h"

BEAM_KV(number, beam_int64, beam_int64);
BEAM_GROUPED(number_group, beam_int64, beam_int64);

/* ---- The numbers 0 .. count-1: a splittable range, emitted in batches --------------------------
 */

#define NUMBERS_CONFIG(FIELD, S) FIELD(S, beam_int64, count) FIELD(S, beam_int64, keys)
BEAM_STRUCT(numbers_config, NUMBERS_CONFIG);

enum { BATCH = 1024 };

static int64_t key_of(int64_t x, int64_t keys)
{
    if (keys == 1000000)
        return (int64_t)((uint64_t)x * 2654435761U % 1000000U);
    return (int64_t)((uint64_t)x % 1000U);
}

static beam_status initial_range(beam_ctx *c, const void *element, void *restriction)
{
    (void)element;
    *(beam_offset_range *)restriction =
        (beam_offset_range){0, beam_config(c, numbers_config)->count};
    return BEAM_OK;
}

static beam_status split_range(beam_ctx *c, const void *element, const void *restriction)
{
    (void)element;
    const beam_offset_range *range = restriction;
    for (int64_t part = 0, parts = 16; part < parts; part++) {
        int64_t length = range->stop - range->start;
        const beam_offset_range sub = {range->start + length * part / parts,
                                       range->start + length * (part + 1) / parts};
        BEAM_TRY(beam_emit_restriction(c, &sub));
    }
    return BEAM_OK;
}

static beam_status make_keyed(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const int64_t keys = beam_config(c, numbers_config)->keys;
    const beam_offset_range *range = tracker->restriction;
    number batch[BATCH];
    int64_t n;
    for (int64_t at = range->start; (n = beam_try_claim_offsets(c, tracker, at, BATCH)); at += n) {
        if (keys == 1000000)
            for (int64_t i = 0; i < n; i++)
                batch[i] = (number){key_of(at + i, 1000000), at + i};
        else
            for (int64_t i = 0; i < n; i++)
                batch[i] = (number){key_of(at + i, 1000), at + i};
        BEAM_TRY(beam_emit_batch(c, 0, number, batch, (size_t)n));
    }
    return BEAM_OK;
}

static beam_status make_plain(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    int64_t batch[BATCH];
    int64_t n;
    for (int64_t at = range->start; (n = beam_try_claim_offsets(c, tracker, at, BATCH)); at += n) {
        for (int64_t i = 0; i < n; i++)
            batch[i] = at + i;
        BEAM_TRY(beam_emit_batch(c, 0, beam_int64, batch, (size_t)n));
    }
    return BEAM_OK;
}

#define SOURCE(NAME, OUT, PROCESS)                                                       \
    static const beam_splittable NAME##_range = {.struct_size = sizeof(beam_splittable), \
                                                 .restriction = &beam_offset_range_type, \
                                                 .tracker = &beam_offset_range_tracker,  \
                                                 .initial_restriction = initial_range,   \
                                                 .split_restriction = split_range,       \
                                                 .process = PROCESS};                    \
    static const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),                     \
                                   .name = #NAME,                                        \
                                   .in = &beam_bytes_type,                               \
                                   BEAM_TYPES(&OUT),                                     \
                                   .config = &numbers_config_type,                       \
                                   .splittable = &NAME##_range}
SOURCE(make_keyed_fn, number_type, make_keyed);
SOURCE(make_plain_fn, beam_int64_type, make_plain);

/* ---- Checksums: counters, as a pipeline's results come back from any runner ---------------------
 */

enum { COUNT, SUM, WEIGHTED };
#define CHECKSUM_METRICS \
    BEAM_METRICS({"count", BEAM_COUNTER}, {"sum", BEAM_COUNTER}, {"weighted", BEAM_COUNTER})

static void add_checksum(beam_ctx *c, int64_t key, int64_t sum)
{
    beam_count(c, COUNT, 1);
    beam_count(c, SUM, sum);
    beam_count(c, WEIGHTED, sum * (key % 97));
}

static beam_status sum_group(beam_ctx *c, const number_group *group)
{
    int64_t sum = 0;
    beam_iter it = beam_iterate(&group->values, beam_int64);
    const beam_int64 *values;
    size_t n;
    while ((values = beam_next_run(&it, beam_int64, &n)))
        for (size_t i = 0; i < n; i++)
            sum += values[i];
    BEAM_TRY(it.status);
    add_checksum(c, group->key, sum);
    return BEAM_OK;
}
BEAM_DOFN(sum_group_fn, number_group, sum_group, CHECKSUM_METRICS);

static beam_status check_sum(beam_ctx *c, const number *sum)
{
    add_checksum(c, sum->key, sum->value);
    return BEAM_OK;
}
BEAM_DOFN(check_sum_fn, number, check_sum, CHECKSUM_METRICS);

/* ---- Five maps and a filter, by element and by batch
 * --------------------------------------------- */

#define MAP(N, EXPRESSION)                                                        \
    static beam_status map_##N(beam_ctx *c, const beam_int64 *in)                 \
    {                                                                             \
        const int64_t x = *in;                                                    \
        return beam_emit(c, beam_int64, EXPRESSION);                              \
    }                                                                             \
    BEAM_DOFN(map_##N##_fn, beam_int64, map_##N, BEAM_TYPES(&beam_int64_type));   \
    static beam_status map_batch_##N(beam_ctx *c, const beam_int64 *in, size_t n) \
    {                                                                             \
        beam_int64 out[BATCH];                                                    \
        for (size_t at = 0; at < n; at += BATCH) {                                \
            size_t part = n - at < BATCH ? n - at : BATCH;                        \
            for (size_t i = 0; i < part; i++) {                                   \
                const int64_t x = in[at + i];                                     \
                out[i] = EXPRESSION;                                              \
            }                                                                     \
            BEAM_TRY(beam_emit_batch(c, 0, beam_int64, out, part));               \
        }                                                                         \
        return BEAM_OK;                                                           \
    }                                                                             \
    BEAM_BATCH_DOFN(map_batch_##N##_fn, beam_int64, map_batch_##N, BEAM_TYPES(&beam_int64_type))
MAP(1, x * 3 + 1);
MAP(2, x ^ 0x5bd1e995);
MAP(3, x + 12345);
MAP(4, x * 7 - 3);
MAP(5, x ^ 0x2545F491);

static beam_status keep(beam_ctx *c, const beam_int64 *x)
{
    return (uint64_t)*x % 10 != 3 ? beam_emit_value(c, beam_int64, x) : BEAM_OK;
}
BEAM_DOFN(keep_fn, beam_int64, keep, BEAM_TYPES(&beam_int64_type));

static beam_status keep_batch(beam_ctx *c, const beam_int64 *in, size_t n)
{
    beam_int64 out[BATCH];
    for (size_t at = 0; at < n; at += BATCH) {
        size_t part = n - at < BATCH ? n - at : BATCH, kept = 0;
        for (size_t i = 0; i < part; i++) {
            out[kept] = in[at + i];
            kept += (uint64_t)in[at + i] % 10 != 3;
        }
        BEAM_TRY(beam_emit_batch(c, 0, beam_int64, out, kept));
    }
    return BEAM_OK;
}
BEAM_BATCH_DOFN(keep_batch_fn, beam_int64, keep_batch, BEAM_TYPES(&beam_int64_type));

static beam_status count_one(beam_ctx *c, const beam_int64 *x)
{
    (void)x;
    beam_count(c, COUNT, 1);
    return BEAM_OK;
}
BEAM_DOFN(count_one_fn, beam_int64, count_one, CHECKSUM_METRICS);

static beam_status count_batch(beam_ctx *c, const beam_int64 *x, size_t n)
{
    (void)x;
    beam_count(c, COUNT, (int64_t)n);
    return BEAM_OK;
}
BEAM_BATCH_DOFN(count_batch_fn, beam_int64, count_batch, CHECKSUM_METRICS);

static void build_chain(beam_pcoll numbers, bool batch)
{
    const beam_dofn *const plain[] = {&map_1_fn, &map_2_fn, &map_3_fn,    &map_4_fn,
                                      &map_5_fn, &keep_fn,  &count_one_fn};
    const beam_dofn *const batched[] = {&map_batch_1_fn, &map_batch_2_fn, &map_batch_3_fn,
                                        &map_batch_4_fn, &map_batch_5_fn, &keep_batch_fn,
                                        &count_batch_fn};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        numbers = beam_pardo(numbers, batch ? batched[i] : plain[i]);
}

/* ---- Running
 * --------------------------------------------------------------------------------------- */

static void build(beam_pipeline *p, const bench_engine_job *job)
{
    const numbers_config config = {job->count, job->keys};
    bool chain = strncmp(job->name, "map", 3) == 0;
    beam_pcoll numbers =
        beam_pardo(beam_impulse(p), chain ? &make_plain_fn : &make_keyed_fn, .config = &config);
    if (chain)
        build_chain(numbers, strcmp(job->name, "map_batch") == 0);
    else if (strcmp(job->name, "group") == 0)
        beam_pardo(beam_group_by_key(numbers), &sum_group_fn);
    else if (strcmp(job->name, "combine") == 0)
        beam_pardo(beam_combine_per_key(numbers, &beam_sum_int64), &check_sum_fn);
    else
        bench_fatal("there is no job '%s'", job->name);
}

static int64_t counter(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    return beam_result_metric(result, NULL, name, &cell) == BEAM_OK ? cell.sum : 0;
}

void bench_engine_run(const bench_engine_job *job, bench_engine_outcome *outcome)
{
    double start = bench_now();
    beam_pipeline *p = beam_pipeline_new(NULL);
    if (!p)
        bench_fatal("out of memory");
    build(p, job);
    const beam_run_options options = {.struct_size = sizeof options,
                                      .direct_num_workers = job->threads,
                                      .memory_budget = job->memory_budget};
    beam_result *result = NULL;
    beam_error err = {0};
    if (beam_pipeline_run(p, &options, &result, &err) != BEAM_OK)
        bench_fatal("%s: %s", job->name, err.message);
    snprintf(outcome->checksum, sizeof outcome->checksum, "%lld/%lld/%lld",
             (long long)counter(result, "count"), (long long)counter(result, "sum"),
             (long long)counter(result, "weighted"));
    beam_result_free(result);
    beam_pipeline_free(p);
    outcome->seconds = bench_now() - start;
}
