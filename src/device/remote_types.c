/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote_types.c - datatypes of the open inference protocol, to and from f32. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "device/remote_wire.h"

/* Whole numbers up to here are f32 exactly. */
#define EXACT 16777216

/* A whole number's type: every f32 that is one and lies in its range, and back.  MOST is at most
 * EXACT, so that no number is rounded. */
#define WHOLE(NAME, T, LEAST, MOST)                                                         \
    static bool put_##NAME(float value, uint8_t *to)                                        \
    {                                                                                       \
        if (!(value >= (float)(LEAST) && value <= (float)(MOST)) || value != truncf(value)) \
            return false;                                                                   \
        T whole = (T)value;                                                                 \
        memcpy(to, &whole, sizeof whole);                                                   \
        return true;                                                                        \
    }                                                                                       \
    static bool get_##NAME(const uint8_t *from, float *value)                               \
    {                                                                                       \
        T whole;                                                                            \
        memcpy(&whole, from, sizeof whole);                                                 \
        *value = (float)whole;                                                              \
        return (double)whole >= (double)(LEAST) && (double)whole <= (double)(MOST);         \
    }
WHOLE(bool, uint8_t, 0, 1)
WHOLE(u8, uint8_t, 0, UINT8_MAX)
WHOLE(u16, uint16_t, 0, UINT16_MAX)
WHOLE(u32, uint32_t, 0, EXACT)
WHOLE(u64, uint64_t, 0, EXACT)
WHOLE(i8, int8_t, INT8_MIN, INT8_MAX)
WHOLE(i16, int16_t, INT16_MIN, INT16_MAX)
WHOLE(i32, int32_t, -EXACT, EXACT)
WHOLE(i64, int64_t, -EXACT, EXACT)

static bool put_f32(float value, uint8_t *to)
{
    memcpy(to, &value, sizeof value);
    return true;
}

static bool get_f32(const uint8_t *from, float *value)
{
    memcpy(value, from, sizeof *value);
    return true;
}

static bool put_f64(float value, uint8_t *to)
{
    double wide = value;
    memcpy(to, &wide, sizeof wide);
    return true;
}

static bool get_f64(const uint8_t *from, float *value)
{
    double wide;
    memcpy(&wide, from, sizeof wide);
    if (isfinite(wide) && fabs(wide) > (double)FLT_MAX)
        return false;
    *value = (float)wide;
    return true;
}

static bool put_f16(float value, uint8_t *to)
{
    uint16_t bits = beam_f32_to_f16(value);
    memcpy(to, &bits, sizeof bits);
    return !isfinite(value) || isfinite(beam_f16_to_f32(bits));
}

static bool get_f16(const uint8_t *from, float *value)
{
    uint16_t bits;
    memcpy(&bits, from, sizeof bits);
    *value = beam_f16_to_f32(bits);
    return true;
}

static bool put_bf16(float value, uint8_t *to)
{
    uint16_t bits = beam_f32_to_bf16(value);
    memcpy(to, &bits, sizeof bits);
    return !isfinite(value) || isfinite(beam_bf16_to_f32(bits));
}

static bool get_bf16(const uint8_t *from, float *value)
{
    uint16_t bits;
    memcpy(&bits, from, sizeof bits);
    *value = beam_bf16_to_f32(bits);
    return true;
}

static const beam_remote_type types[] = {
    {"FP32", 4, false, false, 0, 0, put_f32, get_f32},
    {"FP64", 8, false, false, 0, 0, put_f64, get_f64},
    {"FP16", 2, false, true, 0, 0, put_f16, get_f16},
    {"BF16", 2, false, true, 0, 0, put_bf16, get_bf16},
    {"BOOL", 1, true, false, 0, 1, put_bool, get_bool},
    {"UINT8", 1, true, false, 0, UINT8_MAX, put_u8, get_u8},
    {"UINT16", 2, true, false, 0, UINT16_MAX, put_u16, get_u16},
    {"UINT32", 4, true, false, 0, EXACT, put_u32, get_u32},
    {"UINT64", 8, true, false, 0, EXACT, put_u64, get_u64},
    {"INT8", 1, true, false, INT8_MIN, INT8_MAX, put_i8, get_i8},
    {"INT16", 2, true, false, INT16_MIN, INT16_MAX, put_i16, get_i16},
    {"INT32", 4, true, false, -EXACT, EXACT, put_i32, get_i32},
    {"INT64", 8, true, false, -EXACT, EXACT, put_i64, get_i64},
};

const beam_remote_type *beam_remote_type_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}
