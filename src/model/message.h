/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* message.h - protobuf messages from foreign bytes, and back to bytes.
 *
 * protobuf-c recurses as deep as its input nests and takes its memory from malloc.  Here the
 * nesting is measured first, and memory comes through base/alloc.h. */
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include <beam/status.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"

/* How deep messages may nest; a schema's row within a row takes three levels. */
enum { BEAM_MESSAGE_MAX_DEPTH = 100 };

/* Parses `size` bytes as a message of `type` (&beam_pb__pipeline__descriptor for example) and
 * stores it in *message, a pointer to a pointer to the generated struct.  BEAM_DATA_LOSS when
 * the bytes are no such message or nest too deep.  Free with beam_message_free. */
beam_status beam_message_unpack(const ProtobufCMessageDescriptor *type, const void *bytes,
                                size_t size, void *message, beam_error *err);
/* Frees what beam_message_unpack made, never what was built by hand; NULL is fine. */
void beam_message_free(void *message);

/* Appends the bytes of a message (a pointer to a generated struct). */
beam_status beam_message_pack(const void *message, beam_buffer *out);
/* The same into memory of an arena, as a FunctionSpec's payload wants it. */
beam_status beam_message_pack_arena(const void *message, beam_arena *arena,
                                    ProtobufCBinaryData *out);

/* A message built by hand: zeroed and initialised in the arena; NULL when memory is out.
 * Its strings and arrays may lie anywhere, as long as they live. */
void *beam_message_new(const ProtobufCMessageDescriptor *type, beam_arena *arena);

#endif
