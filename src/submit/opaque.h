/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* opaque.h - what engines may not look into. */
#ifndef SUBMIT_OPAQUE_H
#define SUBMIT_OPAQUE_H

#include <beam/status.h>

#include "base/arena.h"
#include "model/proto/pipeline.pb-c.h"

/* The components' coders, those of texts, doubles and rows behind a length_prefix each: an engine
 * passes on the bytes of such a value and groups by them.  It would otherwise read and write the
 * value in its own language, where all NaNs become one and wrong UTF-8 becomes other text: other
 * bytes, another key.  Ids stay those of the coders that PCollections have.  What is new lives in
 * the arena.  BEAM_RESOURCE_EXHAUSTED. */
beam_status beam_make_opaque(BeamPb__Components *components, beam_arena *arena);

#endif
