/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Elements messages as protobuf-c has them, read while they come, and written without their data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"
#include "worker/elements.h"

enum { LARGE = 40000 };
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

/* A message that comes in parts of `step` bytes, the first of `first`. */
typedef struct network {
    const uint8_t *bytes;
    size_t at, first, step, size; /* asking for more than `size` bytes fails */
} network;

static beam_status no_more(beam_error *err)
{
    return beam_error_set(err, BEAM_UNAVAILABLE, "the connection broke");
}

static beam_status read_network(void *user, void *to, size_t size, beam_error *err)
{
    network *n = user;
    if (size > n->size - n->at)
        return no_more(err);
    memcpy(to, n->bytes + n->at, size);
    n->at += size;
    return BEAM_OK;
}

static beam_status take_network(void *user, size_t most, beam_spans *part, beam_error *err)
{
    network *n = user;
    size_t size = n->at < n->first ? n->first - n->at : n->step;
    void *to;
    size = size < most ? size : most;
    size = size < n->size - n->at ? size : n->size - n->at;
    if (size == 0)
        return no_more(err);
    if (beam_spans_new(size, part, &to) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    part->memory = beam_malloc(1); /* as what is the network's has */
    part->free = beam_free;
    if (!part->memory) {
        beam_spans_free(part);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    }
    return read_network(n, to, size, err);
}

/* What came: pieces, joined again, which must be those expected. */
typedef struct received {
    const expected *all;
    size_t n, chunks;
    uint8_t bytes[LARGE];
    size_t len; /* of the piece at hand */
} received;

static beam_status receive(void *user, const char *instruction, beam_chunk *chunk, beam_error *err)
{
    received *r = user;
    const expected *e = &r->all[r->n];
    (void)err;
    assert_string_equal(instruction, e->instruction);
    assert_string_equal(chunk->transform, e->transform);
    assert_true(r->len + chunk->bytes.size <= e->size);
    beam_spans_copy(&chunk->bytes, r->bytes + r->len);
    r->len += chunk->bytes.size;
    r->chunks++;
    if (chunk->ends) {
        assert_int_equal(r->len, e->size);
        assert_memory_equal(r->bytes, large, r->len);
        r->len = 0;
        r->n++;
    }
    assert_int_equal(chunk->is_last, chunk->ends && e->is_last);
    beam_chunk_free(chunk);
    return BEAM_OK;
}

static beam_status read_message(const beam_buffer *message, size_t size, size_t first, size_t step,
                                received *r, beam_error *err)
{
    network n = {message->data, 0, first, step, size};
    const beam_elements_source source = {message->len, read_network, take_network, &n};
    return beam_elements_read(&source, receive, r, err);
}

static void read_cut(const expected *all, size_t n, size_t first, size_t step)
{
    received r = {.all = all};
    beam_buffer message = pack(all, n);
    assert_int_equal(read_message(&message, message.len, first, step, &r, NULL), BEAM_OK);
    assert_int_equal(r.n, n);
    beam_buffer_free(&message);
}

static void reads(void **state)
{
    (void)state;
    received r = {.all = many};
    beam_buffer message = pack(many, 3);
    assert_int_equal(read_message(&message, message.len, 0, LARGE / 4, &r, NULL), BEAM_OK);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.chunks, 1 + 4 + 1); /* as they came */
    beam_buffer_free(&message);
    read_cut(&one, 1, SIZE_MAX, 1);
    read_cut(many, 0, SIZE_MAX, 1);
}

/* Wherever its parts begin and end, it is the same. */
static void reads_whatever_the_parts(void **state)
{
    (void)state;
    for (size_t first = 0; first < 200; first++)
        read_cut(many, 3, first, LARGE / 2);
    for (size_t step = 1; step < 100; step++)
        read_cut(many, 3, 0, step);
}

static void reads_memory(void **state)
{
    (void)state;
    received r = {.all = many};
    beam_buffer message = pack(many, 3);
    beam_reader reader = beam_reader_of(message.data, message.len);
    const beam_elements_source source = beam_elements_in_memory(&reader);
    assert_int_equal(beam_elements_read(&source, receive, &r, NULL), BEAM_OK);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.chunks, 3);
    beam_buffer_free(&message);
}

/* A message that says it is shorter than its fields: what is read lies within it, or it is an error
 * in words. */
static void reads_what_is_truncated(void **state)
{
    (void)state;
    beam_buffer whole = pack(many, 3);
    size_t bad = 0;
    for (size_t size = 0; size < whole.len; size++) {
        received r = {.all = many};
        beam_error err = {0};
        const beam_buffer less = {whole.data, size, size};
        beam_status status = read_message(&less, size, size % 7, 4000, &r, &err);
        if (status != BEAM_OK) {
            bad++;
            assert_int_equal(status, BEAM_DATA_LOSS);
            assert_non_null(strstr(err.message, "no elements"));
        }
    }
    assert_true(bad > LARGE);
    beam_buffer_free(&whole);
}

/* The connection breaks before its end: that is the error, and whoever got a part has seen no end
 * of the piece. */
static void reads_what_breaks_off(void **state)
{
    (void)state;
    beam_buffer whole = pack(many, 3);
    for (size_t size = 0; size < whole.len; size += 1 + size % 50) {
        received r = {.all = many};
        beam_error err = {0};
        assert_int_equal(read_message(&whole, size, size % 7, 900, &r, &err), BEAM_UNAVAILABLE);
        assert_string_equal(err.message, "the connection broke");
        assert_true(r.n < 3 || size > LARGE);
    }
    beam_buffer_free(&whole);
}

/* Fields as `tags` has them, each of two bytes: "i" the instruction, "t" the transform, "b" bytes,
 * "l" that it is the last. */
static beam_status read_fields(const char *tags, received *r, beam_error *err)
{
    uint8_t bytes[64];
    size_t n = 2;
    for (const char *at = tags; *at; at++) {
        unsigned number = *at == 'i' ? 1 : *at == 't' ? 2 : *at == 'b' ? 3 : 4;
        bytes[n++] = (uint8_t)(number << 3 | (*at == 'l' ? 0 : 2));
        bytes[n++] = *at == 'l' ? 1 : 2;
        if (*at != 'l') {
            memcpy(bytes + n, *at == 'b' ? (const char *)large : *at == 'i' ? "b1" : "in", 2);
            n += 2;
        }
    }
    bytes[0] = 1 << 3 | 2;
    bytes[1] = (uint8_t)(n - 2);
    const beam_buffer message = {bytes, n, n};
    return read_message(&message, n, 0, 1, r, err);
}

/* Protocol buffers may have their fields in any order. */
static void reads_fields_in_any_order(void **state)
{
    (void)state;
    static const char *const orders[] = {"itbl", "bitl", "ibtl", "lbti", "tbil"};
    const expected two = {"b1", "in", 2, true};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        received r = {.all = &two};
        assert_int_equal(read_fields(orders[i], &r, NULL), BEAM_OK);
        assert_int_equal(r.n, 1);
    }
}

static void refuses_what_is_no_piece(void **state)
{
    (void)state;
    static const char *const bad[] = {"ibl", "tbl", "b", "", "itbb", "iit", "itti"};
    const expected two = {"b1", "in", 2, false};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        received r = {.all = &two};
        beam_error err = {0};
        assert_int_equal(read_fields(bad[i], &r, &err), BEAM_DATA_LOSS);
        assert_non_null(strstr(err.message, "no elements"));
    }
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
    beam_buffer message = pack(many, 3);
    for (uint64_t n = 1;; n++) {
        beam_buffer head = {0};
        received r = {.all = many};
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = read_message(&message, message.len, 100, 1000, &r, &err);
        if (status == BEAM_OK)
            status = beam_elements_head(&head, "b1", "in", LARGE, true);
        beam_alloc_fail_at(0, 0);
        beam_buffer_free(&head);
        if (status == BEAM_OK)
            break;
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    }
    beam_buffer_free(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(reads_whatever_the_parts),
        cmocka_unit_test(reads_memory),
        cmocka_unit_test(reads_what_is_truncated),
        cmocka_unit_test(reads_what_breaks_off),
        cmocka_unit_test(reads_fields_in_any_order),
        cmocka_unit_test(refuses_what_is_no_piece),
        cmocka_unit_test(writes),
        cmocka_unit_test(lacks_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
