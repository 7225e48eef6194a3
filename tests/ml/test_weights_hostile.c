/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Files of weights that are damaged, or made to do harm: each is refused with words. */
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <beam/weights.h>

/* ---- safetensors ------------------------------------------------------------------------- */

/* A file of this header and `data` bytes of data. */
static beam_status open_header(const char *json, size_t data, beam_error *err)
{
    size_t len = strlen(json), size = 8 + len + data;
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(len >> (8 * i));
    memcpy(bytes + 8, json, len);
    beam_weights *w;
    beam_status status = beam_weights_open_memory(bytes, size, &w, err);
    if (status == BEAM_OK)
        beam_weights_close(w);
    else
        assert_null(w);
    free(bytes);
    return status;
}

#define T(dtype, shape, from, to) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static void test_sound_header(void **state)
{
    (void)state;
    beam_error err = {0};
    assert_ok(
        open_header("{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("U8", "[]", 8, 9) "}", 9, &err),
        err);
    assert_ok(
        open_header("{\"a\":" T("F32", "[2]", 1, 9) ",\"b\":" T("U8", "[]", 0, 1) "}", 9, &err),
        err);
    assert_ok(open_header("{}", 0, &err), err);
    assert_ok(open_header("{\"a\":" T("F32", "[0,5]", 0, 0) "}  ", 0, &err), err);
}

static void test_lying_headers(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t data;
        beam_status status;
        const char *words;
    } cases[] = {
        {"{\"a\":" T("F32", "[2]", 0, 8) "}", 7, BEAM_DATA_LOSS, "only 7"},
        {"{\"a\":" T("F32", "[2]", 0, 8) "}", 9, BEAM_DATA_LOSS, "belong to none"},
        {"{\"a\":" T("F32", "[2]", 0, 4) "}", 8, BEAM_DATA_LOSS, "needs 8 bytes"},
        {"{\"a\":" T("F32", "[2]", 4, 12) "}", 12, BEAM_DATA_LOSS, "hole"},
        {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 2, 6) "}", 6, BEAM_DATA_LOSS,
         "overlaps"},
        {"{\"a\":" T("F32", "[2]", 8, 0) "}", 8, BEAM_DATA_LOSS, "data_offsets"},
        {"{\"a\":" T("F32", "[2]", -1, 7) "}", 8, BEAM_DATA_LOSS, "data_offsets"},
        {"{\"a\":" T("F32", "[2]", 0, 99999999999999999999) "}", 8, BEAM_DATA_LOSS, "integer"},
        {"{\"a\":" T("F32", "[-2]", 0, 8) "}", 8, BEAM_DATA_LOSS, "negative"},
        {"{\"a\":" T("F32", "[4611686018427387904,4]", 0, 8) "}", 8, BEAM_DATA_LOSS, "too large"},
        {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", 8, BEAM_UNIMPLEMENTED,
         "9 dimensions"},
        {"{\"a\":" T("F8_E4M3", "[8]", 0, 8) "}", 8, BEAM_UNIMPLEMENTED, "F8_E4M3"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, BEAM_DATA_LOSS, "no dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, BEAM_DATA_LOSS, "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, BEAM_DATA_LOSS, "data_offsets"},
        {"{\"a\":[]}", 8, BEAM_DATA_LOSS, "object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, BEAM_DATA_LOSS, "no text"},
        {"{\"__metadata__\":[]}", 0, BEAM_DATA_LOSS, "no object"},
        {"{\"a\":" T("F32", "[1]", 0, 4) ",\"a\":" T("F32", "[1]", 4, 8) "}", 8, BEAM_DATA_LOSS,
         "duplicate"},
        {"{\"a\":", 8, BEAM_DATA_LOSS, "damaged safetensors header"},
        {"{\"\377\":1}", 0, BEAM_DATA_LOSS, "damaged safetensors header"},
    };
    beam_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(open_header(cases[i].json, cases[i].data, &err), cases[i].status, err,
                     cases[i].words);
}

static void test_deep_header(void **state)
{
    (void)state;
    char *json = malloc(200002);
    assert_non_null(json);
    memcpy(json, "{\"a\":", 5);
    memset(json + 5, '[', 199996);
    json[200001] = '\0';
    beam_error err;
    assert_fails(open_header(json, 0, &err), BEAM_DATA_LOSS, err, "depth");
    free(json);
}

static beam_status open_bytes(const void *data, size_t size, beam_error *err)
{
    /* A block of its own size, so that the sanitizer sees one byte read too far. */
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    beam_weights *w;
    beam_status status = beam_weights_open_memory(copy, size, &w, err);
    for (size_t i = 0; status == BEAM_OK && i < beam_weights_count(w); i++) {
        beam_tensor t = beam_weights_tensor(w, i);
        const volatile uint8_t *at = t.data;
        for (size_t b = 0; b < beam_tensor_bytes(&t); b++)
            (void)at[b];
    }
    beam_weights_close(w);
    free(copy);
    return status;
}

static void test_truncated_header(void **state)
{
    (void)state;
    static const char file[] = "\x40\0\0\0\0\0\0\0{\"a\":";
    beam_error err;
    assert_fails(open_bytes(file, sizeof file - 1, &err), BEAM_DATA_LOSS, err, "should have 64");
    static const char huge[] = "\xff\xff\xff\xff\xff\xff\xff\xff{}";
    assert_fails(open_bytes(huge, sizeof huge - 1, &err), BEAM_DATA_LOSS, err, "truncated");
    assert_fails(open_bytes("", 0, &err), BEAM_INVALID_ARGUMENT, err, "no file of weights");
    assert_fails(open_bytes("GIF89a, say", 11, &err), BEAM_INVALID_ARGUMENT, err, "neither");
}

/* ---- pickles ----------------------------------------------------------------------------- */

#define PREAMBLE                                                                          \
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02" \
    "}X\x0d\0\0\0little_endian\x88s."
#define STORAGE "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0kX\3\0\0\0cpuK\6NtQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n("
#define KEYS "\x80\x02]X\1\0\0\0ka."
#define SIX "\6\0\0\0\0\0\0\0abcdefghijklmnopqrstuvwx"
/* A dictionary {"t": a tensor with this offset, shape and stride}, and its storage. */
#define TENSOR(window) PREAMBLE "\x80\x02}X\1\0\0\0t" REBUILD STORAGE window "\x89}tRs." KEYS SIX
#define OPEN(bytes, err) open_bytes(bytes, sizeof(bytes) - 1, err)

static void test_sound_pickle(void **state)
{
    (void)state;
    beam_error err = {0};
    assert_ok(OPEN(TENSOR("K\0K\2K\3\x86K\3K\1\x86"), &err), err);
    assert_ok(OPEN(TENSOR("K\5K\1K\1\x86K\x63K\x63\x86"), &err), err);
    assert_ok(OPEN(TENSOR("K\0K\x64\x85K\0\x85"), &err), err); /* one value a hundred times */
}

/* Members of a dictionary: a key and a tensor, a dictionary with one, or a number. */
#define ONE REBUILD STORAGE "K\0K\6\x85K\1\x85\x89}tR"
#define SEVERAL(members) PREAMBLE "\x80\x02}(" members "u." KEYS SIX
#define MODEL(key) key "}X\1\0\0\0t" ONE "s"
#define OPTIMIZER "X\5\0\0\0optim}X\5\0\0\0state}K\0}X\1\0\0\0m" ONE "sss"
#define BEST "X\4\0\0\0best" ONE
#define EPOCH "X\5\0\0\0epochK\3"

static void check_first(const char *bytes, size_t size, size_t count, const char *name)
{
    beam_error err = {0};
    beam_weights *w;
    assert_ok(beam_weights_open_memory(bytes, size, &w, &err), err);
    assert_int_equal(beam_weights_count(w), count);
    assert_string_equal(beam_weights_name(w, 0), name);
    beam_weights_close(w);
}

/* What a training writes besides the weights does not hide them; a second model does. */
static void test_checkpoints(void **state)
{
    (void)state;
#define CHECK(members, count, name) \
    check_first(SEVERAL(members), sizeof(SEVERAL(members)) - 1, (count), (name))
    CHECK(EPOCH MODEL("X\5\0\0\0model"), 1, "t");
    CHECK(EPOCH MODEL("X\5\0\0\0model") OPTIMIZER, 1, "t");
    CHECK(OPTIMIZER BEST MODEL("X\x0a\0\0\0state_dict"), 1, "t");
    CHECK(MODEL("X\5\0\0\0model") MODEL("X\3\0\0\0ema"), 2, "model.t");
    CHECK(MODEL("X\3\0\0\0ema") MODEL("X\5\0\0\0model"), 2, "ema.t");
    CHECK(MODEL("X\5\0\0\0model") OPTIMIZER MODEL("X\3\0\0\0net"), 3, "model.t");
    CHECK(MODEL("X\5\0\0\0other") OPTIMIZER, 2, "other.t");
}

/* What sound checkpoints hold, and no tensor is lost by not reading. */
static void test_harmless_globals(void **state)
{
    (void)state;
#define WITH(value) "X\1\0\0\0x" value MODEL("X\5\0\0\0model")
    CHECK(WITH("ccollections\nCounter\n}K\1K\2s\x85R"), 1, "t");
    CHECK(WITH("c_codecs\nencode\nX\1\0\0\0aX\6\0\0\0latin1\x86R"), 1, "t");
    CHECK(WITH("ctorch\nuint8\n"), 1, "t");
    CHECK(WITH("ctorch\nbool\n"), 1, "t");
}

static void test_unread_tensors(void **state)
{
    (void)state;
    beam_error err;
    assert_fails(OPEN(PREAMBLE "\x80\x02"
                               "ctorch\nComplexFloatStorage\n.",
                      &err),
                 BEAM_UNIMPLEMENTED, err, "torch.ComplexFloatStorage");
    assert_fails(OPEN("\x80\x02"
                      "ctorch._utils\n_rebuild_sparse_tensor\n.",
                      &err),
                 BEAM_UNIMPLEMENTED, err, "torch._utils._rebuild_sparse_tensor");
#define TURNED(metadata) \
    PREAMBLE "\x80\x02}X\1\0\0\0t" REBUILD STORAGE "K\0K\6\x85K\1\x85\x89}" metadata "tRs." KEYS SIX
    assert_fails(OPEN(TURNED("}X\3\0\0\0neg\x88s"), &err), BEAM_UNIMPLEMENTED, err, "resolve_neg");
    assert_ok(OPEN(TURNED("}X\3\0\0\0neg\x89s"), &err), err);
    assert_ok(OPEN(TURNED("N"), &err), err);
}

static void test_foreign_globals(void **state)
{
    (void)state;
    beam_error err;
    assert_fails(OPEN(PREAMBLE "\x80\x02"
                               "cos\nsystem\nX\4\0\0\0true\x85R.",
                      &err),
                 BEAM_INVALID_ARGUMENT, err, "os.system");
    assert_fails(OPEN("\x80\x02"
                      "cposix\nsystem\nX\4\0\0\0true\x85R.",
                      &err),
                 BEAM_INVALID_ARGUMENT, err, "posix.system");
    assert_fails(OPEN("\x80\x04\x8c\x08"
                      "builtins\x8c\x04"
                      "eval\x93\x8c\x01"
                      "1\x85R.",
                      &err),
                 BEAM_INVALID_ARGUMENT, err, "builtins.eval");
    assert_fails(OPEN("\x80\x02"
                      "ctorch.nn.modules.conv\nConv2d\n)\x81.",
                      &err),
                 BEAM_INVALID_ARGUMENT, err, "torch.nn.modules.conv.Conv2d");
    assert_fails(OPEN("\x80\x02"
                      "ca\033[2J\nb\n.",
                      &err),
                 BEAM_INVALID_ARGUMENT, err, "a?[2J.b");
}

static void test_lying_tensors(void **state)
{
    (void)state;
    beam_error err;
    assert_fails(OPEN(TENSOR("K\1K\2K\3\x86K\3K\1\x86"), &err), BEAM_DATA_LOSS, err,
                 "reaches past");
    assert_fails(OPEN(TENSOR("K\0K\2\x85K\x64\x85"), &err), BEAM_DATA_LOSS, err, "reaches past");
    assert_fails(OPEN(TENSOR("J\xff\xff\xff\xffK\1\x85K\1\x85"), &err), BEAM_DATA_LOSS, err,
                 "wrong arguments");
    assert_fails(OPEN(TENSOR("K\0K\2K\3\x86K\1\x85"), &err), BEAM_DATA_LOSS, err, "wrong arg");
    assert_fails(OPEN(TENSOR("K\0J\xff\xff\xff\xff\x85K\1\x85"), &err), BEAM_DATA_LOSS, err,
                 "negative");
#define HUGE_INT "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
    assert_fails(OPEN(TENSOR("K\0" HUGE_INT HUGE_INT "\x86K\0K\0\x86"), &err), BEAM_DATA_LOSS, err,
                 "impossibly large");
    assert_fails(OPEN(TENSOR("K\0" HUGE_INT "\x85" HUGE_INT "\x85"), &err), BEAM_DATA_LOSS, err,
                 "impossibly large");
    assert_fails(OPEN(TENSOR(HUGE_INT "K\2\x85K\1\x85"), &err), BEAM_DATA_LOSS, err, "large");
    /* Gigabytes out of one value. */
    assert_fails(OPEN(TENSOR("K\0J\xff\xff\xff\x3f\x85K\0\x85"), &err), BEAM_DATA_LOSS, err,
                 "far more bytes");
    assert_fails(
        OPEN(TENSOR("K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"), &err),
        BEAM_UNIMPLEMENTED, err, "9 dimensions");
}

static void test_damaged_pickles(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
#define CASE(bytes, words) {PREAMBLE "\x80\x02" bytes, sizeof(PREAMBLE "\x80\x02" bytes) - 1, words}
        CASE("0.", "stack runs empty"),
        CASE("t.", "mark is missing"),
        CASE("(K\1", "ends too early"),
        CASE("}(K\1u.", "key has no value"),
        CASE("K\1K\2K\3s.", "holds none"),
        CASE("h\5.", "never set"),
        CASE("Nr\xff\xff\xff\x7f.", "memo number is out of range"),
        CASE("X\xff\xff\xff\x7f"
             "abc.",
             "ends too early"),
        CASE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
             "abc.",
             "ends too early"),
        CASE("K\1)R.", "no function"),
        CASE("ccollections\nOrderedDict\nK\1\x85R.", "OrderedDict"),
        CASE("ctorch\nFloatStorage\n)R.", "without its bytes"),
        CASE("NQ.", "persistent id"),
        CASE("K\1Nb.", "no object"),
        CASE("]K\1a.]K\1a.", "list of storages"),
    };
    beam_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(open_bytes(cases[i].bytes, cases[i].size, &err), BEAM_DATA_LOSS, err,
                     cases[i].words);
    assert_fails(OPEN(PREAMBLE "\x80\x02i.", &err), BEAM_UNIMPLEMENTED, err, "0x69");
    assert_fails(OPEN("\x80\x02K\1.", &err), BEAM_INVALID_ARGUMENT, err, "not one that torch.save");
    assert_fails(OPEN(PREAMBLE "\x80\x02}.\x80\x02].", &err), BEAM_INVALID_ARGUMENT, err,
                 "holds no tensors");
}

/* Lists in lists, deeper than the stack would bear, and one dictionary reached on 2^40 ways. */
static void test_deep_and_wide_pickles(void **state)
{
    (void)state;
    enum { DEEP = 200000 };
    size_t start = sizeof PREAMBLE - 1, size = start + 2 + 2 * DEEP + 1 + sizeof KEYS;
    char *bytes = malloc(size), *at = bytes;
    assert_non_null(bytes);
    memcpy(at, PREAMBLE "\x80\x02", start + 2);
    at += start + 2;
    memset(at, ']', DEEP);
    memset(at + DEEP, 'a', DEEP - 1);
    at += 2 * DEEP - 1;
    memcpy(at, "." KEYS, sizeof KEYS);
    beam_error err;
    assert_fails(open_bytes(bytes, (size_t)(at - bytes) + sizeof KEYS, &err), BEAM_DATA_LOSS, err,
                 "deeply");
    at = bytes + start + 2;
    *at++ = ']';
    for (int i = 0; i < 30; i++) { /* [x, x] around the list x before, where x is kept in memo 0 */
        memcpy(at, "q\0]h\0ah\0a", 9);
        at += 9;
    }
    memcpy(at, "." KEYS, sizeof KEYS);
    assert_fails(open_bytes(bytes, (size_t)(at - bytes) + sizeof KEYS, &err), BEAM_DATA_LOSS, err,
                 "too many values");
    free(bytes);
}

/* ---- zip archives ------------------------------------------------------------------------ */

typedef struct archive {
    uint8_t members[1024], directory[512];
    size_t members_len, directory_len;
} archive;

static void put_number(uint8_t *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(number >> (8 * i));
}

static void put_bytes(uint8_t *to, size_t *len, const void *bytes, size_t size)
{
    memcpy(to + *len, bytes, size);
    *len += size;
}

static void put_member(archive *a, const char *name, const void *data, size_t size, uint32_t crc)
{
    uint8_t local[30] = "PK\3\4", central[46] = "PK\1\2";
    size_t name_len = strlen(name);
    put_number(local + 14, crc, 4);
    put_number(local + 18, size, 4);
    put_number(local + 22, size, 4);
    put_number(local + 26, name_len, 2);
    memcpy(central + 16, local + 14, 14); /* the same four */
    put_number(central + 42, a->members_len, 4);
    put_bytes(a->members, &a->members_len, local, sizeof local);
    put_bytes(a->members, &a->members_len, name, name_len);
    put_bytes(a->members, &a->members_len, data, size);
    put_bytes(a->directory, &a->directory_len, central, sizeof central);
    put_bytes(a->directory, &a->directory_len, name, name_len);
}

/* A file of one tensor, whose members have this checksum. */
static beam_status open_zip(uint32_t crc, beam_error *err)
{
    static const char pickle[] = "\x80\x02}X\1\0\0\0t" REBUILD STORAGE "K\0K\6\x85K\1\x85\x89}tRs.";
    archive a = {0};
    uint8_t end[22] = "PK\5\6";
    put_member(&a, "w/data.pkl", pickle, sizeof pickle - 1, crc);
    put_member(&a, "w/data/k", &SIX[8], 24, crc);
    put_number(end + 10, 2, 2);
    put_number(end + 12, a.directory_len, 4);
    put_number(end + 16, a.members_len, 4);
    put_bytes(a.members, &a.members_len, a.directory, a.directory_len);
    put_bytes(a.members, &a.members_len, end, sizeof end);
    return open_bytes(a.members, a.members_len, err);
}

/* torch.serialization.set_crc32_options(False) leaves them out: they are 0. */
static void test_zip_without_checksums(void **state)
{
    (void)state;
    beam_error err = {0};
    assert_ok(open_zip(0, &err), err);
    assert_fails(open_zip(1, &err), BEAM_DATA_LOSS, err, "checksum");
}

/* ---- real files, cut and bent ------------------------------------------------------------ */

static void cut_and_bend(const char *name)
{
    size_t size;
    char *bytes = test_read_file(test_data(name), &size);
    beam_error err;
    for (size_t n = 0; n < size; n++) {
        err = (beam_error){0};
        beam_status status = open_bytes(bytes, n, &err);
        assert_int_not_equal(status, BEAM_OK);
        assert_int_not_equal(err.message[0], 0);
    }
    static const char masks[] = {1, (char)0x80, (char)0xff};
    for (size_t n = 0; n < size; n++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            bytes[n] = (char)(bytes[n] ^ masks[m]);
            (void)open_bytes(bytes, size, &err); /* may well be sound; must only not crash */
            bytes[n] = (char)(bytes[n] ^ masks[m]);
        }
    }
    free(bytes);
}

static void test_bent_zip(void **state)
{
    (void)state;
    cut_and_bend("pth/zip.pth");
}

static void test_bent_legacy(void **state)
{
    (void)state;
    cut_and_bend("pth/nested-legacy.pth");
}

static void test_damaged_tensor_in_zip(void **state)
{
    (void)state;
    size_t size;
    char *bytes = test_read_file(test_data("pth/zip.pth"), &size);
    static const float first = -0.6779621839523315f; /* of the tensor f32 */
    char *at = memmem(bytes, size, &first, sizeof first);
    assert_non_null(at);
    *at ^= 1;
    beam_error err;
    assert_fails(open_bytes(bytes, size, &err), BEAM_DATA_LOSS, err, "checksum");
    free(bytes);
}

static void test_not_a_file(void **state)
{
    (void)state;
    beam_weights *w;
    beam_error err;
    assert_fails(beam_weights_open("/nonexistent/w.pth", &w, &err), BEAM_NOT_FOUND, err,
                 "/nonexistent/w.pth");
    assert_fails(beam_weights_open("/", &w, &err), BEAM_INVALID_ARGUMENT, err, "folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_header),
        cmocka_unit_test(test_lying_headers),
        cmocka_unit_test(test_deep_header),
        cmocka_unit_test(test_truncated_header),
        cmocka_unit_test(test_sound_pickle),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_harmless_globals),
        cmocka_unit_test(test_unread_tensors),
        cmocka_unit_test(test_foreign_globals),
        cmocka_unit_test(test_lying_tensors),
        cmocka_unit_test(test_damaged_pickles),
        cmocka_unit_test(test_deep_and_wide_pickles),
        cmocka_unit_test(test_zip_without_checksums),
        cmocka_unit_test(test_bent_zip),
        cmocka_unit_test(test_bent_legacy),
        cmocka_unit_test(test_damaged_tensor_in_zip),
        cmocka_unit_test(test_not_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
