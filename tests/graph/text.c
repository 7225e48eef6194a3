/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/proto/libbeam.pb-c.h"
#include "model/proto/pipeline.pb-c.h"
#include "model/proto/schema.pb-c.h"
#include "model/proto/window_fns.pb-c.h"
#include "model/urn.h"

/* What the payload of a FunctionSpec is. */
static const struct {
    const char *urn;
    const ProtobufCMessageDescriptor *payload;
} payloads[] = {
    {BEAM_URN_PARDO, &beam_pb__par_do_payload__descriptor},
    {BEAM_URN_COMBINE_PER_KEY, &beam_pb__combine_payload__descriptor},
    {BEAM_URN_COMBINE_GLOBALLY, &beam_pb__combine_payload__descriptor},
    {BEAM_URN_COMBINE_GROUPED_VALUES, &beam_pb__combine_payload__descriptor},
    {BEAM_URN_COMBINE_PRECOMBINE, &beam_pb__combine_payload__descriptor},
    {BEAM_URN_COMBINE_MERGE, &beam_pb__combine_payload__descriptor},
    {BEAM_URN_COMBINE_EXTRACT, &beam_pb__combine_payload__descriptor},
    {BEAM_URN_WINDOW_INTO, &beam_pb__window_into_payload__descriptor},
    {BEAM_URN_WINDOW_FN_FIXED, &beam_pb__fixed_windows_payload__descriptor},
    {BEAM_URN_WINDOW_FN_SLIDING, &beam_pb__sliding_windows_payload__descriptor},
    {BEAM_URN_WINDOW_FN_SESSION, &beam_pb__session_windows_payload__descriptor},
    {BEAM_URN_CODER_ROW, &beam_pb__schema__descriptor},
    {BEAM_URN_DOFN, &beam_pb__function__descriptor},
    {BEAM_URN_COMBINEFN, &beam_pb__function__descriptor},
};

static void put(beam_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(beam_buffer *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(n, 0, sizeof text - 1);
    assert_int_equal(beam_buffer_append(out, text, (size_t)n), BEAM_OK);
}

static void put_quoted(beam_buffer *out, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    put(out, "\"");
    for (size_t i = 0; i < len; i++)
        if (at[i] == '"' || at[i] == '\\')
            put(out, "\\%c", at[i]);
        else if (at[i] >= ' ' && at[i] < 127)
            put(out, "%c", at[i]);
        else
            put(out, "\\x%02x", at[i]);
    put(out, "\"");
}

static void put_nested(beam_buffer *out, const char *name, const void *message, int depth)
{
    put(out, "%*s%s {\n", 2 * depth, "", name);
    test_message_text(message, depth + 1, out);
    put(out, "%*s}\n", 2 * depth, "");
}

/* A FunctionSpec's payload as the message it is, where that is known. */
static bool put_payload(beam_buffer *out, const ProtobufCMessage *message,
                        const ProtobufCFieldDescriptor *field, int depth)
{
    if (message->descriptor != &beam_pb__function_spec__descriptor ||
        strcmp(field->name, "payload") != 0)
        return false;
    const BeamPb__FunctionSpec *spec = (const BeamPb__FunctionSpec *)message;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
        if (strcmp(payloads[i].urn, spec->urn) == 0) {
            void *parsed;
            assert_int_equal(beam_message_unpack(payloads[i].payload, spec->payload.data,
                                                 spec->payload.len, &parsed, NULL),
                             BEAM_OK);
            put_nested(out, payloads[i].payload->short_name, parsed, depth);
            beam_message_free(parsed);
            return true;
        }
    return false;
}

static void put_scalar(beam_buffer *out, const ProtobufCFieldDescriptor *field, const void *member)
{
    const ProtobufCEnumValue *value;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        put_quoted(out, *(const char *const *)member, strlen(*(const char *const *)member));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_quoted(out, ((const ProtobufCBinaryData *)member)->data,
                   ((const ProtobufCBinaryData *)member)->len);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        value = protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)member);
        put(out, "%s", value ? value->name : "?");
        break;
    case PROTOBUF_C_TYPE_BOOL:
        put(out, "%s", *(const protobuf_c_boolean *)member ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_FIXED64:
        put(out, "0x%016" PRIx64, *(const uint64_t *)member);
        break;
    case PROTOBUF_C_TYPE_INT64:
        put(out, "%" PRId64, *(const int64_t *)member);
        break;
    default:
        put(out, "%" PRId32, *(const int32_t *)member);
        break;
    }
}

/* proto3 does not tell a zero from nothing. */
static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                   const void *member)
{
    const char *base = (const char *)message;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return **(const char *const *)member != '\0';
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len != 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const void *const *)member != NULL;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return *(const int64_t *)member != 0;
    default:
        return *(const int *)member != 0;
    }
}

static void put_one(beam_buffer *out, const ProtobufCMessage *message,
                    const ProtobufCFieldDescriptor *field, const void *member, int depth)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        put_nested(out, field->name, *(const void *const *)member, depth);
    } else if (!put_payload(out, message, field, depth)) {
        put(out, "%*s%s: ", 2 * depth, "", field->name);
        put_scalar(out, field, member);
        put(out, "\n");
    }
}

void test_message_text(const void *message, int depth, beam_buffer *out)
{
    const ProtobufCMessage *base = message;
    for (unsigned i = 0; i < base->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &base->descriptor->fields[i];
        const char *member = (const char *)message + field->offset;
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            if (is_set(base, field, member))
                put_one(out, base, field, member, depth);
            continue;
        }
        /* Repeated fields of pipelines are strings and messages: arrays of pointers. */
        size_t n =
            *(const size_t *)(const void *)((const char *)message + field->quantifier_offset);
        const void *const *items = *(const void *const *const *)(const void *)member;
        for (size_t k = 0; k < n; k++)
            put_one(out, base, field, &items[k], depth);
    }
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("no %s: run the test with BEAM_UPDATE_GOLDEN=1 to make it", path);
    beam_buffer text = {0};
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        assert_int_equal(beam_buffer_append(&text, chunk, n), BEAM_OK);
    fclose(file);
    assert_int_equal(beam_buffer_u8(&text, 0), BEAM_OK);
    return (char *)text.data;
}

/* Says where two texts part. */
static void compare_texts(const char *path, const char *want, const char *have)
{
    int line = 1;
    const char *start = have;
    size_t i = 0;
    for (; want[i] && want[i] == have[i]; i++)
        if (have[i] == '\n') {
            line++;
            start = have + i + 1;
        }
    if (want[i] != have[i])
        fail_msg("%s:%d: the pipeline now has '%.*s'", path, line, (int)strcspn(start, "\n"),
                 start);
}

void test_golden(beam_pipeline *pipeline, const char *name)
{
    char path[512];
    void *bytes;
    size_t size;
    BeamPb__Pipeline *proto;
    beam_buffer text = {0};
    beam_error err = {0};
    snprintf(path, sizeof path, "%s/tests/graph/golden/%s.txt", BEAM_SOURCE_DIR, name);
    if (beam_pipeline_to_proto(pipeline, &bytes, &size, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    assert_int_equal(beam_message_unpack(&beam_pb__pipeline__descriptor, bytes, size, &proto, &err),
                     BEAM_OK);
    beam_release(bytes);
    test_message_text(proto, 0, &text);
    beam_message_free(proto);
    if (getenv("BEAM_UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
        assert_int_equal(fclose(file), 0);
    } else {
        assert_int_equal(beam_buffer_u8(&text, 0), BEAM_OK);
        char *golden = read_file(path);
        compare_texts(path, golden, (const char *)text.data);
        beam_free(golden);
    }
    beam_buffer_free(&text);
}

void test_fails_with(const beam_pipeline *pipeline, beam_status code, const char *const *words,
                     size_t n)
{
    beam_error err = {0};
    beam_status status = beam_pipeline_status(pipeline, &err);
    if (status != code)
        fail_msg("the pipeline's status is %s: %s", beam_status_name(status), err.message);
    for (size_t i = 0; i < n; i++)
        if (!strstr(err.message, words[i]))
            fail_msg("'%s' does not say '%s'", err.message, words[i]);
}
