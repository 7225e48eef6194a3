/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* windows.c - the arithmetic of Beam's standard window functions. */
#include "plan/windows.h"

#include <string.h>

static const beam_window global_window = BEAM_GLOBAL_WINDOW;

bool beam_window_is_global(beam_window window)
{
    return beam_window_equal(window, global_window);
}

uint64_t beam_windows_max(const beam_windowing *windowing)
{
    if (windowing->kind != BEAM_SLIDING_WINDOWS)
        return 1;
    return (uint64_t)(windowing->size / windowing->period) + 1;
}

/* The last of the points offset + k * step that is not after t. */
static int64_t last_start(int64_t t, int64_t step, int64_t offset)
{
    int64_t past = (t - offset % step) % step;
    return t - (past < 0 ? past + step : past);
}

uint32_t beam_windows_assign(const beam_windowing *windowing, beam_timestamp timestamp,
                             beam_window *windows)
{
    switch (windowing->kind) {
    case BEAM_FIXED_WINDOWS: {
        int64_t start = last_start(timestamp, windowing->size, windowing->offset);
        windows[0] = (beam_window){start, start + windowing->size};
        return 1;
    }
    case BEAM_SLIDING_WINDOWS: {
        uint32_t n = 0;
        int64_t start = last_start(timestamp, windowing->period, windowing->offset);
        for (; start > timestamp - windowing->size; start -= windowing->period)
            windows[n++] = (beam_window){start, start + windowing->size};
        return n;
    }
    case BEAM_SESSION_WINDOWS:
        windows[0] = (beam_window){timestamp, timestamp + windowing->gap};
        return 1;
    case BEAM_GLOBAL_WINDOWS:
        break;
    }
    windows[0] = global_window;
    return 1;
}

bool beam_windows_of_side(const beam_windowing *side, beam_window window, beam_window *mapped)
{
    if (side->kind == BEAM_GLOBAL_WINDOWS) {
        *mapped = global_window;
        return true;
    }
    if (side->kind == BEAM_SESSION_WINDOWS || beam_window_is_global(window))
        return false;
    beam_timestamp last = beam_window_max_timestamp(window);
    int64_t start;
    if (side->kind == BEAM_FIXED_WINDOWS)
        start = last_start(last, side->size, side->offset);
    else
        start = last_start(last - side->size, side->period, side->offset) + side->period;
    *mapped = (beam_window){start, start + side->size};
    return side->kind == BEAM_FIXED_WINDOWS || start <= last;
}

bool beam_info_equal(const beam_element_info *a, const beam_element_info *b)
{
    if (a->timestamp != b->timestamp || a->n_windows != b->n_windows ||
        a->pane.timing != b->pane.timing || a->pane.is_first != b->pane.is_first ||
        a->pane.is_last != b->pane.is_last || a->pane.index != b->pane.index ||
        a->pane.on_time_index != b->pane.on_time_index)
        return false;
    return a->windows == b->windows ||
           memcmp(a->windows, b->windows, a->n_windows * sizeof *a->windows) == 0;
}
