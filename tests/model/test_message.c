/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_message.c - messages from bytes that mean no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/message.h"
#include "model/proto/pipeline.pb-c.h"
#include "model/proto/schema.pb-c.h"
#include "support/shortage.h"

static void messages_survive_the_trip(void **unused)
{
    (void)unused;
    BeamPb__FunctionSpec spec = BEAM_PB__FUNCTION_SPEC__INIT, *back;
    beam_buffer bytes = {0};
    spec.urn = (char *)"beam:x:v1";
    spec.payload = (ProtobufCBinaryData){3, (uint8_t *)"a\0b"};
    assert_int_equal(beam_message_pack(&spec, &bytes), BEAM_OK);
    assert_int_equal(beam_message_unpack(&beam_pb__function_spec__descriptor, bytes.data, bytes.len,
                                         &back, NULL),
                     BEAM_OK);
    assert_string_equal(back->urn, spec.urn);
    assert_int_equal(back->payload.len, 3);
    assert_memory_equal(back->payload.data, "a\0b", 3);
    beam_message_free(back);
    beam_buffer_free(&bytes);
}

static void no_bytes_are_an_empty_message(void **unused)
{
    (void)unused;
    BeamPb__Pipeline *pipeline;
    assert_int_equal(beam_message_unpack(&beam_pb__pipeline__descriptor, NULL, 0, &pipeline, NULL),
                     BEAM_OK);
    assert_null(pipeline->components);
    beam_message_free(pipeline);
    beam_message_free(NULL);
}

/* Schemas within schemas: Schema.fields.type.row_type.schema, `depth` rows deep. */
static beam_buffer nested_schema(int depth)
{
    static const uint8_t tags[] = {0x0a, 0x32, 0x1a, 0x0a}; /* inside out */
    beam_buffer inner = {0};
    for (int i = 0; i < depth; i++)
        for (size_t k = 0; k < sizeof tags; k++) {
            beam_buffer outer = {0};
            assert_int_equal(beam_buffer_u8(&outer, tags[k]), BEAM_OK);
            assert_int_equal(beam_buffer_varint(&outer, inner.len), BEAM_OK);
            assert_int_equal(beam_buffer_append(&outer, inner.data, inner.len), BEAM_OK);
            beam_buffer_free(&inner);
            inner = outer;
        }
    return inner;
}

static void nesting_is_bounded(void **unused)
{
    (void)unused;
    BeamPb__Schema *schema;
    beam_error err = {0};
    beam_buffer fine = nested_schema(20), deep = nested_schema(5000);
    assert_int_equal(
        beam_message_unpack(&beam_pb__schema__descriptor, fine.data, fine.len, &schema, &err),
        BEAM_OK);
    beam_message_free(schema);
    assert_int_equal(
        beam_message_unpack(&beam_pb__schema__descriptor, deep.data, deep.len, &schema, &err),
        BEAM_DATA_LOSS);
    assert_non_null(strstr(err.message, "deep"));
    assert_null(schema);
    beam_buffer_free(&fine);
    beam_buffer_free(&deep);
}

static void bad_bytes_are_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\x0a", 1},                                          /* no length */
               {"\x0a\x05xy", 4},                                    /* too short */
               {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* a length of 2^64 - 1 */
               {"\x0b", 1},                                          /* a group */
               {"\x0f", 1},                                          /* no such wire type */
               {"\x02\x00", 2},                                      /* field 0 */
               {"\x08\x01", 2},                                      /* urn as a varint */
               {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BeamPb__FunctionSpec *spec;
        beam_error err = {0};
        assert_int_equal(beam_message_unpack(&beam_pb__function_spec__descriptor, bad[i].bytes,
                                             bad[i].size, &spec, &err),
                         BEAM_DATA_LOSS);
        assert_null(spec);
        assert_true(err.message[0]);
    }
}

static void each_allocation_may_fail(void **unused)
{
    (void)unused;
    beam_buffer bytes = nested_schema(4);
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        BeamPb__Schema *schema;
        beam_status status =
            beam_message_unpack(&beam_pb__schema__descriptor, bytes.data, bytes.len, &schema, NULL);
        test_shortage_ends(&s, status);
        beam_message_free(schema);
    }
    beam_buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_survive_the_trip),
        cmocka_unit_test(no_bytes_are_an_empty_message),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(bad_bytes_are_refused),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
