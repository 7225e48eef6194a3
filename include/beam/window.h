/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* window.h - time: timestamps, windows, and the functions that put elements into windows.
 *
 * A timestamp is milliseconds since 1970-01-01 UTC, the resolution of Beam's wire formats.
 * Source: beam:window_fn:{global_windows,fixed_windows,sliding_windows,session_windows}:v1
 * and the Beam model's GlobalWindow and IntervalWindow.
 */
#ifndef BEAM_WINDOW_H
#define BEAM_WINDOW_H

#include <beam/type.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first and the last moment there is, in milliseconds since 1970: Beam's. */
#define BEAM_MIN_TIMESTAMP INT64_C(-9223372036854775)
#define BEAM_MAX_TIMESTAMP INT64_C(9223372036854775)
/* The last timestamp of the global window: a day before the end of time. */
#define BEAM_GLOBAL_WINDOW_MAX INT64_C(9223371950454775)

/* The interval [start, end).  The global window is BEAM_GLOBAL_WINDOW. */
typedef struct beam_window {
    beam_timestamp start, end;
} beam_window;

/* An initialiser: the one window that holds all time. */
#define BEAM_GLOBAL_WINDOW                             \
    {                                                  \
        BEAM_MIN_TIMESTAMP, BEAM_GLOBAL_WINDOW_MAX + 1 \
    }

BEAM_API extern const beam_type beam_window_type; /* BEAM_KIND_INTERVAL_WINDOW */

/* Which firing of a window an element belongs to; on bounded data the one and only. */
typedef struct beam_pane {
    uint8_t timing; /* 0 early, 1 on time, 2 late, 3 unknown */
    bool is_first, is_last;
    int64_t index, on_time_index;
} beam_pane;

/* An initialiser: the pane of elements that no trigger has fired. */
#define BEAM_PANE_NO_FIRING \
    {                       \
        3, true, true, 0, 0 \
    }

/* What an element carries besides its value. */
typedef struct beam_element_info {
    beam_timestamp timestamp;
    const beam_window *windows; /* at least one */
    uint32_t n_windows;
    beam_pane pane;
} beam_element_info;

typedef enum beam_windowing_kind {
    BEAM_GLOBAL_WINDOWS = 0,
    BEAM_FIXED_WINDOWS,   /* [k * size + offset, (k + 1) * size + offset) */
    BEAM_SLIDING_WINDOWS, /* one window of `size` every `period` */
    BEAM_SESSION_WINDOWS  /* [t, t + gap), merged while they overlap */
} beam_windowing_kind;

typedef enum beam_timestamp_combiner {
    BEAM_END_OF_WINDOW = 0, /* a group's timestamp: the last of its window (the default) */
    BEAM_LATEST,
    BEAM_EARLIEST
} beam_timestamp_combiner;

/* How a PCollection is windowed. Zeroed: the global window. Milliseconds throughout. */
typedef struct beam_windowing {
    beam_windowing_kind kind;
    int64_t size, period, offset, gap;
    beam_timestamp_combiner timestamp_combiner;
} beam_windowing;

/* Windows of size_ms, one after the other. */
static inline beam_windowing beam_fixed_windows(int64_t size_ms)
{
    beam_windowing w = {BEAM_FIXED_WINDOWS, size_ms, 0, 0, 0, BEAM_END_OF_WINDOW};
    return w;
}

/* Windows of size_ms, of which one begins every period_ms. */
static inline beam_windowing beam_sliding_windows(int64_t size_ms, int64_t period_ms)
{
    beam_windowing w = {BEAM_SLIDING_WINDOWS, size_ms, period_ms, 0, 0, BEAM_END_OF_WINDOW};
    return w;
}

/* A window a key and burst of elements: it ends where nothing comes for gap_ms. */
static inline beam_windowing beam_sessions(int64_t gap_ms)
{
    beam_windowing w = {BEAM_SESSION_WINDOWS, 0, 0, 0, gap_ms, BEAM_END_OF_WINDOW};
    return w;
}

/* The last timestamp that lies in the window. */
static inline beam_timestamp beam_window_max_timestamp(beam_window window)
{
    return window.end - 1;
}

#ifdef __cplusplus
}
#endif
#endif
