/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* suite.h - the conformance suite: small pipelines that check themselves, each for something
 * that Beam's own tests of its primitives ask of a runner and an SDK.  `list` says which of
 * those tests a case stands for, `run` runs all on an engine.
 */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <beam/io.h>
#include <beam/testing.h>

typedef struct conformance_case {
    const char *name; /* NULL: the end of a list */
    void (*build)(beam_pipeline *p);
    const char *fails;                      /* what the run must fail with; NULL: it succeeds */
    void (*after)(const beam_result *done); /* what its result must tell; or NULL */
    void (*before)(void);                   /* or NULL */
} conformance_case;

#define CASE(build)                     \
    {                                   \
#build, build, NULL, NULL, NULL \
    }
#define CASE_THEN(build, after)          \
    {                                    \
#build, build, NULL, after, NULL \
    }
#define CASE_FAILS(build, words)         \
    {                                    \
#build, build, words, NULL, NULL \
    }

extern const conformance_case core_cases[], batch_cases[], group_cases[], side_cases[],
    window_cases[], splittable_cases[], report_cases[];

/* What many cases use. */
BEAM_KV(str_int, beam_str, beam_int64);
BEAM_KV(str_str, beam_str, beam_str);
BEAM_KV(str_double, beam_str, beam_double);
BEAM_KV(int_int, beam_int64, beam_int64);
BEAM_GROUPED(str_ints, beam_str, beam_int64);

#define S(text)                \
    {                          \
        text, sizeof(text) - 1 \
    }
#define COUNT(array) (sizeof(array) / sizeof *(array))
/* EXPECT(x, beam_int64, 1, 2, 3): it holds these. */
#define EXPECT(pcoll, T, ...) \
    beam_assert_that((pcoll), T, ((const T[]){__VA_ARGS__}), COUNT(((const T[]){__VA_ARGS__})))
/* An array and its length, for functions that take both. */
#define LIST(T, ...) ((const T[]){__VA_ARGS__}), COUNT(((const T[]){__VA_ARGS__}))
#define INTS(...) LIST(beam_int64, __VA_ARGS__)

/* The number of an int64 iterable's values, and their sum. */
typedef struct int_sum {
    beam_int64 n, sum;
} int_sum;
beam_status sum_ints(const beam_iterable *values, int_sum *sum);
/* An integer at the timestamp that it is, in milliseconds, and a KV at that of its value. */
extern const beam_dofn own_time_fn, kv_time_fn;

#endif
