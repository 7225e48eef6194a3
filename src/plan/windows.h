/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* windows.h - which windows a timestamp lies in. */
#ifndef PLAN_WINDOWS_H
#define PLAN_WINDOWS_H

#include <beam/window.h>

/* How many windows an element of this windowing can have at most. */
uint64_t beam_windows_max(const beam_windowing *windowing);
/* Stores the windows of `timestamp`, the latest first, and returns their number; `windows`
 * has room for beam_windows_max of them. */
uint32_t beam_windows_assign(const beam_windowing *windowing, beam_timestamp timestamp,
                             beam_window *windows);
/* The window of a side input that goes with `window` of the main input: of the side's windows
 * that hold the last timestamp of `window`, the one that ends first.  False: there is none
 * (sessions; a side that is windowed, when the main input is not). */
bool beam_windows_of_side(const beam_windowing *side, beam_window window, beam_window *mapped);

bool beam_window_is_global(beam_window window);
static inline bool beam_window_equal(beam_window a, beam_window b)
{
    return a.start == b.start && a.end == b.end;
}
bool beam_info_equal(const beam_element_info *a, const beam_element_info *b);

#endif
