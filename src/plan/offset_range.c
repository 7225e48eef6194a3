/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* offset_range.c - the tracker of [start, stop) ranges of positions, which files and most
 * other sources are split by. */
#include <beam/fn.h>

#include "base/fraction.h"

static beam_status start_range(void *state, const void *restriction)
{
    const beam_offset_range *range = restriction;
    int64_t length, before;
    if (range->start > range->stop || __builtin_sub_overflow(range->start, 1, &before) ||
        __builtin_sub_overflow(range->stop, before, &length))
        return BEAM_INVALID_ARGUMENT;
    *(beam_offset_range_state *)state =
        (beam_offset_range_state){range->start, range->stop, before};
    return BEAM_OK;
}

static bool claim_position(void *state, const void *position)
{
    beam_offset_range_state *range = state;
    range->claimed = *(const int64_t *)position;
    return range->claimed < range->stop;
}

static bool split_range(void *state, double fraction, void *primary, void *residual)
{
    beam_offset_range_state *range = state;
    int64_t next = range->claimed + 1;
    if (next >= range->stop)
        return false;
    int64_t middle = next + beam_fraction_of(range->stop - next, fraction);
    if (middle <= range->start || middle >= range->stop)
        return false;
    *(beam_offset_range *)primary = (beam_offset_range){range->start, middle};
    *(beam_offset_range *)residual = (beam_offset_range){middle, range->stop};
    range->stop = middle;
    return true;
}

static void range_progress(const void *state, double *completed, double *remaining)
{
    const beam_offset_range_state *range = state;
    int64_t next = range->claimed < range->stop ? range->claimed + 1 : range->stop;
    *completed = (double)(next - range->start);
    *remaining = (double)(range->stop - next);
}

/* Nothing is left after the last claim, which may have failed. */
static bool range_is_done(const void *state)
{
    const beam_offset_range_state *range = state;
    return range->claimed >= range->stop - 1;
}

const beam_tracker_fn beam_offset_range_tracker = {
    .struct_size = sizeof(beam_tracker_fn),
    .state_size = sizeof(beam_offset_range_state),
    .start = start_range,
    .try_claim = claim_position,
    .try_split = split_range,
    .progress = range_progress,
    .is_done = range_is_done,
};
