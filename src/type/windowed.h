/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* windowed.h - the wire forms around a value: timestamp, windows and pane
 * (beam:coder:windowed_value:v1, param_windowed_value:v1), and timers (beam:coder:timer:v1).
 *
 * `window` is always the window's type: beam_global_window_type, beam_window_type, a
 * custom_window or a length_prefix over one of them.  Errors are those of beam_decode. */
#ifndef TYPE_WINDOWED_H
#define TYPE_WINDOWED_H

#include <beam/window.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "type/coder.h"
#include "type/layout.h"

/* The info of an element in the global window: at `timestamp`, no pane. */
beam_element_info beam_info_global(beam_timestamp timestamp);

beam_status beam_encode_timestamp(beam_timestamp timestamp, beam_buffer *out);
beam_status beam_decode_timestamp(beam_reader *reader, beam_timestamp *timestamp);
beam_status beam_encode_pane(beam_pane pane, beam_buffer *out);
beam_status beam_decode_pane(beam_reader *reader, beam_pane *pane);

/* Timestamp, windows, pane: what stands before the value. Decoded windows are in the arena
 * (or static, for the one global window). */
beam_status beam_encode_info(const beam_type *window, const beam_element_info *info,
                             beam_buffer *out, beam_error *err);
beam_status beam_decode_info(const beam_type *window, beam_reader *reader, beam_element_info *info,
                             beam_arena *arena, beam_error *err);

beam_status beam_encode_windowed(const beam_type *type, const beam_type *window,
                                 beam_coder_context context, const beam_element_info *info,
                                 const void *value, beam_buffer *out, beam_error *err);
beam_status beam_decode_windowed(const beam_type *type, const beam_type *window,
                                 beam_coder_context context, beam_reader *reader,
                                 beam_element_info *info, void *value, beam_arena *arena,
                                 beam_error *err);

/* The payload of a param_windowed_value coder: the info all its elements have. The elements
 * themselves are plain beam_encode / beam_decode. */
beam_status beam_encode_param_info(const beam_type *window, const beam_element_info *info,
                                   beam_buffer *out, beam_error *err);
beam_status beam_decode_param_info(const beam_type *window, const void *payload, size_t len,
                                   beam_element_info *info, beam_arena *arena, beam_error *err);

typedef struct beam_timer {
    beam_str tag; /* of a timer family's timers; empty for an ordinary timer */
    const beam_window *windows;
    uint32_t n_windows;
    bool clear; /* take the timer back; what follows is then unused */
    beam_timestamp fire, hold;
    beam_pane pane;
} beam_timer;

/* `user_key`: a value of type `key`. */
beam_status beam_encode_timer(const beam_type *key, const beam_type *window, const void *user_key,
                              const beam_timer *timer, beam_buffer *out, beam_error *err);
beam_status beam_decode_timer(const beam_type *key, const beam_type *window, beam_reader *reader,
                              void *user_key, beam_timer *timer, beam_arena *arena,
                              beam_error *err);

#endif
