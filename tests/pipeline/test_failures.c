/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Bundles that fail: tried again without a trace of the failed try, then reported; cancelled
 * runs; what was committed is what counts. */
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/pipeline_test.h"

static const beam_run_options two_threads = {.struct_size = sizeof two_threads,
                                             .direct_num_workers = 2};

/* ---- Retries ----------------------------------------------------------------------------------
 */

static atomic_int failures_left, setups, teardowns;

static beam_status count_setup(beam_ctx *c)
{
    (void)c;
    atomic_fetch_add(&setups, 1);
    return BEAM_OK;
}

static void count_teardown(beam_ctx *c)
{
    (void)c;
    atomic_fetch_add(&teardowns, 1);
}

static beam_status fail_late(beam_ctx *c, const beam_int64 *x)
{
    beam_count(c, 0, 1);
    beam_distribution_update(c, 1, *x);
    BEAM_TRY(beam_emit(c, int_int, .key = *x % 7, .value = *x));
    if (*x == 99 && atomic_fetch_sub(&failures_left, 1) > 0)
        return beam_fail(c, BEAM_UNAVAILABLE, "not yet");
    return BEAM_OK;
}
BEAM_DOFN(fail_late_fn, beam_int64, fail_late, BEAM_TYPES(&int_int_type), .setup = count_setup,
          .teardown = count_teardown,
          BEAM_METRICS({"seen", BEAM_COUNTER}, {"sizes", BEAM_DISTRIBUTION}));

static beam_status tell(beam_ctx *c, const int_int *kv)
{
    beam_iterable all;
    BEAM_TRY(beam_side_iterable(c, 0, &all));
    return beam_emit(c, beam_int64, (beam_int64)all.len + kv->key * 0);
}
BEAM_DOFN(tell_fn, int_int, tell, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &int_int_type}));

/* A shuffle, a buffer and a side input all get the bundle's elements once. */
static void build_retry(beam_pipeline *p, beam_pcoll x)
{
    static const beam_int64 hundred[] = {100};
    beam_pcoll kvs = beam_pardo(x, &fail_late_fn, .name = "FailLate");
    beam_assert_count(kvs, 100);
    beam_assert_count(beam_group_by_key(kvs), 7);
    const beam_int64 sum = 4950;
    beam_assert_that(beam_combine_globally(beam_values(kvs), &beam_sum_int64), beam_int64, &sum, 1);
    beam_assert_count(beam_reshuffle(kvs), 100);
    const int_int one = {0, 0};
    beam_pcoll told = beam_pardo(beam_create(p, int_int, &one, 1), &tell_fn,
                                 BEAM_SIDE_INPUTS(beam_as_iterable(kvs)));
    beam_assert_that(told, beam_int64, hundred, 1);
}

static void check_retry(beam_pcoll (*source)(beam_pipeline *p, int64_t n), bool reshuffle)
{
    atomic_store(&failures_left, 2);
    atomic_store(&setups, 0);
    atomic_store(&teardowns, 0);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll x = source(p, 100);
    build_retry(p, reshuffle ? beam_reshuffle(x) : x);
    beam_result *result = run_ok(p, &two_threads, true);
    assert_int_equal(counter(result, "FailLate", "seen"), 100);
    beam_metric_cell sizes;
    assert_int_equal(beam_result_metric(result, "FailLate", "sizes", &sizes), BEAM_OK);
    assert_int_equal(sizes.count, 100);
    assert_int_equal(sizes.sum, 4950);
    assert_int_equal(sizes.min, 0);
    assert_int_equal(sizes.max, 99);
    assert_int_equal(beam_result_metric(result, "Fail", "seen", &sizes), BEAM_NOT_FOUND);
    assert_true(beam_result_seconds(result) > 0);
    beam_result_free(result);
    assert_true(atomic_load(&setups) >= 3); /* a broken instance is never used again */
    assert_int_equal(atomic_load(&setups), atomic_load(&teardowns));
}

static void retries(void **state)
{
    (void)state;
    check_retry(numbers, false);
    check_retry(numbers, true);
    check_retry(count_to, false);
}

/* Who is told of a failed bundle may be slow: the other thread does that bundle again meanwhile. */
static sem_t done_again;
static atomic_int sevens, kept_waiting;

static beam_status fail_once(beam_ctx *c, const beam_int64 *x)
{
    if (*x != 7)
        return BEAM_OK;
    if (atomic_fetch_add(&sevens, 1) == 0)
        return beam_fail(c, BEAM_UNAVAILABLE, "not yet");
    sem_post(&done_again);
    return BEAM_OK;
}
BEAM_DOFN(fail_once_fn, beam_int64, fail_once);

static void wait_for_second_try(void *user, const beam_log_record *record)
{
    struct timespec until;
    (void)user;
    if (!strstr(record->message, "bundle failed"))
        return;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    if (sem_timedwait(&done_again, &until) != 0)
        atomic_fetch_add(&kept_waiting, 1);
}

static void slow_log(void **state)
{
    (void)state;
    const beam_logger logger = {.sink = wait_for_second_try, .min_level = BEAM_LOG_INFO};
    beam_run_options options = two_threads;
    options.logger = &logger;
    assert_int_equal(sem_init(&done_again, 0, 0), 0);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pardo(numbers(p, 10), &fail_once_fn);
    run_ok(p, &options, false);
    assert_int_equal(atomic_load(&sevens), 2);
    assert_int_equal(atomic_load(&kept_waiting), 0);
    sem_destroy(&done_again);
}

/* ---- Failures that stay ------------------------------------------------------------------------
 */

static atomic_int tries;

static beam_status always_fail(beam_ctx *c, const beam_int64 *x)
{
    if (*x != 7)
        return BEAM_OK;
    atomic_fetch_add(&tries, 1);
    return beam_fail(c, BEAM_DATA_LOSS, "cannot stand %d", 7);
}
BEAM_DOFN(always_fail_fn, beam_int64, always_fail);

static void failure_is_told(void **state)
{
    (void)state;
    beam_error err;
    atomic_store(&tries, 0);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_composite_begin(p, "Outer", NULL);
    beam_pardo(numbers(p, 10), &always_fail_fn, .name = "Inner");
    beam_composite_end(p);
    run_fails(p, &two_threads, BEAM_DATA_LOSS, &err);
    assert_mentions(&err, "Outer/Inner");
    assert_mentions(&err, "always_fail_fn");
    assert_mentions(&err, "cannot stand 7");
    assert_mentions(&err, "bundle: 7");
    assert_mentions(&err, "4 times");
    assert_int_equal(atomic_load(&tries), 4);
}

static beam_status fail_setup(beam_ctx *c)
{
    atomic_fetch_add(&setups, 1);
    return beam_fail(c, BEAM_NOT_FOUND, "no model");
}
static beam_status ignore(beam_ctx *c, const beam_int64 *x)
{
    (void)c;
    (void)x;
    return BEAM_OK;
}
BEAM_DOFN(fail_setup_fn, beam_int64, ignore, .setup = fail_setup);

static beam_status fail_finish(beam_ctx *c)
{
    return beam_fail(c, BEAM_ABORTED, "no end");
}
BEAM_DOFN(fail_finish_fn, beam_int64, ignore, .finish_bundle = fail_finish);

static void failure_of_each_step(void **state)
{
    (void)state;
    beam_error err;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pardo(numbers(p, 10), &fail_setup_fn);
    atomic_store(&setups, 0);
    run_fails(p, &two_threads, BEAM_NOT_FOUND, &err);
    assert_mentions(&err, "no model");
    assert_mentions(&err, "setup");
    assert_in_range(atomic_load(&setups), 1, 2); /* once a thread: another try is no use */
    p = beam_pipeline_new(NULL);
    beam_pardo(numbers(p, 10), &fail_finish_fn);
    run_fails(p, &two_threads, BEAM_ABORTED, &err);
    assert_mentions(&err, "no end");
    assert_mentions(&err, "finish_bundle");
}

/* An accumulator or a group that fails is told of by its transform too. */
static beam_status fail_add(beam_ctx *c, void *acc, const void *in)
{
    (void)acc;
    return *(const beam_int64 *)in == 5 ? beam_fail(c, BEAM_OUT_OF_RANGE, "five") : BEAM_OK;
}
static beam_status no_merge(beam_ctx *c, void *acc, const void *other)
{
    (void)c;
    (void)acc;
    (void)other;
    return BEAM_OK;
}
BEAM_COMBINEFN(fail_add_fn, .in = &beam_int64_type, .acc = &beam_int64_type,
               .out = &beam_int64_type, .add = fail_add, .merge = no_merge);

static void failure_in_combine(void **state)
{
    (void)state;
    beam_error err;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_combine_globally(numbers(p, 10), &fail_add_fn, .name = "Combine");
    run_fails(p, &two_threads, BEAM_OUT_OF_RANGE, &err);
    assert_mentions(&err, "Combine");
    assert_mentions(&err, "five");
}

/* ---- Cancellation -------------------------------------------------------------------------------
 */

static int cancel;
static atomic_int waiting;

static beam_status wait_for_cancel(beam_ctx *c, const beam_int64 *x)
{
    (void)x;
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    atomic_fetch_add(&waiting, 1);
    while (!beam_cancelled(c))
        usleep(1000);
    return BEAM_CANCELLED;
}
BEAM_DOFN(wait_for_cancel_fn, beam_int64, wait_for_cancel);

static void cancelled_run(void **state)
{
    (void)state;
    beam_error err;
    __atomic_store_n(&cancel, 0, __ATOMIC_RELAXED);
    atomic_store(&waiting, 0);
    beam_run_options options = two_threads;
    options.cancel = &cancel;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pardo(beam_reshuffle(numbers(p, 10)), &wait_for_cancel_fn);
    run_fails(p, &options, BEAM_CANCELLED, &err);
    assert_mentions(&err, "cancelled");
    assert_true(atomic_load(&waiting) <= 2);
}

static void cancelled_before(void **state)
{
    (void)state;
    beam_error err;
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    beam_run_options options = two_threads;
    options.cancel = &cancel;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pardo(numbers(p, 1), &wait_for_cancel_fn);
    run_fails(p, &options, BEAM_CANCELLED, &err);
}

/* ---- Progress
 * ------------------------------------------------------------------------------------ */

static atomic_int told;

static void note_progress(void *user, const beam_progress *progress)
{
    assert_ptr_equal(user, &told);
    assert_true(progress->fraction >= 0 && progress->fraction <= 1);
    assert_true(progress->seconds > 0);
    if (progress->elements == 10 && progress->transform && strcmp(progress->transform, "Slow") == 0)
        atomic_fetch_add(&told, 1);
}

static beam_status until_told(beam_ctx *c, const beam_int64 *x)
{
    (void)x;
    while (!atomic_load(&told) && !beam_cancelled(c))
        usleep(1000);
    return BEAM_OK;
}
BEAM_DOFN(until_told_fn, beam_int64, until_told);

static void progress(void **state)
{
    (void)state;
    atomic_store(&told, 0);
    beam_run_options options = two_threads;
    options.on_progress = note_progress;
    options.progress_user = &told;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pardo(beam_reshuffle(count_to(p, 10)), &until_told_fn, .name = "Slow");
    run_ok(p, &options, false);
    assert_true(atomic_load(&told) > 0);
}

/* ---- Options
 * -------------------------------------------------------------------------------------- */

static void bad_options(void **state)
{
    (void)state;
    beam_error err;
    beam_pipeline *p = beam_pipeline_new(NULL);
    run_fails(p, &(beam_run_options){.struct_size = sizeof(beam_run_options), .runner = "flunk"},
              BEAM_INVALID_ARGUMENT, &err);
    assert_mentions(&err, "flunk");
    p = beam_pipeline_new(NULL);
    run_fails(
        p,
        &(beam_run_options){.struct_size = sizeof(beam_run_options), .direct_num_workers = 1000000},
        BEAM_INVALID_ARGUMENT, &err);
    /* A function that the given list does not have. */
    const beam_functions none = {.struct_size = sizeof none};
    p = beam_pipeline_new(NULL);
    beam_pardo(numbers(p, 1), &always_fail_fn);
    run_fails(p, &(beam_run_options){.struct_size = sizeof(beam_run_options), .functions = &none},
              BEAM_NOT_FOUND, &err);
    assert_mentions(&err, "always_fail_fn");
    /* No transforms at all are fine. */
    run_ok(beam_pipeline_new(NULL), NULL, false);
}

/* ---- A disk that is full ----------------------------------------------------------------------
 */

static atomic_bool disk_is_full;

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (disk_is_full) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

static beam_status as_kv(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, int_int, .key = *x % 7, .value = *x);
}
BEAM_DOFN(as_kv_fn, beam_int64, as_kv, BEAM_TYPES(&int_int_type));

static beam_status as_text(beam_ctx *c, const beam_int64 *x)
{
    const beam_str text = {(const char *)x, sizeof *x};
    return beam_emit_value(c, beam_str, &text);
}
BEAM_DOFN(as_text_fn, beam_int64, as_text, BEAM_TYPES(&beam_str_type));

/* The transform that the elements were for is named, as its pipeline knows it, and the folder. */
static void nowhere_to_spill(void **state)
{
    (void)state;
    const beam_run_options options = {.struct_size = sizeof options,
                                      .direct_num_workers = 1,
                                      .memory_budget = 10000,
                                      .temp_dir = "/tmp/."};
    spill_soon(true);
    for (int how = 0; how < 3; how++) {
        beam_error err;
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll x = count_to(p, how < 2 ? 5000 : 500), y;
        beam_composite_begin(p, "Mine", NULL);
        if (how == 0)
            y = beam_reshuffle(beam_pardo(x, &as_text_fn), .name = "Elsewhere");
        else /* of 500, only when the bundle is committed */
            y = beam_group_by_key(beam_pardo(x, &as_kv_fn), .name = "Elsewhere");
        beam_assert_count(y, 7);
        beam_composite_end(p);
        disk_is_full = true;
        run_fails(p, &options, BEAM_RESOURCE_EXHAUSTED, &err);
        disk_is_full = false;
        assert_int_equal(strncmp(err.message, "Mine/Elsewhere: spilling to /tmp/. past ", 40), 0);
        assert_mentions(&err, "a memory budget of 10000 bytes");
        assert_mentions(&err, "No space left on device");
        assert_mentions(&err, "--temp_location");
    }
    spill_soon(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries),
        cmocka_unit_test(slow_log),
        cmocka_unit_test(failure_is_told),
        cmocka_unit_test(failure_of_each_step),
        cmocka_unit_test(failure_in_combine),
        cmocka_unit_test(cancelled_run),
        cmocka_unit_test(cancelled_before),
        cmocka_unit_test(progress),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(nowhere_to_spill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
