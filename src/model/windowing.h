/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* windowing.h - beam_windowing as WindowFn and WindowingStrategy protos, and back. */
#ifndef MODEL_WINDOWING_H
#define MODEL_WINDOWING_H

#include <beam/window.h>

#include "base/arena.h"
#include "model/proto/pipeline.pb-c.h"

/* BEAM_INVALID_ARGUMENT unless sizes, periods and gaps are positive and in range. */
beam_status beam_windowing_check(const beam_windowing *windowing, beam_error *err);
bool beam_windowing_equal(const beam_windowing *a, const beam_windowing *b);

/* Whether windows of a side input go with those of elements at all: sessions are those of a key,
 * and all of time lies in no other window.  Sliding windows may still leave a gap. */
bool beam_windowing_sides(const beam_windowing *elements, const beam_windowing *side);
/* What is said otherwise, of the side input of a local name. */
#define BEAM_NO_SIDE_WINDOW \
    "side input %s is in windows that an element's window has no counterpart in"

/* The window function alone, as beam:transform:window_into:v1 and strategies carry it. */
beam_status beam_window_fn_to_proto(const beam_windowing *windowing, beam_arena *arena,
                                    BeamPb__FunctionSpec **spec, beam_error *err);
/* The whole strategy: default trigger, no lateness, discarding, as bounded data has it. */
beam_status beam_windowing_to_proto(const beam_windowing *windowing, const char *window_coder_id,
                                    const char *environment_id, beam_arena *arena,
                                    BeamPb__WindowingStrategy **strategy, beam_error *err);
/* URN of the coder of its windows: BEAM_URN_CODER_GLOBAL_WINDOW or .._INTERVAL_WINDOW. */
const char *beam_window_coder_urn(const beam_windowing *windowing);

/* BEAM_UNIMPLEMENTED: a window function or an output time that libbeam does not know;
 * BEAM_DATA_LOSS: a payload that is none. Triggers and lateness mean nothing on bounded data
 * and are passed over. */
beam_status beam_window_fn_from_proto(const BeamPb__FunctionSpec *spec, beam_windowing *windowing,
                                      beam_error *err);
beam_status beam_windowing_from_proto(const BeamPb__WindowingStrategy *strategy,
                                      beam_windowing *windowing, beam_error *err);

#endif
