/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* accuracy.c - how many predictions were right, as a combine. */
#include <beam/ml.h>
#include <math.h>

#define COUNTS(FIELD, S) FIELD(S, beam_int64, correct) FIELD(S, beam_int64, total)
BEAM_STRUCT(accuracy_counts, COUNTS);

static beam_status add(beam_ctx *ctx, void *acc, const void *in)
{
    (void)ctx;
    accuracy_counts *counts = acc;
    const beam_classified *found = in;
    counts->correct += found->label == found->predicted;
    counts->total++;
    return BEAM_OK;
}

static beam_status merge(beam_ctx *ctx, void *acc, const void *other)
{
    (void)ctx;
    accuracy_counts *counts = acc;
    const accuracy_counts *more = other;
    counts->correct += more->correct;
    counts->total += more->total;
    return BEAM_OK;
}

static beam_status extract(beam_ctx *ctx, const void *acc, void *out)
{
    (void)ctx;
    const accuracy_counts *counts = acc;
    double share = counts->total ? (double)counts->correct / (double)counts->total : (double)NAN;
    *(beam_accuracy_result *)out = (beam_accuracy_result){counts->correct, counts->total, share};
    return BEAM_OK;
}

const beam_combinefn beam_accuracy = {.struct_size = sizeof(beam_combinefn),
                                      .name = "beam_accuracy",
                                      .in = &beam_classified_type,
                                      .acc = &accuracy_counts_type,
                                      .out = &beam_accuracy_result_type,
                                      .add = add,
                                      .merge = merge,
                                      .extract = extract};

static beam_status tell(beam_ctx *ctx, const void *element)
{
    const beam_accuracy_result *result = element;
    beam_count(ctx, 0, result->correct);
    beam_count(ctx, 1, result->total);
    return BEAM_OK;
}

const beam_dofn beam_tell_accuracy = {
    .struct_size = sizeof(beam_dofn),
    .name = "beam_tell_accuracy",
    .in = &beam_accuracy_result_type,
    .process = tell,
    BEAM_METRICS({"correct", BEAM_COUNTER}, {"scored", BEAM_COUNTER})};
