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

enum { LARGE = 10000 };
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

/* The message, which is taken over, in spans of `step` bytes, the first of `first`. */
static beam_spans cut(beam_buffer message, size_t first, size_t step)
{
    beam_spans spans = {.memory = message.data, .free = beam_free, .size = message.len};
    spans.all = beam_calloc(message.len + 2, sizeof *spans.all);
    assert_non_null(spans.all);
    for (size_t at = 0, part = first; at < message.len; at += part, part = step) {
        part = part < message.len - at ? part : message.len - at;
        spans.all[spans.n++] = (beam_bytes){message.data + at, part};
    }
    return spans;
}

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
    uint8_t bytes[LARGE];
    assert_int_equal(pieces->n, n);
    for (size_t i = 0; i < n; i++) {
        const beam_chunk *chunk = pieces->all[i].chunk;
        assert_string_equal(pieces->all[i].instruction, all[i].instruction);
        assert_string_equal(chunk->transform, all[i].transform);
        assert_int_equal(chunk->bytes.size, all[i].size);
        assert_int_equal(chunk->is_last, all[i].is_last);
        beam_spans_copy(&chunk->bytes, 0, chunk->bytes.size, bytes);
        assert_memory_equal(bytes, large, chunk->bytes.size);
    }
}

static void read_cut(const expected *all, size_t n, size_t first, size_t step)
{
    beam_pieces pieces = {0};
    beam_spans message = cut(pack(all, n), first, step);
    assert_int_equal(beam_elements_read(&message, &pieces, NULL), BEAM_OK);
    check(&pieces, all, n);
    beam_pieces_free(&pieces);
    beam_spans_free(&message);
}

static void reads(void **state)
{
    (void)state;
    beam_pieces pieces = {0};
    beam_spans message = cut(pack(many, 3), SIZE_MAX, 1);
    const void *memory = message.memory;
    assert_int_equal(beam_elements_read(&message, &pieces, NULL), BEAM_OK);
    assert_null(message.memory); /* the large piece has it */
    assert_ptr_equal(pieces.all[1].chunk->bytes.memory, memory);
    check(&pieces, many, 3);
    beam_pieces_free(&pieces);
    read_cut(&one, 1, SIZE_MAX, 1);
    read_cut(many, 0, SIZE_MAX, 1);
}

/* Wherever the spans of a message begin and end, it is the same. */
static void reads_whatever_the_spans(void **state)
{
    (void)state;
    for (size_t first = 0; first < 200; first++)
        read_cut(many, 3, first, LARGE / 2);
    for (size_t step = 1; step < 100; step++)
        read_cut(many, 3, 0, step);
}

/* Whatever is missing at the end, what is read lies within the message, or it is an error in words.
 */
static void reads_what_is_truncated(void **state)
{
    (void)state;
    beam_buffer whole = pack(many, 3);
    size_t bad = 0;
    for (size_t size = 0; size < whole.len; size++) {
        beam_buffer bytes = {0};
        beam_pieces pieces = {0};
        beam_error err = {0};
        assert_int_equal(beam_buffer_append(&bytes, whole.data, size), BEAM_OK);
        beam_spans message = cut(bytes, size % 7, 4000);
        beam_status status = beam_elements_read(&message, &pieces, &err);
        if (status == BEAM_OK) {
            check(&pieces, many, pieces.n);
        } else {
            bad++;
            assert_int_equal(status, BEAM_DATA_LOSS);
            assert_non_null(strstr(err.message, "no elements"));
        }
        beam_pieces_free(&pieces);
        beam_spans_free(&message);
    }
    assert_true(bad > LARGE);
    beam_buffer_free(&whole);
}

static void refuses_a_piece_of_nothing(void **state)
{
    (void)state;
    const expected nameless = {"", "in", 5, false};
    beam_pieces pieces = {0};
    beam_spans message = cut(pack(&nameless, 1), 3, 3);
    assert_int_equal(beam_elements_read(&message, &pieces, NULL), BEAM_DATA_LOSS);
    beam_pieces_free(&pieces);
    beam_spans_free(&message);
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
        beam_spans message = cut(pack(many, 3), 100, 1000);
        beam_buffer head = {0};
        beam_pieces pieces = {0};
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_elements_read(&message, &pieces, &err);
        if (status == BEAM_OK)
            status = beam_elements_head(&head, "b1", "in", LARGE, true);
        beam_alloc_fail_at(0, 0);
        beam_pieces_free(&pieces);
        beam_spans_free(&message);
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
        cmocka_unit_test(reads_whatever_the_spans),
        cmocka_unit_test(reads_what_is_truncated),
        cmocka_unit_test(refuses_a_piece_of_nothing),
        cmocka_unit_test(writes),
        cmocka_unit_test(lacks_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
