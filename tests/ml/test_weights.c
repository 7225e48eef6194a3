/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Sound files of weights: every format gives the tensors that PyTorch put in. */
#include "support/files.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <beam/weights.h>

#include "base/alloc.h"
#include "support/shortage.h"

static double value_at(const beam_tensor *t, size_t i)
{
    switch (t->dtype) {
    case BEAM_F32:
        return (double)((const float *)t->data)[i];
    case BEAM_F64:
        return ((const double *)t->data)[i];
    case BEAM_F16:
        return (double)beam_f16_to_f32(((const uint16_t *)t->data)[i]);
    case BEAM_BF16:
        return (double)beam_bf16_to_f32(((const uint16_t *)t->data)[i]);
    case BEAM_I64:
        return (double)((const int64_t *)t->data)[i];
    case BEAM_U8:
    case BEAM_BOOL:
        return ((const uint8_t *)t->data)[i];
    default:
        fail_msg("dtype %s is not expected", beam_dtype_name(t->dtype));
        return 0;
    }
}

static beam_dtype dtype_of(const char *torch)
{
    static const char *const names[][2] = {{"torch.float32", "f32"},   {"torch.float16", "f16"},
                                           {"torch.bfloat16", "bf16"}, {"torch.float64", "f64"},
                                           {"torch.int64", "i64"},     {"torch.uint8", "u8"},
                                           {"torch.bool", "bool"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], torch) == 0)
            return beam_dtype_parse(names[i][1]);
    return BEAM_DTYPE_INVALID;
}

static void check_tensor(const beam_tensor *t, json_t *want)
{
    assert_int_equal(t->dtype, dtype_of(json_string_value(json_object_get(want, "dtype"))));
    json_t *shape = json_object_get(want, "shape"), *values = json_object_get(want, "values");
    assert_int_equal(t->rank, json_array_size(shape));
    for (size_t i = 0; i < t->rank; i++)
        assert_int_equal(t->shape[i], json_integer_value(json_array_get(shape, i)));
    size_t count = 0;
    assert_int_equal(beam_tensor_check(t, &count, NULL, NULL), BEAM_OK);
    assert_int_equal(count, json_array_size(values));
    assert_non_null(t->data);
    assert_int_equal((uintptr_t)t->data % beam_dtype_size(t->dtype), 0);
    for (size_t i = 0; i < count; i++) {
        json_t *v = json_array_get(values, i);
        double wanted = json_is_boolean(v) ? json_boolean_value(v) : json_number_value(v);
        assert_true(value_at(t, i) == wanted);
    }
}

static void check_weights(beam_weights *w, const char *prefix)
{
    json_error_t why;
    json_t *expected = json_load_file(test_data("pth/expected.json"), 0, &why);
    assert_non_null(expected);
    assert_int_equal(beam_weights_count(w), json_object_size(expected));
    const char *key;
    json_t *want;
    json_object_foreach(expected, key, want)
    {
        char name[200];
        beam_tensor t;
        beam_error err = {0};
        (void)snprintf(name, sizeof name, "%s%s", prefix, key);
        assert_ok(beam_weights_find(w, name, &t, &err), err);
        check_tensor(&t, want);
    }
    json_decref(expected);
}

static void check_file(const char *name, const char *format, const char *prefix)
{
    beam_weights *w;
    beam_error err = {0};
    assert_ok(beam_weights_open(test_data(name), &w, &err), err);
    assert_string_equal(beam_weights_format(w), format);
    check_weights(w, prefix);
    assert_null(beam_weights_name(w, beam_weights_count(w)));
    assert_int_equal(beam_weights_tensor(w, beam_weights_count(w)).dtype, BEAM_DTYPE_INVALID);
    beam_weights_close(w);
}

static void test_torch_zip(void **state)
{
    (void)state;
    check_file("pth/zip.pth", "pytorch zip", "");
}

static void test_torch_legacy(void **state)
{
    (void)state;
    check_file("pth/legacy.pth", "pytorch legacy", "");
}

static void test_torch_nested(void **state)
{
    (void)state;
    check_file("pth/nested-legacy.pth", "pytorch legacy", "module.");
}

/* All tensors of `w` as safetensors, opened again. */
static beam_weights *saved_again(const beam_weights *w, const char *path)
{
    beam_error err = {0};
    size_t count = beam_weights_count(w);
    beam_named_tensor *all = calloc(count, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        all[i] = (beam_named_tensor){beam_weights_name(w, i), beam_weights_tensor(w, i)};
    assert_ok(beam_weights_save_safetensors(path, all, count, NULL, 0, &err), err);
    free(all);
    beam_weights *again;
    assert_ok(beam_weights_open(path, &again, &err), err);
    assert_string_equal(beam_weights_format(again), "safetensors");
    return again;
}

static void round_trip(const char *name, size_t count)
{
    beam_weights *w;
    beam_error err = {0};
    assert_ok(beam_weights_open(test_data(name), &w, &err), err); /* or the test is skipped */
    assert_int_equal(beam_weights_count(w), count);
    char *folder = test_folder();
    beam_weights *again = saved_again(w, test_path(folder, "w.safetensors"));
    assert_int_equal(beam_weights_count(again), count);
    for (size_t i = 0; i < count; i++) {
        beam_tensor a = beam_weights_tensor(w, i), b;
        assert_ok(beam_weights_find(again, beam_weights_name(w, i), &b, &err), err);
        assert_true(beam_tensor_same_shape(&a, &b));
        assert_memory_equal(a.data, b.data, beam_tensor_bytes(&a));
    }
    beam_weights_close(again);
    beam_weights_close(w);
    assert_int_equal(test_count_files(folder), 1);
    test_remove_folder(folder);
}

static void test_round_trip(void **state)
{
    (void)state;
    round_trip("pth/zip.pth", 12);
    round_trip("pth/nested-legacy.pth", 12);
}

static void test_resnet18(void **state)
{
    (void)state;
    round_trip("resnet18-cifar10.pth", 122);
}

static const float three[] = {1, 2, 3};
static const int64_t big[] = {1, -1};
static const uint8_t flag[] = {1};

static void sample(beam_named_tensor tensors[3])
{
    tensors[0] = (beam_named_tensor){"flag", {.dtype = BEAM_BOOL, .data = flag}};
    tensors[1] = (beam_named_tensor){"sp\303\244t \"q\"\\",
                                     {.dtype = BEAM_F32, .rank = 1, .shape = {3}, .data = three}};
    tensors[2] =
        (beam_named_tensor){"big", {.dtype = BEAM_I64, .rank = 2, .shape = {1, 2}, .data = big}};
}

static void test_save_aligns_and_keeps_notes(void **state)
{
    (void)state;
    char *folder = test_folder();
    beam_named_tensor tensors[3];
    sample(tensors);
    const beam_weights_note notes[] = {{"format", "pt"}, {"input", "pixel / 16"}};
    beam_error err = {0};
    const char *path = test_path(folder, "w.safetensors");
    assert_ok(beam_weights_save_safetensors(path, tensors, 3, notes, 2, &err), err);
    beam_weights *w;
    assert_ok(beam_weights_open(path, &w, &err), err);
    assert_string_equal(beam_weights_metadata(w, "input"), "pixel / 16");
    assert_null(beam_weights_metadata(w, "other"));
    assert_string_equal(beam_weights_name(w, 0), "big");
    assert_string_equal(beam_weights_name(w, 2), "flag");
    for (size_t i = 0; i < 3; i++) {
        beam_tensor t;
        assert_ok(beam_weights_find(w, tensors[i].name, &t, &err), err);
        assert_true(beam_tensor_same_shape(&t, &tensors[i].tensor));
        assert_memory_equal(t.data, tensors[i].tensor.data, beam_tensor_bytes(&t));
    }
    beam_tensor t;
    assert_fails(beam_weights_find(w, "none", &t, &err), BEAM_NOT_FOUND, err, "no tensor none");
    beam_weights_close(w);
    test_remove_folder(folder);
}

/* Some lengths of a header begin with the bytes of a pickle: 640, 896, ... */
static void test_headers_of_any_length(void **state)
{
    (void)state;
    char *folder = test_folder(), text[900];
    const char *path = test_path(folder, "w.safetensors");
    beam_named_tensor tensors[3];
    sample(tensors);
    for (size_t len = 200; len < sizeof text; len += 8) {
        beam_weights *w;
        beam_error err = {0};
        memset(text, 'x', len);
        text[len] = '\0';
        const beam_weights_note note = {"text", text};
        assert_ok(beam_weights_save_safetensors(path, tensors, 3, &note, 1, &err), err);
        assert_ok(beam_weights_open(path, &w, &err), err);
        assert_string_equal(beam_weights_format(w), "safetensors");
        beam_weights_close(w);
    }
    test_remove_folder(folder);
}

static void test_save_refuses(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "w.safetensors");
    beam_error err;
    beam_named_tensor tensors[3];
    const char *const names[][2] = {{"big", "twice"},
                                    {"__metadata__", "no tensor may be called"},
                                    {"", "no tensor may be"},
                                    {"\377", "UTF-8"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample(tensors);
        tensors[0].name = names[i][0];
        assert_fails(beam_weights_save_safetensors(path, tensors, 3, NULL, 0, &err),
                     BEAM_INVALID_ARGUMENT, err, names[i][1]);
    }
    sample(tensors);
    tensors[2].tensor.dtype = BEAM_DTYPE_INVALID;
    assert_fails(beam_weights_save_safetensors(path, tensors, 3, NULL, 0, &err),
                 BEAM_INVALID_ARGUMENT, err, "no dtype");
    sample(tensors);
    assert_fails(
        beam_weights_save_safetensors(test_path(folder, "no/w"), tensors, 3, NULL, 0, &err),
        BEAM_NOT_FOUND, err, "no/w");
    assert_int_equal(test_count_files(folder), 0);
    test_remove_folder(folder);
}

static void test_source_binds(void **state)
{
    (void)state;
    char *folder = test_folder();
    beam_named_tensor tensors[3];
    sample(tensors);
    const char *path = test_path(folder, "w");
    beam_error err = {0};
    assert_ok(beam_weights_save_safetensors(path, tensors, 3, NULL, 0, &err), err);
    beam_weights *w;
    assert_ok(beam_weights_open(path, &w, &err), err);
    beam_weight_source source = beam_weights_source(w);
    beam_tensor t;
    assert_ok(source.lookup(source.user, "big", &t, &err), err);
    assert_int_equal(t.dtype, BEAM_I64);
    assert_int_equal(source.lookup(source.user, "none", &t, NULL), BEAM_NOT_FOUND);
    assert_string_equal(source.name(source.user, 0), "big");
    assert_null(source.name(source.user, 3));
    beam_weights_close(w);
    test_remove_folder(folder);
}

/* ---- each allocation fails in turn ------------------------------------------------------- */

static void sweep_open(const char *path)
{
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_weights *w = NULL;
        beam_error err = {0};
        test_shortage_ends(&s, beam_weights_open(path, &w, &err));
        assert_true((w != NULL) == s.over);
        assert_true((err.message[0] == '\0') == s.over);
        beam_weights_close(w);
    }
}

static void test_open_out_of_memory(void **state)
{
    (void)state;
    sweep_open(test_data("pth/zip.pth"));
    sweep_open(test_data("pth/nested-legacy.pth"));
}

static void test_safetensors_out_of_memory(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "w");
    beam_named_tensor tensors[3];
    sample(tensors);
    for (uint64_t n = 1;; n++) {
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_weights_save_safetensors(path, tensors, 3, NULL, 0, NULL);
        bool failed = beam_alloc_count() >= n && status != BEAM_OK;
        bool reached = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        if (failed)
            assert_int_equal(test_count_files(folder), 0);
        if (!reached)
            break;
        if (!failed) /* only the folder went unsynced */
            assert_int_equal(remove(path), 0);
    }
    sweep_open(path);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torch_zip),
        cmocka_unit_test(test_torch_legacy),
        cmocka_unit_test(test_torch_nested),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_resnet18),
        cmocka_unit_test(test_save_aligns_and_keeps_notes),
        cmocka_unit_test(test_headers_of_any_length),
        cmocka_unit_test(test_save_refuses),
        cmocka_unit_test(test_source_binds),
        cmocka_unit_test(test_open_out_of_memory),
        cmocka_unit_test(test_safetensors_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
