/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* message.c - protobuf-c behind a depth check and the library's own allocator. */
#include "model/message.h"

#include "base/alloc.h"
#include "base/proto_field.h"

/* protobuf-c answers NULL to bad bytes and to no memory alike: `no_memory` tells which. */
static void *message_alloc(void *no_memory, size_t size)
{
    void *memory = beam_malloc(size);
    if (!memory)
        *(bool *)no_memory = true;
    return memory;
}

static void message_free(void *unused, void *memory)
{
    (void)unused;
    beam_free(memory);
}

/* Walks one message's fields, into those that are messages too. */
static beam_status check_depth(const ProtobufCMessageDescriptor *type, beam_reader reader,
                               int depth)
{
    if (depth > BEAM_MESSAGE_MAX_DEPTH)
        return BEAM_RESOURCE_EXHAUSTED;
    while (beam_reader_left(&reader)) {
        beam_proto_field at;
        BEAM_TRY(beam_proto_next_field(&reader, &at));
        const ProtobufCFieldDescriptor *field =
            at.wire == BEAM_PROTO_BYTES ? protobuf_c_message_descriptor_get_field(type, at.number)
                                        : NULL;
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
            BEAM_TRY(check_depth(field->descriptor, at.bytes, depth + 1));
    }
    return BEAM_OK;
}

beam_status beam_message_unpack(const ProtobufCMessageDescriptor *type, const void *bytes,
                                size_t size, void *message, beam_error *err)
{
    void *made = NULL;
    memcpy(message, &made, sizeof made);
    beam_status status = check_depth(type, beam_reader_of(size ? bytes : "", size), 0);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return beam_error_set(err, BEAM_DATA_LOSS, "%s: messages nest deeper than %d", type->name,
                              BEAM_MESSAGE_MAX_DEPTH);
    if (status != BEAM_OK)
        return beam_error_set(err, BEAM_DATA_LOSS, "these %zu bytes are no %s message", size,
                              type->name);
    bool no_memory = false;
    ProtobufCAllocator allocator = {message_alloc, message_free, &no_memory};
    made = protobuf_c_message_unpack(type, &allocator, size, size ? bytes : (const void *)"");
    if (!made && no_memory)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a %s message",
                              type->name);
    if (!made)
        return beam_error_set(err, BEAM_DATA_LOSS, "these %zu bytes are no %s message", size,
                              type->name);
    memcpy(message, &made, sizeof made);
    return BEAM_OK;
}

void beam_message_free(void *message)
{
    ProtobufCAllocator allocator = {message_alloc, message_free, NULL};
    if (message)
        protobuf_c_message_free_unpacked((ProtobufCMessage *)message, &allocator);
}

beam_status beam_message_pack(const void *message, beam_buffer *out)
{
    size_t size = protobuf_c_message_get_packed_size((const ProtobufCMessage *)message);
    BEAM_TRY(beam_buffer_reserve(out, size));
    if (size) /* an empty message may have no memory */
        out->len +=
            protobuf_c_message_pack((const ProtobufCMessage *)message, out->data + out->len);
    return BEAM_OK;
}

beam_status beam_message_pack_arena(const void *message, beam_arena *arena,
                                    ProtobufCBinaryData *out)
{
    size_t size = protobuf_c_message_get_packed_size((const ProtobufCMessage *)message);
    uint8_t *bytes = (uint8_t *)beam_arena_alloc(arena, size ? size : 1);
    if (!bytes)
        return BEAM_RESOURCE_EXHAUSTED;
    out->data = bytes;
    out->len = protobuf_c_message_pack((const ProtobufCMessage *)message, bytes);
    return BEAM_OK;
}

void *beam_message_new(const ProtobufCMessageDescriptor *type, beam_arena *arena)
{
    void *message = beam_arena_calloc(arena, 1, type->sizeof_message);
    if (message)
        protobuf_c_message_init(type, message);
    return message;
}
