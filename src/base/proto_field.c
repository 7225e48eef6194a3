/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/proto_field.h"

enum { MAX_NUMBER = 0x1fffffff };

beam_status beam_proto_next_head(beam_reader *message, beam_proto_field *field)
{
    uint64_t tag;
    BEAM_TRY(beam_read_varint(message, &tag));
    if (tag >> 3 == 0 || tag >> 3 > MAX_NUMBER)
        return BEAM_DATA_LOSS;
    *field = (beam_proto_field){.number = (uint32_t)(tag >> 3), .wire = (unsigned)(tag & 7)};
    switch (field->wire) {
    case BEAM_PROTO_VARINT:
        return beam_read_varint(message, &field->value);
    case BEAM_PROTO_FIXED64:
        field->size = 8;
        return BEAM_OK;
    case BEAM_PROTO_FIXED32:
        field->size = 4;
        return BEAM_OK;
    case BEAM_PROTO_BYTES:
        return beam_read_varint(message, &field->size);
    default:
        return BEAM_DATA_LOSS;
    }
}

beam_status beam_proto_next_field(beam_reader *message, beam_proto_field *field)
{
    const uint8_t *bytes;
    BEAM_TRY(beam_proto_next_head(message, field));
    if (field->size > beam_reader_left(message))
        return BEAM_OUT_OF_RANGE;
    BEAM_TRY(beam_read_bytes(message, (size_t)field->size, &bytes));
    field->bytes = beam_reader_of(bytes, (size_t)field->size);
    return BEAM_OK;
}
