/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The size of batches, sought on devices that are formulas. */
#include "ml/batch_tuner.h"
#include "support/files.h"

/* Microseconds of a batch. */
typedef double (*device)(double size);

static double overhead(double size) /* large batches are better without end */
{
    return 1000 + 10 * size;
}
static double cache(double size) /* 64 is best: more does not fit */
{
    return 500 + 10 * size + (size > 64 ? 30 * (size - 64) : 0);
}
static double flat(double size) /* nothing is gained by size */
{
    return 100 * size;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*state >> 33);
}

/* The size after so many batches, each up to a tenth slower by chance. */
static int64_t settle(device time, int64_t least, int64_t most, int64_t bound_ms, int batches)
{
    beam_tuner tuner;
    uint64_t random = 1;
    beam_tuner_start(&tuner, least, most, bound_ms);
    for (int i = 0; i < batches; i++) {
        int64_t size = beam_tuner_size(&tuner);
        assert_true(size >= least && size <= most);
        double noise = 1 + (next_random(&random) % 1000) * 1e-4 * 0.2;
        beam_tuner_observe(&tuner, size, (int64_t)(time((double)size) * noise * 1000));
    }
    return beam_tuner_size(&tuner);
}

static void test_without_a_bound_the_size_is_the_most(void **state)
{
    (void)state;
    assert_int_equal(settle(cache, 1, 300, 0, 100), 300);
}

static void test_the_best_throughput_is_found(void **state)
{
    (void)state;
    assert_int_equal(settle(overhead, 1, 512, 1000, 200), 512);
    assert_int_equal(settle(overhead, 3, 500, 1000, 200), 500);
    assert_int_equal(settle(cache, 1, 512, 1000, 200), 64);
    assert_true(settle(flat, 1, 512, 1000, 200) >= 1);
}

static void test_no_batch_takes_longer_than_the_bound(void **state)
{
    (void)state;
    static const device devices[] = {overhead, cache, flat};
    for (size_t d = 0; d < 3; d++) {
        for (int64_t bound = 2; bound < 100; bound += 7) {
            int64_t size = settle(devices[d], 1, 4096, bound, 400);
            double took = devices[d]((double)size) / 1000;
            if (took > (double)bound)
                fail_msg("device %zu: %lld in %g ms, the bound is %lld", d, (long long)size, took,
                         (long long)bound);
            /* Nor is much left: of sizes that fit, none has twice the throughput. */
            for (int64_t other = 1; other <= 4096; other *= 2) {
                double would = devices[d]((double)other), rate = (double)other / would;
                if (would * 1.05 / 1000 <= (double)bound && rate > 2 * (double)size / took / 1000)
                    fail_msg("device %zu, bound %lld: %lld (%g) instead of %lld (%g)", d,
                             (long long)bound, (long long)size, took, (long long)other, would);
            }
        }
    }
}

/* A device that grows slower is followed. */
static void test_change_is_followed(void **state)
{
    (void)state;
    beam_tuner tuner;
    beam_tuner_start(&tuner, 1, 256, 10);
    for (int i = 0; i < 100; i++)
        beam_tuner_observe(&tuner, beam_tuner_size(&tuner), 1000000);
    assert_int_equal(beam_tuner_size(&tuner), 256);
    for (int i = 0; i < 100; i++)
        beam_tuner_observe(&tuner, beam_tuner_size(&tuner), beam_tuner_size(&tuner) * 1000000);
    assert_true(beam_tuner_size(&tuner) <= 10);
    /* Sizes that were not asked for tell nothing. */
    int64_t size = beam_tuner_size(&tuner);
    for (int i = 0; i < 100; i++)
        beam_tuner_observe(&tuner, size + 1, 1);
    assert_int_equal(beam_tuner_size(&tuner), size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_bound_the_size_is_the_most),
        cmocka_unit_test(test_the_best_throughput_is_found),
        cmocka_unit_test(test_no_batch_takes_longer_than_the_bound),
        cmocka_unit_test(test_change_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
