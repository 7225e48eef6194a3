/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* testing.h - checks inside a pipeline, for tests of your own transforms (Beam's PAssert).
 *
 *     beam_pipeline *p = beam_pipeline_new(NULL);
 *     beam_pcoll words = beam_pardo(beam_create(p, beam_str, lines, 2), &split_fn);
 *     beam_assert_that(words, beam_str, expected, 5);
 *     beam_status status = beam_pipeline_run(p, NULL, NULL, &err);
 *
 * A check is a part of the graph, so it holds on every runner: a run whose check fails fails,
 * with BEAM_FAILED_PRECONDITION and words that say where the check stands, what is missing and
 * what was not expected.  A check also runs, and fails, when its PCollection is empty.
 */
#ifndef BEAM_TESTING_H
#define BEAM_TESTING_H

#include <beam/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_assert_args {
    BEAM_COMMON_ARGS_;
    const beam_type *type; /* the PCollection's, filled by the macros; NULL: any */
    const void *expected;  /* `count` values; NULL: only their number is checked */
    size_t count;
    const char *name;
    const beam_window *window; /* check elements of this window alone; NULL: of all windows */
} beam_assert_args;
BEAM_API void beam_assert_that_(beam_pcoll pcoll, const beam_assert_args *args);

/* The PCollection holds these `n` values of type T, in any order and no others. Floats are
 * equal when their bits are. */
#define beam_assert_that(pcoll, T, expected, n, ...) \
    beam_assert_that_((pcoll),                       \
                      BEAM_ARGS_(beam_assert_args, &T##_type, (expected), (n), __VA_ARGS__))
/* It holds `n` elements; none. */
#define beam_assert_count(pcoll, n, ...) \
    beam_assert_that_((pcoll), BEAM_ARGS_(beam_assert_args, NULL, NULL, (n), __VA_ARGS__))
#define beam_assert_empty(pcoll, ...) beam_assert_count((pcoll), 0, __VA_ARGS__)

/* bool is_even(const beam_int64 *v) { return *v % 2 == 0; }
 * BEAM_PREDICATE(is_even_fn, beam_int64, is_even);
 * beam_assert_all(numbers, &is_even_fn);          every element satisfies it */
#define BEAM_PREDICATE(NAME, T, function)                                                   \
    static beam_status NAME##_process_(beam_ctx *ctx, const void *element)                  \
    {                                                                                       \
        return function((const T *)element) ? BEAM_OK : beam_emit_element(ctx, 0, element); \
    }                                                                                       \
    static const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),                        \
                                   .name = #NAME,                                           \
                                   .in = &T##_type,                                         \
                                   .outs = (const beam_type *const[]){&T##_type},           \
                                   .n_outs = 1,                                             \
                                   .process = NAME##_process_}
typedef struct beam_assert_all_args {
    BEAM_COMMON_ARGS_;
    const beam_dofn *predicate;
    const char *name;
} beam_assert_all_args;
BEAM_API void beam_assert_all_(beam_pcoll pcoll, const beam_assert_all_args *args);
#define beam_assert_all(pcoll, ...) \
    beam_assert_all_((pcoll), BEAM_ARGS_(beam_assert_all_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
