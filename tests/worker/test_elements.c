/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Elements messages as protobuf-c has them, read where they lie, and written without their data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"
#include "worker/elements.h"

enum { LARGE = 5000 };
static uint8_t large[LARGE];

typedef struct expected {
    const char *instruction, *transform;
    size_t size;
    bool is_last;
} expected;

/* Of one piece that is most of the message, and of others before and behind it. */
static const expected many[] = {
    {"b1", "in", 17, false}, {"b2", "other", LARGE, false}, {"b2", "other", 0, true}};
static const expected one = {"b1", "in", LARGE, true};

/* Freed by the caller. */
static beam_buffer pack(const expected *all, size_t n)
{
    BeamPb__Elements elements = BEAM_PB__ELEMENTS__INIT;
    BeamPb__Elements__Data data[3], *at[3];
    BeamPb__Elements__Timers timers = BEAM_PB__ELEMENTS__TIMERS__INIT, *timers_at = &timers;
    timers.timer_family_id = (char *)"none of ours";
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < n; i++) {
        at[i] = &data[i];
        beam_pb__elements__data__init(at[i]);
        data[i].instruction_id = (char *)all[i].instruction;
        data[i].transform_id = (char *)all[i].transform;
        data[i].data = (ProtobufCBinaryData){all[i].size, large};
        data[i].is_last = all[i].is_last;
    }
    elements.n_data = n;
    elements.data = at;
    elements.n_timers = 1;
    elements.timers = &timers_at;
    beam_buffer bytes = {0};
    assert_int_equal(beam_message_pack(&elements, &bytes), BEAM_OK);
    return bytes;
}

static void check(const beam_pieces *pieces, const expected *all, size_t n)
{
    assert_int_equal(pieces->n, n);
    for (size_t i = 0; i < n; i++) {
        const beam_chunk *chunk = pieces->all[i].chunk;
        assert_string_equal(pieces->all[i].instruction, all[i].instruction);
        assert_string_equal(chunk->transform, all[i].transform);
        assert_int_equal(chunk->size, all[i].size);
        assert_int_equal(chunk->is_last, all[i].is_last);
        assert_memory_equal(chunk->bytes, large, chunk->size);
    }
}

static void reads(void **state)
{
    (void)state;
    beam_pieces pieces = {0};
    beam_buffer bytes = pack(many, 3);
    assert_int_equal(beam_elements_read(&bytes, &pieces, NULL), BEAM_OK);
    assert_null(bytes.data); /* the large piece has it */
    check(&pieces, many, 3);
    beam_pieces_free(&pieces);

    bytes = pack(&one, 1);
    const uint8_t *memory = bytes.data;
    assert_int_equal(beam_elements_read(&bytes, &pieces, NULL), BEAM_OK);
    assert_ptr_equal(pieces.all[0].chunk->memory, memory);
    check(&pieces, &one, 1);
    beam_pieces_free(&pieces);

    bytes = pack(many, 0);
    assert_int_equal(beam_elements_read(&bytes, &pieces, NULL), BEAM_OK);
    check(&pieces, many, 0);
    beam_pieces_free(&pieces);
    beam_buffer_free(&bytes);
}

/* Whatever is cut off, what is read lies within the message, or it is an error in words. */
static void reads_what_is_cut(void **state)
{
    (void)state;
    beam_buffer whole = pack(many, 3);
    size_t bad = 0;
    for (size_t size = 0; size < whole.len; size++) {
        beam_buffer bytes = {0};
        beam_pieces pieces = {0};
        beam_error err = {0};
        assert_int_equal(beam_buffer_append(&bytes, whole.data, size), BEAM_OK);
        beam_status status = beam_elements_read(&bytes, &pieces, &err);
        if (status == BEAM_OK) {
            check(&pieces, many, pieces.n);
        } else {
            bad++;
            assert_int_equal(status, BEAM_DATA_LOSS);
            assert_non_null(strstr(err.message, "no elements"));
        }
        beam_pieces_free(&pieces);
        beam_buffer_free(&bytes);
    }
    assert_true(bad > LARGE);
    beam_buffer_free(&whole);
}

static void refuses_a_piece_of_nothing(void **state)
{
    (void)state;
    const expected nameless = {"", "in", 5, false};
    beam_buffer bytes = pack(&nameless, 1);
    beam_pieces pieces = {0};
    assert_int_equal(beam_elements_read(&bytes, &pieces, NULL), BEAM_DATA_LOSS);
    beam_pieces_free(&pieces);
    beam_buffer_free(&bytes);
}

static void writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        beam_buffer bytes = {0};
        BeamPb__Elements *elements;
        assert_int_equal(beam_elements_head(&bytes, many[i].instruction, many[i].transform,
                                            many[i].size, many[i].is_last),
                         BEAM_OK);
        assert_int_equal(beam_buffer_append(&bytes, large, many[i].size), BEAM_OK);
        assert_int_equal(beam_message_unpack(&beam_pb__elements__descriptor, bytes.data, bytes.len,
                                             &elements, NULL),
                         BEAM_OK);
        assert_int_equal(elements->n_data, 1);
        const BeamPb__Elements__Data *data = elements->data[0];
        assert_string_equal(data->instruction_id, many[i].instruction);
        assert_string_equal(data->transform_id, many[i].transform);
        assert_int_equal(data->data.len, many[i].size);
        assert_memory_equal(data->data.data, large, many[i].size);
        assert_int_equal(data->is_last, many[i].is_last);
        beam_message_free(elements);
        beam_buffer_free(&bytes);
    }
}

static void lacks_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        beam_buffer bytes = pack(many, 3), head = {0};
        beam_pieces pieces = {0};
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_elements_read(&bytes, &pieces, &err);
        if (status == BEAM_OK)
            status = beam_elements_head(&head, "b1", "in", LARGE, true);
        beam_alloc_fail_at(0, 0);
        beam_pieces_free(&pieces);
        beam_buffer_free(&bytes);
        beam_buffer_free(&head);
        if (status == BEAM_OK)
            break;
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(reads_what_is_cut),
        cmocka_unit_test(refuses_a_piece_of_nothing),
        cmocka_unit_test(writes),
        cmocka_unit_test(lacks_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
