/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* side.h - a sealed buffer seen as side inputs: by window, and by key within it.  Indexes are
 * made when somebody first asks, once for all threads. */
#ifndef DIRECT_SIDE_H
#define DIRECT_SIDE_H

#include "base/buffer.h"
#include "direct/buffer.h"

typedef struct beam_side_view beam_side_view;

/* Of a buffer that is sealed before anything is read, and lives longer. */
beam_status beam_side_view_open(const beam_element_buffer *buffer, beam_side_view **view,
                                beam_error *err);
void beam_side_view_close(beam_side_view *view);

/* The elements in a window, or the values (of the KV) that a key has in it; none is no error.
 * They live as long as the view.  `image` is working memory of the calling thread. */
beam_status beam_side_view_all(beam_side_view *view, const beam_window *window,
                               beam_iterable *values, beam_error *err);
beam_status beam_side_view_get(beam_side_view *view, const beam_window *window, const void *key,
                               beam_buffer *image, beam_iterable *values, beam_error *err);

#endif
