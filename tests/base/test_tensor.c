/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_tensor.c - shapes and the 16-bit float formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <beam/tensor.h>
#include <math.h>

static void dtypes(void **state)
{
    (void)state;
    for (int d = BEAM_F32; d <= BEAM_BOOL; d++) {
        assert_true(beam_dtype_size((beam_dtype)d) > 0);
        assert_int_equal(beam_dtype_parse(beam_dtype_name((beam_dtype)d)), d);
    }
    assert_int_equal(beam_dtype_size((beam_dtype)11), 0);
    assert_string_equal(beam_dtype_name((beam_dtype)-1), "invalid");
    assert_int_equal(beam_dtype_parse("f33"), BEAM_DTYPE_INVALID);
}

static void checks(void **state)
{
    (void)state;
    size_t values, bytes;
    beam_error err = {0};
    const beam_tensor good = {BEAM_F32, 2, {2, 3}, NULL}, scalar = {BEAM_F64, 0, {0}, NULL};
    const beam_tensor empty = {BEAM_I8, 3, {INT64_MAX, 0, INT64_MAX}, NULL};
    assert_int_equal(beam_tensor_check(&good, &values, &bytes, &err), BEAM_OK);
    assert_true(values == 6 && bytes == 24 && beam_tensor_bytes(&good) == 24);
    assert_int_equal(beam_tensor_check(&scalar, &values, &bytes, &err), BEAM_OK);
    assert_true(values == 1 && bytes == 8);
    (void)beam_tensor_check(&empty, NULL, NULL, NULL);
    const beam_tensor bad[] = {
        {BEAM_DTYPE_INVALID, 1, {1}, NULL},
        {BEAM_F32, 9, {1}, NULL},
        {BEAM_F32, 1, {-1}, NULL},
        {BEAM_F32, 2, {INT64_MAX, INT64_MAX}, NULL},
        {BEAM_F32, 2, {INT64_C(1) << 62, 2}, NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(beam_tensor_check(&bad[i], NULL, NULL, &err), BEAM_INVALID_ARGUMENT);
    assert_true(beam_tensor_same_shape(&good, &good));
    assert_false(beam_tensor_same_shape(&good, &scalar));
}

/* Widening is exact, so every pattern must come back; NaNs stay NaNs. */
static void every_16_bit_float(void **state)
{
    (void)state;
    for (uint32_t i = 0; i <= UINT16_MAX; i++) {
        uint16_t bits = (uint16_t)i;
        float half = beam_f16_to_f32(bits), brain = beam_bf16_to_f32(bits);
        if (isnan(half))
            assert_true(isnan(beam_f16_to_f32(beam_f32_to_f16(half))));
        else
            assert_int_equal(beam_f32_to_f16(half), bits);
        if (isnan(brain))
            assert_true(isnan(beam_bf16_to_f32(beam_f32_to_bf16(brain))));
        else
            assert_int_equal(beam_f32_to_bf16(brain), bits);
    }
}

/* Between two neighbours: below the middle down, above it up, on it to the even one. */
static void rounding(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x7bff; i += 7) {
        uint16_t low = (uint16_t)i, high = (uint16_t)(i + 1), even = i & 1 ? high : low;
        float a = beam_f16_to_f32(low), b = beam_f16_to_f32(high), middle = (a + b) / 2;
        assert_int_equal(beam_f32_to_f16(middle), even);
        assert_int_equal(beam_f32_to_f16(nextafterf(middle, a)), low);
        assert_int_equal(beam_f32_to_f16(nextafterf(middle, b)), high);
        a = beam_bf16_to_f32(low);
        b = beam_bf16_to_f32(high);
        middle = a + (b - a) / 2;
        if (i > 0x80) { /* normal numbers: the middle is exact */
            assert_int_equal(beam_f32_to_bf16(middle), even);
            assert_int_equal(beam_f32_to_bf16(nextafterf(middle, a)), low);
            assert_int_equal(beam_f32_to_bf16(nextafterf(middle, b)), high);
        }
    }
    assert_int_equal(beam_f32_to_f16(65504.0f), 0x7bff);
    assert_int_equal(beam_f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(beam_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(beam_f32_to_f16(-1e30f), 0xfc00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes),
        cmocka_unit_test(checks),
        cmocka_unit_test(every_16_bit_float),
        cmocka_unit_test(rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
