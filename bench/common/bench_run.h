/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What benchmarks need around their measurements: options, time, memory, places and peers. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <jansson.h>

#include "app/options.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Prints the message to stderr and ends the program with status 1. */
void bench_fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* They end the program when memory runs out; free() what they return. */
void *bench_alloc(size_t bytes);
char *bench_strdup(const char *text);
char *bench_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Options that every benchmark has. */
#define BENCH_COMMON_OPTIONS \
    {"result_json", "FILE", NULL, "write the rows as JSON", false}, BEAM_HELP_OPTION

/* Holds the command line to the options that there are: benchmarks take minutes, and a mistyped one
 * does not start.  Ends the program after --help, and with status 2 where something is wrong. */
void bench_begin(int argc, char **argv, const char *name, const char *about,
                 const beam_option *options, size_t n_options);

/* The value of --name=VALUE, the last one given, or NULL.  name is without the dashes. */
const char *bench_option(int argc, char **argv, const char *name);
const char *bench_text_option(int argc, char **argv, const char *name, const char *otherwise);
/* Ends the program unless the value is a number above 0, and at most 10000. */
double bench_number_option(int argc, char **argv, const char *name, double otherwise);
/* Whether an argument is `flag`, with its dashes. */
bool bench_has_flag(int argc, char **argv, const char *flag);

/* Seconds of a clock that never goes back. */
double bench_now(void);
/* Seconds of any: CLOCK_PROCESS_CPUTIME_ID for those that the program computed. */
double bench_clock(clockid_t clock);

/* The most memory that this program image has held at once (VmHWM), 0 if unknown. */
uint64_t bench_peak_rss_bytes(void);

/* DIR/name, where DIR is $BEAM_CACHE, else $XDG_CACHE_HOME/libbeam, else ~/.cache/libbeam; makes
 * the folder that is to hold it.  The caller frees it. */
char *bench_cache_path(const char *name);

/* The path of a program that was built beside this one.  The caller frees it. */
char *bench_sibling_program(const char *name);

/* The Python that bench/setup-peers installed the peers for, or NULL if it has not been run.  The
 * caller frees it. */
char *bench_peer_python(void);

/* --- Child programs --------------------------------------------------------------------------- */

typedef struct bench_child {
    int exit_status;             /* 128 + n after signal n */
    double seconds, cpu_seconds; /* by the clock; of all its threads, in and for it */
    /* As wait4 has it.  The kernel begins to count with what this program holds when it starts the
     * child, so that a child smaller than its parent looks as big as it; hence a benchmark measures
     * its own side in a child, too, and prefers a figure that the child printed. */
    uint64_t peak_rss_bytes;
    char *output; /* stdout, ended by a NUL */
} bench_child;

/* Runs arguments[0] (looked up in PATH unless it has a slash) and waits for its end; stderr is
 * shared.  False with errno set if it could not be started. */
bool bench_child_run(const char *const arguments[], bench_child *child);
void bench_child_free(bench_child *child);

/* The lines of the output that are JSON objects, as a JSON array: json_decref it. */
json_t *bench_child_objects(const bench_child *child);

#endif
