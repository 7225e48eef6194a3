/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* schema_proto.h - types from a serialized beam.model.pipeline.v1.Schema, read by hand: the
 * room under test knows no protos, and the test should not lean on the room that does. */
#ifndef TESTS_TYPE_SCHEMA_PROTO_H
#define TESTS_TYPE_SCHEMA_PROTO_H

#include "base/arena.h"
#include "base/buffer.h"
#include "type/layout.h"

beam_status schema_type(beam_arena *arena, beam_reader schema, const beam_type **out,
                        beam_error *err);

#endif
