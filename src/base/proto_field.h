/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* proto_field.h - protocol buffers read where they lie, field by field, by whoever needs a few
 * fields of a message or must not copy what is in it (protobuf.dev/programming-guides/encoding). */
#ifndef BASE_PROTO_FIELD_H
#define BASE_PROTO_FIELD_H

#include "base/buffer.h"

/* Wire types; groups are no longer written. */
enum {
    BEAM_PROTO_VARINT = 0,
    BEAM_PROTO_FIXED64 = 1,
    BEAM_PROTO_BYTES = 2, /* a string, bytes, a message, packed numbers */
    BEAM_PROTO_FIXED32 = 5
};

enum { BEAM_PROTO_MOST_HEAD = 20 }; /* bytes of two varints */

typedef struct beam_proto_field {
    uint32_t number;
    unsigned wire;
    uint64_t value;    /* of a varint */
    uint64_t size;     /* how many bytes all others have, which follow the head */
    beam_reader bytes; /* in place; not of a head */
} beam_proto_field;

/* What tells of the next field; its bytes, which may lie elsewhere, are not read.  Errors as below.
 */
beam_status beam_proto_next_head(beam_reader *message, beam_proto_field *field);

/* The next field of a message that is not at its end.  BEAM_DATA_LOSS, BEAM_OUT_OF_RANGE: these
 * bytes are none. */
beam_status beam_proto_next_field(beam_reader *message, beam_proto_field *field);

#endif
