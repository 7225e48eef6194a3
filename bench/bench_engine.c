/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_engine: the embedded runner against a hand-written C program that does the same job, and
 * against Polars and DuckDB where bench/setup-peers has installed them.
 *
 *   bench_engine [--quick] [--rounds=3] [--threads=2] [--result_json=FILE]
 *
 * Both sides run as child programs, alternately; the best of the rounds counts.  Peak memory is
 * what each program says of itself.  A side whose checksum differs from the hand-written
 * program's ends the benchmark.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench_report.h"
#include "common/bench_run.h"
#include "common/bench_text.h"
#include "common/engine_jobs.h"

/* ---- One job in a child -----------------------------------------------------------------------
 */

typedef struct figure {
    double seconds; /* the least */
    double rss;     /* bytes, the least */
    char checksum[80];
    bool known;
} figure;

static void add_figure(figure *f, const json_t *line, const char *what)
{
    const char *checksum = json_string_value(json_object_get(line, "checksum"));
    double seconds = json_number_value(json_object_get(line, "seconds"));
    double rss = json_number_value(json_object_get(line, "peak_rss_bytes"));
    if (!checksum || !(seconds > 0))
        bench_fatal("%s printed no seconds and checksum", what);
    if (f->known && strcmp(f->checksum, checksum) != 0)
        bench_fatal("%s computed %s, and %s before", what, checksum, f->checksum);
    snprintf(f->checksum, sizeof f->checksum, "%s", checksum);
    if (!f->known || seconds < f->seconds)
        f->seconds = seconds;
    if (!f->known || rss < f->rss)
        f->rss = rss;
    f->known = true;
}

/* A virtual machine's memory that lay idle goes back to its host, and whoever touches it first
 * waits for it: up to ten times what clearing a page costs.  So before each measurement a child
 * touches as much as any job needs, and both sides find the memory alike. */
static void warm_memory(void)
{
    const size_t size = (size_t)2500 << 20;
    pid_t child = fork();
    if (child == 0) {
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            _exit(0); /* a small machine: then the figures are as they are */
        (void)madvise(memory, size, MADV_HUGEPAGE);
        for (size_t at = 0; at < size; at += 4096)
            memory[at] = 1;
        _exit(0);
    }
    if (child > 0)
        (void)waitpid(child, NULL, 0);
}

/* False when the program could not be run at all (a peer that is not there). */
static bool measure(const char *const arguments[], figure *f, bool required)
{
    bench_child child;
    warm_memory();
    if (!bench_child_run(arguments, &child)) {
        if (required)
            bench_fatal("cannot run %s", arguments[0]);
        return false;
    }
    json_t *lines = bench_child_objects(&child);
    bool good = child.exit_status == 0 && json_array_size(lines) > 0;
    if (good)
        add_figure(f, json_array_get(lines, json_array_size(lines) - 1), arguments[0]);
    else if (required)
        bench_fatal("%s %s failed with status %d", arguments[0], arguments[1], child.exit_status);
    json_decref(lines);
    bench_child_free(&child);
    return good;
}

static int64_t job_number(int argc, char **argv, const char *name)
{
    const char *text = bench_option(argc, argv, name);
    if (!text)
        bench_fatal("--job needs --%s, too", name);
    return strtoll(text, NULL, 10);
}

/* What this program does as its own child. */
static int run_job(int argc, char **argv)
{
    const bench_engine_job job = {
        .name = bench_option(argc, argv, "job"),
        .count = job_number(argc, argv, "count"),
        .keys = job_number(argc, argv, "keys"),
        .threads = (uint32_t)job_number(argc, argv, "threads"),
        .memory_budget = (uint64_t)job_number(argc, argv, "memory_budget"),
    };
    bench_engine_outcome outcome;
    bench_engine_run(&job, &outcome);
    printf("{\"seconds\": %.6f, \"checksum\": \"%s\", \"peak_rss_bytes\": %" PRIu64 "}\n",
           outcome.seconds, outcome.checksum, bench_peak_rss_bytes());
    return 0;
}

/* ---- The cases
 * ----------------------------------------------------------------------------------- */

typedef struct settings {
    char *self, *handwritten, *wordcount, *python, *peer_script;
    int rounds;
    const char *threads;
    bool quick;
    bench_report *report;
} settings;

typedef struct engine_case {
    const char *name;
    const char *job;                   /* of libbeam */
    const char *hand_job, *hand_third; /* of the hand-written program */
    const char *peer_job;              /* of Polars and DuckDB, or NULL */
    int64_t count, keys;
    uint64_t memory_budget;
} engine_case;

static void add_peer(const settings *s, const engine_case *c, const char *peer, const char *label,
                     const figure *ours)
{
    if (!s->python || !c->peer_job || s->quick)
        return;
    char *count = bench_format("%" PRId64, c->count), *keys = bench_format("%" PRId64, c->keys);
    const char *const grouping[] = {s->python, s->peer_script, peer, c->peer_job,
                                    count,     keys,           NULL};
    const char *const chain[] = {s->python, s->peer_script, peer, c->peer_job, count, NULL};
    figure theirs = {0};
    if (measure(strcmp(c->peer_job, "map") == 0 ? chain : grouping, &theirs, false)) {
        double rate = (double)c->count / theirs.seconds;
        bench_report_add(s->report, c->name, rate / 1e6, "M elements/s", label, BENCH_NO_RATIO);
        bench_report_add(s->report, c->name, (double)c->count / ours->seconds / 1e6, "M elements/s",
                         label, theirs.seconds / ours->seconds);
    }
    free(count);
    free(keys);
}

static void run_case(const settings *s, const engine_case *c)
{
    char *count = bench_format("--count=%" PRId64, c->count);
    char *keys = bench_format("--keys=%" PRId64, c->keys);
    char *job = bench_format("--job=%s", c->job);
    char *threads = bench_format("--threads=%s", s->threads);
    char *budget = bench_format("--memory_budget=%" PRIu64, c->memory_budget);
    char *hand_count = bench_format("%" PRId64, c->count);
    const char *const ours[] = {s->self, job, count, keys, threads, budget, NULL};
    bool chain = strcmp(c->hand_job, "map") == 0;
    const char *const hand[] = {s->handwritten,
                                threads,
                                c->hand_job,
                                chain ? c->hand_third : hand_count,
                                chain ? hand_count : c->hand_third,
                                NULL};
    figure mine = {0}, theirs = {0};
    for (int round = 0; round < s->rounds; round++) {
        measure(ours, &mine, true);
        measure(hand, &theirs, true);
    }
    if (strcmp(mine.checksum, theirs.checksum) != 0)
        bench_fatal("%s: libbeam computed %s, the hand-written program %s", c->name, mine.checksum,
                    theirs.checksum);
    double rate = (double)c->count / mine.seconds, hand_rate = (double)c->count / theirs.seconds;
    bench_report_add(s->report, c->name, hand_rate / 1e6, "M elements/s", "handwritten C",
                     BENCH_NO_RATIO);
    bench_report_add(s->report, c->name, rate / 1e6, "M elements/s", "handwritten C",
                     rate / hand_rate);
    bench_report_add(s->report, c->name, mine.rss / 1e6, "MB peak", "handwritten C",
                     mine.rss / theirs.rss);
    add_peer(s, c, "polars", "Polars", &mine);
    add_peer(s, c, "duckdb", "DuckDB", &mine);
    fflush(stdout);
    fprintf(stderr, "%s: %.1f M elements/s, %.2f of handwritten C\n", c->name, rate / 1e6,
            rate / hand_rate);
    free(count);
    free(keys);
    free(job);
    free(threads);
    free(budget);
    free(hand_count);
}

/* ---- Word count
 * --------------------------------------------------------------------------------------- */

/* The example program itself, whose result_json has the figures. */
static bool measure_wordcount(const settings *s, const char *input, const char *output, figure *f)
{
    char *json = bench_cache_path("bench-wordcount.json");
    char *options[] = {bench_format("--input=%s", input), bench_format("--output=%s", output),
                       bench_format("--result_json=%s", json),
                       bench_format("--direct_num_workers=%s", s->threads)};
    const char *const arguments[] = {s->wordcount, options[0], options[1],
                                     options[2],   options[3], NULL};
    bench_child child;
    warm_memory();
    bool good = bench_child_run(arguments, &child);
    json_error_t error;
    json_t *result = good && child.exit_status == 0 ? json_load_file(json, 0, &error) : NULL;
    if (result) {
        double seconds = child.seconds;
        double rss = json_number_value(json_object_get(result, "peak_rss_bytes"));
        if (!f->known || seconds < f->seconds)
            f->seconds = seconds;
        if (!f->known || rss < f->rss)
            f->rss = rss;
        f->known = true;
    }
    json_decref(result);
    if (good)
        bench_child_free(&child);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        free(options[i]);
    unlink(json);
    free(json);
    return f->known;
}

static void run_wordcount(const settings *s, uint64_t bytes)
{
    char *text = bench_text_file(bytes);
    char *output = bench_cache_path("bench-words"), *hand_output = bench_cache_path("bench-hand");
    char *threads = bench_format("--threads=%s", s->threads);
    const char *const hand[] = {s->handwritten, threads, "wordcount", text, hand_output, NULL};
    figure mine = {0}, theirs = {0};
    for (int round = 0; round < s->rounds; round++) {
        if (!measure_wordcount(s, text, output, &mine))
            bench_fatal("%s failed", s->wordcount);
        measure(hand, &theirs, true);
    }
    double rate = (double)bytes / mine.seconds / 1e6,
           hand_rate = (double)bytes / theirs.seconds / 1e6;
    char *name = bench_format("word count, %g MB", (double)bytes / 1e6);
    bench_report_add(s->report, name, hand_rate, "MB/s", "handwritten C", BENCH_NO_RATIO);
    bench_report_add(s->report, name, rate, "MB/s", "handwritten C", rate / hand_rate);
    bench_report_add(s->report, name, mine.rss / 1e6, "MB peak", "handwritten C",
                     mine.rss / theirs.rss);
    fprintf(stderr, "%s: %.0f MB/s, %.2f of handwritten C\n", name, rate, rate / hand_rate);
    char *shell = bench_format("rm -f %s-*-of-*", output);
    if (system(shell) != 0)
        fprintf(stderr, "cannot remove %s-*\n", output);
    unlink(hand_output);
    free(shell);
    free(name);
    free(threads);
    free(output);
    free(hand_output);
    free(text);
}

/* ---- All
 * --------------------------------------------------------------------------------------------------
 */

static const engine_case cases[] = {
    {"group, 10M, 1,000 keys", "group", "group", "1000", "group", 10000000, 1000, 0},
    {"group, 10M, 1,000,000 keys", "group", "group", "1000000", "group", 10000000, 1000000, 0},
    {"combine, 10M, 1,000 keys", "combine", "combine", "1000", "combine", 10000000, 1000, 0},
    {"combine, 10M, 1,000,000 keys", "combine", "combine", "1000000", "combine", 10000000, 1000000,
     0},
    {"group, 100M, 1,000 keys", "group", "group", "1000", "group", 100000000, 1000, 0},
    {"group, 100M, 1,000,000 keys", "group", "group", "1000000", "group", 100000000, 1000000, 0},
    {"group, 100M, 1,000 keys, 500 MB", "group", "group", "1000", NULL, 100000000, 1000, 500000000},
    {"group, 100M, 1,000,000 keys, 500 MB", "group", "group", "1000000", NULL, 100000000, 1000000,
     500000000},
    {"combine, 100M, 1,000 keys", "combine", "combine", "1000", "combine", 100000000, 1000, 0},
    {"combine, 100M, 1,000,000 keys", "combine", "combine", "1000000", "combine", 100000000,
     1000000, 0},
    {"chain, 100M, process", "map", "map", "call", "map", 100000000, 1000, 0},
    {"chain, 100M, process_batch", "map_batch", "map", "batch", "map", 100000000, 1000, 0},
};

static const beam_option options[] = {
    {"quick", NULL, NULL, "a short look", false},
    {"rounds", "N>0", NULL, "the best of so many counts; default: 3, quick: 1", false},
    {"threads", "N>0", "2", "of either side", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    if (bench_option(argc, argv, "job"))
        return run_job(argc, argv);
    bench_begin(argc, argv, "bench_engine",
                "the embedded runner beside a hand-written C program, Polars and DuckDB", options,
                sizeof options / sizeof *options);
    const char *rounds = bench_option(argc, argv, "rounds");
    const char *threads = bench_option(argc, argv, "threads");
    settings s = {.self = bench_sibling_program("bench_engine"),
                  .handwritten = bench_sibling_program("handwritten"),
                  .wordcount = bench_sibling_program("wordcount"),
                  .python = bench_peer_python(),
                  .peer_script = bench_strdup(BENCH_SOURCE_DIR "/peers/polars_duckdb.py"),
                  .threads = threads ? threads : "2",
                  .quick = bench_has_flag(argc, argv, "--quick"),
                  .report = bench_report_new("The embedded runner")};
    s.rounds = rounds ? atoi(rounds) : s.quick ? 1 : 3;
    if (s.rounds < 1)
        bench_fatal("--rounds is at least 1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!s.quick || cases[i].count <= 10000000)
            run_case(&s, &cases[i]);
    run_wordcount(&s, s.quick ? 100000000 : 1000000000);
    int status = bench_report_finish(s.report, bench_option(argc, argv, "result_json"));
    bench_report_free(s.report);
    free(s.self);
    free(s.handwritten);
    free(s.wordcount);
    free(s.python);
    free(s.peer_script);
    return status;
}
