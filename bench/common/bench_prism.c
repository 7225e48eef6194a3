/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "common/bench_prism.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <beam/pipeline.h>
#include <beam/transform.h>

#include "common/bench_run.h"
#include "common/bench_sockets.h"
#include "submit/prism.h"

enum { SEEDS = 16, NUMBERS = 400000, TEXTS = 100000, TEXT = 1000 };

/* ---- The pipeline ---------------------------------------------------------------------------- */

static beam_status make_numbers(beam_ctx *c, const beam_int64 *seed)
{
    const int64_t each = *beam_config(c, beam_int64);
    for (int64_t i = 0; i < each; i++)
        BEAM_TRY(beam_emit(c, beam_int64, *seed * each + i));
    return BEAM_OK;
}
BEAM_DOFN(bench_make_numbers_fn, beam_int64, make_numbers, BEAM_TYPES(&beam_int64_type),
          .config = &beam_int64_type);

static beam_status make_texts(beam_ctx *c, const beam_int64 *seed)
{
    char text[TEXT];
    memset(text, 'x', sizeof text);
    const beam_str made = {text, sizeof text};
    (void)seed;
    for (int64_t i = 0; i < *beam_config(c, beam_int64); i++)
        BEAM_TRY(beam_emit_value(c, beam_str, &made));
    return BEAM_OK;
}
BEAM_DOFN(bench_make_texts_fn, beam_int64, make_texts, BEAM_TYPES(&beam_str_type),
          .config = &beam_int64_type);

static beam_status flip_number(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, beam_int64, *x ^ 1);
}
BEAM_DOFN(bench_flip_number_fn, beam_int64, flip_number, BEAM_TYPES(&beam_int64_type));

static beam_status pass_text(beam_ctx *c, const beam_str *text)
{
    return beam_emit_value(c, beam_str, text);
}
BEAM_DOFN(bench_pass_text_fn, beam_str, pass_text, BEAM_TYPES(&beam_str_type));

static beam_status drop_number(beam_ctx *c, const beam_int64 *x)
{
    (void)c, (void)x;
    return BEAM_OK;
}
BEAM_DOFN(bench_drop_number_fn, beam_int64, drop_number);

static beam_status drop_text(beam_ctx *c, const beam_str *text)
{
    (void)c, (void)text;
    return BEAM_OK;
}
BEAM_DOFN(bench_drop_text_fn, beam_str, drop_text);

int bench_prism_child(int argc, char **argv)
{
    const char *endpoint = bench_option(argc, argv, "on_prism");
    if (!endpoint)
        return -1;
    const char *elements = bench_option(argc, argv, "elements");
    const bool texts = bench_option(argc, argv, "texts") != NULL;
    const beam_int64 each = elements ? atoll(elements) / SEEDS : 1;
    beam_int64 seeds[SEEDS];
    for (int i = 0; i < SEEDS; i++)
        seeds[i] = i;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll start = beam_reshuffle(beam_create(p, beam_int64, seeds, SEEDS));
    beam_pcoll made =
        beam_pardo(start, texts ? &bench_make_texts_fn : &bench_make_numbers_fn, .config = &each);
    beam_pcoll changed =
        beam_pardo(beam_reshuffle(made), texts ? &bench_pass_text_fn : &bench_flip_number_fn);
    beam_pardo(beam_reshuffle(changed), texts ? &bench_drop_text_fn : &bench_drop_number_fn);
    const beam_run_options options = {
        .struct_size = sizeof options, .runner = "prism", .job_endpoint = endpoint};
    beam_error err = {0};
    beam_status status = beam_pipeline_run(p, &options, NULL, &err);
    if (status != BEAM_OK)
        fprintf(stderr, "bench_worker: %s\n", err.message);
    beam_pipeline_free(p);
    return status != BEAM_OK;
}

/* ---- Who runs it ----------------------------------------------------------------------------- */

typedef struct contender {
    const char *peer;                        /* NULL: libbeam */
    char *program, *script;                  /* NULL: not there; none */
    const char *endpoint_option, *runner[2]; /* how it is told where Prism is */
} contender;

/* Seconds of CPU time of one run; negative: it failed. */
static double cpu_of_run(const contender *who, const char *endpoint, bool texts, long elements)
{
    char *place = bench_format("--%s=%s", who->endpoint_option, endpoint);
    char *count = bench_format("--elements=%ld", elements);
    const char *arguments[8] = {who->program};
    size_t n = 1;
    if (who->script)
        arguments[n++] = who->script;
    arguments[n++] = place;
    arguments[n++] = count;
    if (texts)
        arguments[n++] = "--texts=1";
    for (size_t i = 0; i < 2 && who->runner[i]; i++)
        arguments[n++] = who->runner[i];
    bench_child child;
    double seconds = -1;
    if (!bench_child_run(arguments, &child)) {
        fprintf(stderr, "bench_worker: %s does not run\n", who->program);
    } else {
        if (child.exit_status == 0)
            seconds = child.cpu_seconds;
        else
            fprintf(stderr, "bench_worker: %s ended with %d\n", who->program, child.exit_status);
        bench_child_free(&child);
    }
    free(place);
    free(count);
    return seconds;
}

/* Nanoseconds an element, the best of the rounds; negative: there are none. */
static double cpu_an_element(const contender *who, const char *endpoint, bool texts, int rounds)
{
    const long elements = texts ? TEXTS : NUMBERS;
    double empty = -1, full = -1;
    if (!who->program)
        return -1;
    for (int i = 0; i < rounds; i++) {
        double little = cpu_of_run(who, endpoint, texts, SEEDS);
        double much = little < 0 ? -1 : cpu_of_run(who, endpoint, texts, elements);
        if (much < 0)
            return -1;
        empty = empty < 0 ? little : fmin(empty, little);
        full = full < 0 ? much : fmin(full, much);
    }
    return (full - empty) / (double)elements * 1e9;
}

/* Each text passes four times: two ways for each Reshuffle. */
static void add_limit(bench_report *report, const char *name, double own, int rounds)
{
    enum { WIRE = 1015, RESHUFFLES = 2 }; /* bytes of an element, with its window and lengths */
    double limit = -1;
    for (int i = 0; i < rounds; i++) {
        double seconds = bench_sockets_cpu((size_t)WIRE * TEXTS, RESHUFFLES);
        if (seconds >= 0)
            limit = limit < 0 ? seconds : fmin(limit, seconds);
    }
    if (limit < 0)
        return;
    limit *= 1e9 / TEXTS;
    bench_report_add(report, name, limit, "ns", "bare sockets", BENCH_NO_RATIO);
    bench_report_add(report, name, own, "ns", "bare sockets", own / limit);
}

static void add_rows(bench_report *report, const contender *all, size_t n, const char *endpoint,
                     bool texts, int rounds)
{
    const char *name = texts ? "on Prism, texts of 1 KB: CPU time an element"
                             : "on Prism, numbers: CPU time an element";
    const double own = cpu_an_element(&all[0], endpoint, texts, rounds);
    if (own < 0)
        return;
    bench_report_add(report, name, own, "ns", NULL, BENCH_NO_RATIO);
    for (size_t i = 1; i < n; i++) {
        double theirs = cpu_an_element(&all[i], endpoint, texts, rounds);
        if (theirs < 0)
            continue;
        bench_report_add(report, name, theirs, "ns", all[i].peer, BENCH_NO_RATIO);
        bench_report_add(report, name, own, "ns", all[i].peer, own / theirs);
    }
    if (texts)
        add_limit(report, name, own, rounds);
}

void bench_prism_measure(bench_report *report, int rounds)
{
    beam_prism prism = {.pid = 0};
    beam_error err = {0};
    if (beam_prism_start(NULL, &prism, &err) != BEAM_OK) {
        fprintf(stderr, "bench_worker: no rows on Prism: %s\n", err.message);
        return;
    }
    char *go = bench_cache_path("peers/beam-go-worker");
    contender all[] = {{NULL, bench_format("/proc/self/exe"), NULL, "on_prism", {NULL, NULL}},
                       {"Beam Go",
                        access(go, X_OK) == 0 ? go : NULL,
                        NULL,
                        "endpoint",
                        {"--runner=universal", "--environment_type=LOOPBACK"}},
                       {"Beam Python",
                        bench_peer_python(),
                        bench_format("%s/peers/beam_worker.py", BENCH_SOURCE_DIR),
                        "job_endpoint",
                        {"--runner=PortableRunner", "--environment_type=LOOPBACK"}}};
    for (int texts = 0; texts < 2; texts++)
        add_rows(report, all, sizeof all / sizeof *all, prism.endpoint, texts, rounds);
    beam_prism_stop(&prism);
    free(go);
    free(all[0].program);
    free(all[2].program);
    free(all[2].script);
}
