/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pipeline_test.h - what the tests of whole pipelines share. */
#ifndef PIPELINE_TEST_H
#define PIPELINE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <beam/testing.h>
#include <beam/transform.h>

/* Builds the pipeline and runs it: on one thread, on several, and with a memory budget so small
 * that shuffles spill; or once on the engine that the environment names (support/runner.h).
 * Checks are in the pipeline. */
void run_all_ways(void (*build)(beam_pipeline *p));

/* Runs and frees the pipeline; the run must succeed. Returns its result if `keep`. */
beam_result *run_ok(beam_pipeline *p, const beam_run_options *options, bool keep);
/* The run must fail with this status; err->message is what it said. */
void run_fails(beam_pipeline *p, const beam_run_options *options, beam_status status,
               beam_error *err);
void assert_mentions(const beam_error *err, const char *text);
/* Whether a memory budget counts as it is, and not as one that the embedded runner finds worth
 * spilling for: so little data shows what spilling does. */
void spill_soon(bool soon);
int64_t counter(const beam_result *result, const char *transform, const char *name);

/* The integers from 0 to n - 1. */
beam_pcoll numbers(beam_pipeline *p, int64_t n);

/* A splittable source of the integers [0, config), and the same at timestamps = the integers. */
extern const beam_dofn counting_fn, timed_counting_fn;
beam_pcoll count_to(beam_pipeline *p, int64_t n);
beam_pcoll count_to_timed(beam_pipeline *p, int64_t n);

BEAM_KV(int_int, beam_int64, beam_int64);
BEAM_GROUPED(int_ints, beam_int64, beam_int64);
BEAM_KV(str_int, beam_str, beam_int64);

#define STR(text)                \
    {                            \
        (text), sizeof(text) - 1 \
    }

#endif
