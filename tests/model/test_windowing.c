/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_windowing.c - windowing in protos and back, and windowing that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/message.h"
#include "model/proto/window_fns.pb-c.h"
#include "model/urn.h"
#include "model/windowing.h"

static beam_windowing with(beam_windowing windowing, int64_t offset,
                           beam_timestamp_combiner combiner)
{
    windowing.offset = offset;
    windowing.timestamp_combiner = combiner;
    return windowing;
}

static void windowing_survives_the_trip(void **unused)
{
    (void)unused;
    const beam_windowing all[] = {{0},
                                  with((beam_windowing){0}, 0, BEAM_LATEST),
                                  beam_fixed_windows(60000),
                                  with(beam_fixed_windows(1), -1, BEAM_EARLIEST),
                                  with(beam_sliding_windows(90061, 1001), 1999, BEAM_END_OF_WINDOW),
                                  beam_sessions(BEAM_MAX_TIMESTAMP)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        beam_arena arena = {0};
        BeamPb__WindowingStrategy *made, *parsed;
        beam_buffer bytes = {0};
        beam_windowing back;
        beam_error err = {0};
        assert_int_equal(beam_windowing_to_proto(&all[i], "coder", "env", &arena, &made, &err),
                         BEAM_OK);
        assert_int_equal(beam_message_pack(made, &bytes), BEAM_OK);
        assert_int_equal(beam_message_unpack(&beam_pb__windowing_strategy__descriptor, bytes.data,
                                             bytes.len, &parsed, &err),
                         BEAM_OK);
        if (beam_windowing_from_proto(parsed, &back, &err) != BEAM_OK)
            fail_msg("%s", err.message);
        assert_true(beam_windowing_equal(&all[i], &back));
        assert_string_equal(parsed->window_coder_id, "coder");
        assert_int_equal(parsed->assigns_to_one_window, all[i].kind != BEAM_SLIDING_WINDOWS);
        assert_int_equal(parsed->merge_status, all[i].kind == BEAM_SESSION_WINDOWS ? 2 : 1);
        beam_message_free(parsed);
        beam_buffer_free(&bytes);
        beam_arena_free(&arena);
    }
}

static void what_cannot_be_is_refused(void **unused)
{
    (void)unused;
    const beam_windowing all[] = {beam_fixed_windows(0),
                                  beam_fixed_windows(-5),
                                  beam_sliding_windows(10, 0),
                                  beam_sliding_windows(INT64_C(1) << 40, 1),
                                  beam_sessions(0),
                                  with(beam_fixed_windows(1), INT64_MAX, BEAM_LATEST),
                                  {.kind = (beam_windowing_kind)9},
                                  {.timestamp_combiner = (beam_timestamp_combiner)7}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        beam_error err = {0};
        assert_int_equal(beam_windowing_check(&all[i], &err), BEAM_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "windowing"));
    }
}

static beam_status read_fn(const char *urn, const void *payload, size_t size, beam_error *err)
{
    BeamPb__FunctionSpec spec = BEAM_PB__FUNCTION_SPEC__INIT;
    beam_windowing windowing;
    spec.urn = (char *)(uintptr_t)urn;
    spec.payload = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)payload};
    return beam_window_fn_from_proto(&spec, &windowing, err);
}

static void foreign_window_functions_are_refused(void **unused)
{
    (void)unused;
    beam_error err = {0};
    BeamPb__FixedWindowsPayload payload = BEAM_PB__FIXED_WINDOWS_PAYLOAD__INIT;
    BeamPb__Duration size = BEAM_PB__DURATION__INIT;
    uint8_t bytes[64];
    payload.size = &size;
    assert_int_equal(read_fn("beam:window_fn:lunar:v1", NULL, 0, &err), BEAM_UNIMPLEMENTED);
    assert_non_null(strstr(err.message, "lunar"));
    assert_int_equal(read_fn(BEAM_URN_WINDOW_FN_FIXED, "\x0a\x7f", 2, &err), BEAM_DATA_LOSS);
    assert_int_equal(read_fn(BEAM_URN_WINDOW_FN_FIXED, NULL, 0, &err), BEAM_INVALID_ARGUMENT);
    size.nanos = 1;
    size_t n = beam_pb__fixed_windows_payload__pack(&payload, bytes);
    assert_int_equal(read_fn(BEAM_URN_WINDOW_FN_FIXED, bytes, n, &err), BEAM_UNIMPLEMENTED);
    size.nanos = 0;
    size.seconds = INT64_MAX;
    n = beam_pb__fixed_windows_payload__pack(&payload, bytes);
    assert_int_equal(read_fn(BEAM_URN_WINDOW_FN_FIXED, bytes, n, &err), BEAM_DATA_LOSS);
    assert_int_equal(beam_window_fn_from_proto(NULL, &(beam_windowing){0}, &err), BEAM_DATA_LOSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windowing_survives_the_trip),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(foreign_window_functions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
