/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_exchange.c - rows as another SDK sees them: written by a pipeline as the bytes of their
 * coder, read by one and compared.  tests/rows/test_python.sh puts Python's Beam between:
 *
 *     test_rows_exchange write FOLDER     rows as hexadecimal lines, and the pipeline with their
 *                                         schemas
 *     test_rows_exchange read FOLDER      the same rows, from what somebody else wrote there
 *
 * Without arguments it writes and reads them itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/files.h"

#include <beam/io.h>
#include <beam/testing.h>
#include <beam/training.h>

#include "base/buffer.h"
#include "type/coder.h"

/* ---- A row of all kinds ----------------------------------------------------------------- */

#define POINT(FIELD, S) FIELD(S, beam_str, name) FIELD(S, beam_double, x)
BEAM_STRUCT(point, POINT);
BEAM_LIST(points, point);
BEAM_LIST(texts, beam_str);
BEAM_NULLABLE(maybe_int, beam_int64);
BEAM_NULLABLE(maybe_text, beam_str);
BEAM_LIST(maybe_ints, maybe_int);
BEAM_KV(text_int, beam_str, beam_int64);
BEAM_MAP(tally, text_int);

#define ALL_KINDS(FIELD, S)          \
    FIELD(S, beam_bool, flag)        \
    FIELD(S, beam_byte, octet)       \
    FIELD(S, beam_int16, small)      \
    FIELD(S, beam_int32, medium)     \
    FIELD(S, beam_int64, large)      \
    FIELD(S, beam_float, single)     \
    FIELD(S, beam_double, real)      \
    FIELD(S, beam_str, text)         \
    FIELD(S, beam_bytes, raw)        \
    FIELD(S, beam_timestamp, when)   \
    FIELD(S, beam_decimal, price)    \
    FIELD(S, maybe_int, maybe)       \
    FIELD(S, maybe_text, maybe_note) \
    FIELD(S, texts, tags)            \
    FIELD(S, maybe_ints, holes)      \
    FIELD(S, tally, counts)          \
    FIELD(S, point, where)           \
    FIELD(S, points, path)           \
    FIELD(S, beam_tensor, image)
BEAM_STRUCT(all_kinds, ALL_KINDS);

#define S(text)                \
    {                          \
        text, sizeof(text) - 1 \
    }

static const beam_str some_tags[] = {S("red"), S(""), S("gr\xc3\xbcn")};
static const maybe_int some_holes[] = {{true, 1}, {false, 0}, {true, -1}};
static const text_int some_counts[] = {{S("one"), 1}};
static const point some_path[] = {{S("a"), 0.5}, {S("b"), -2}};
static const float some_pixels[] = {0, 0.25F, -1, 1e30F, 5, 6};

static const all_kinds kinds[] = {
    {.flag = true,
     .octet = 200,
     .small = -300,
     .medium = 70000,
     .large = INT64_C(-5000000000),
     .single = 0.1F,
     .real = 1.0 / 3,
     .text = S("caf\xc3\xa9"),
     .raw = S("\0\xff\x80"),
     .when = INT64_C(1700000000123),
     .price = {S("\xfe\xd4"), 2}, /* -3.00 */
     .maybe = {true, 42},
     .maybe_note = {true, S("note")},
     .tags = {some_tags, 3},
     .holes = {some_holes, 3},
     .counts = {some_counts, 1},
     .where = {S("home"), 1.5},
     .path = {some_path, 2},
     .image = {.dtype = BEAM_F32, .rank = 2, .shape = {2, 3}, .data = some_pixels}},
    {.octet = 0,
     .small = INT16_MIN,
     .medium = INT32_MIN,
     .large = INT64_MIN,
     .single = INFINITY,
     .real = -0.0,
     .text = S(""),
     .raw = S(""),
     .when = -1,
     .price = {S("\0"), 0},
     .tags = {NULL, 0},
     .holes = {NULL, 0},
     .counts = {NULL, 0},
     .where = {S(""), 0},
     .path = {NULL, 0},
     .image = {.dtype = BEAM_F32, .rank = 2, .shape = {0, 3}, .data = some_pixels}},
};

static const beam_training_result results[] = {{
    .experiment_id = S("caf\xc3\xa9-1"),
    .accuracy = 1.0 / 3,
    .model_path = S("/models/1.safetensors"),
    .loss = NAN,
    .epochs = 3,
    .steps = -12,
    .seconds = 1e-300,
    .status = S("ok"),
    .error = S(""),
    .config = {.experiment_id = S("caf\xc3\xa9-1"),
               .model_name = S("resnet18"),
               .learning_rate = 0.1,
               .batch_size = 16,
               .epochs = 3,
               .dataset = S("digits"),
               .momentum = -1,
               .flip_average = true,
               .seed = INT64_MAX},
    .plain_accuracy = 0.25,
}};

/* ---- To hexadecimal text and back ------------------------------------------------------- */

static beam_status to_hex(beam_ctx *c, const void *row)
{
    static const char digits[] = "0123456789abcdef";
    beam_buffer bytes = {0};
    beam_status status =
        beam_encode(beam_ctx_in_type(c), BEAM_NESTED, row, &bytes, beam_ctx_error(c));
    char *text = status == BEAM_OK ? beam_alloc(c, 2 * bytes.len + 1) : NULL;
    for (size_t i = 0; text && i < bytes.len; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    const beam_str line = {text, 2 * bytes.len};
    beam_buffer_free(&bytes);
    if (status == BEAM_OK && !text)
        status = BEAM_RESOURCE_EXHAUSTED;
    return status == BEAM_OK ? beam_emit_value(c, beam_str, &line) : status;
}
static const beam_dofn to_hex_fn = {.struct_size = sizeof to_hex_fn,
                                    .name = "to_hex_fn",
                                    BEAM_TYPES(&beam_str_type),
                                    .process = to_hex};

static beam_status from_hex(beam_ctx *c, const void *element)
{
    const beam_str *line = element;
    const beam_type *type = beam_ctx_out_type(c, 0);
    beam_arena arena = {0};
    uint8_t *bytes = beam_alloc(c, line->len / 2 + 1);
    void *row = beam_alloc(c, type->size);
    if (!bytes || !row)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < line->len / 2; i++) {
        char pair[3] = {line->at[2 * i], line->at[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    beam_reader reader = beam_reader_of(bytes, line->len / 2);
    beam_status status = beam_decode(type, BEAM_NESTED, &reader, row, &arena, beam_ctx_error(c));
    if (status == BEAM_OK && reader.at != reader.end)
        status = beam_fail(c, BEAM_DATA_LOSS, "bytes are left behind a row");
    if (status == BEAM_OK)
        status = beam_emit_element(c, 0, row);
    beam_arena_free(&arena);
    return status;
}
#define FROM_HEX(T)                                                             \
    static const beam_dofn T##_from_hex_fn = {.struct_size = sizeof(beam_dofn), \
                                              .name = #T "_from_hex_fn",        \
                                              .in = &beam_str_type,             \
                                              BEAM_TYPES(&T##_type),            \
                                              .process = from_hex}
FROM_HEX(all_kinds);
FROM_HEX(beam_training_result);

/* ---- Pipelines -------------------------------------------------------------------------- */

static void run(beam_pipeline *p)
{
    beam_error err = {0};
    if (beam_pipeline_run(p, NULL, NULL, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    beam_pipeline_free(p);
}

static beam_pipeline *new_pipeline(void)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    return p;
}

static void write_rows(const char *folder)
{
    beam_pipeline *p = new_pipeline();
    beam_error err = {0};
    void *proto;
    size_t size;
    /* Through a shuffle, so that they were encoded once before. */
    beam_pcoll all = beam_reshuffle(beam_create(p, all_kinds, kinds, 2, .name = "Kinds"));
    beam_pcoll trained = beam_create(p, beam_training_result, results, 1, .name = "Results");
    beam_write_text(beam_pardo(all, &to_hex_fn), test_path(folder, "kinds"), .num_shards = 1,
                    .without_shard_name = true);
    beam_write_text(beam_pardo(trained, &to_hex_fn), test_path(folder, "results"), .num_shards = 1,
                    .without_shard_name = true);
    assert_ok(beam_pipeline_to_proto(p, &proto, &size, &err), err);
    test_write_file(test_path(folder, "pipeline"), proto, size);
    beam_release(proto);
    run(p);
}

static void read_rows(const char *folder)
{
    beam_pipeline *p = new_pipeline();
    beam_pcoll lines = beam_read_text(p, test_path(folder, "kinds"));
    beam_assert_that(beam_pardo(lines, &all_kinds_from_hex_fn), all_kinds, kinds, 2);
    lines = beam_read_text(p, test_path(folder, "results"));
    beam_assert_that(beam_pardo(lines, &beam_training_result_from_hex_fn), beam_training_result,
                     results, 1);
    run(p);
}

static const char *mode, *place;

static void exchange(void **unused)
{
    (void)unused;
    char *own = place ? NULL : test_folder();
    const char *folder = place ? place : own;
    if (!mode || strcmp(mode, "write") == 0)
        write_rows(folder);
    if (!mode || strcmp(mode, "read") == 0)
        read_rows(folder);
    if (own)
        test_remove_folder(own);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exchange)};
    mode = argc == 3 ? argv[1] : NULL;
    place = argc == 3 ? argv[2] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
