/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* suite.c - what cases of several subjects use. */
#include "conformance/suite.h"

beam_status sum_ints(const beam_iterable *values, int_sum *sum)
{
    beam_iter iter = beam_iterate(values, beam_int64);
    *sum = (int_sum){0, 0};
    for (const beam_int64 *v; (v = beam_next(&iter, beam_int64)); sum->n++)
        sum->sum += *v;
    return iter.status;
}

static beam_status own_time(beam_ctx *c, const void *element)
{
    beam_int64 time;
    memcpy(&time, element, sizeof time);
    return beam_emit_at(c, 0, element, time);
}
const beam_dofn own_time_fn = {.struct_size = sizeof own_time_fn,
                               .name = "own_time_fn",
                               .in = &beam_int64_type,
                               BEAM_TYPES(&beam_int64_type),
                               .process = own_time};

static beam_status kv_time(beam_ctx *c, const void *element)
{
    return beam_emit_at(c, 0, element, ((const str_int *)element)->value);
}
const beam_dofn kv_time_fn = {.struct_size = sizeof kv_time_fn,
                              .name = "kv_time_fn",
                              .in = &str_int_type,
                              BEAM_TYPES(&str_int_type),
                              .process = kv_time};
