/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_model_file.c - models that JAX wrote (models/, by tools/export/jax_model.py) on the PJRT
 * plugin for the CPU, ONNX by OpenVINO, and what is said of files that are not what they should
 * be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <beam/ml.h>
#include <beam/weights.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "ml/plugin.h"
#include "support/files.h"

#define MODELS PLUGIN_MODELS

/* ---- devices ---- */

/* OpenVINO's TBB opens libraries in a way (RTLD_DEEPBIND) that AddressSanitizer ends programs for.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

static beam_device *open_openvino(void)
{
#ifdef SANITIZED
    print_message("OpenVINO does not run under AddressSanitizer\n");
    skip();
#endif
    char library[1024];
    beam_error err = {0};
    beam_device *device = NULL;
    plugin_fetched("openvino-*/openvino/libs/libopenvino_c.so*", library, sizeof library);
    plugin_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    return device;
}

/* ---- running ---- */

/* The numbers of a .npy file of f32. */
static const float *numbers_of(const beam_file_view *file)
{
    size_t header = (size_t)(file->data[8] | file->data[9] << 8);
    return (const float *)(const void *)(file->data + 10 + header);
}

/* Runs `count` rows of `in` in batches of `batch`; returns the results. */
static float *run_all(beam_model *model, const float *in, int64_t count, int64_t batch)
{
    beam_error err = {0};
    beam_model_context *context = NULL;
    beam_tensor input = beam_model_input(model, 0, 1), output = beam_model_output(model, 0, 1);
    size_t in_row = beam_tensor_bytes(&input) / sizeof(float);
    size_t out_row = beam_tensor_bytes(&output) / sizeof(float);
    float *results = beam_malloc((size_t)count * out_row * sizeof *results);
    assert_non_null(results);
    plugin_ok(beam_model_context_new(model, &context, &err), &err);
    for (int64_t first = 0; first < count; first += batch) {
        int64_t rows = count - first < batch ? count - first : batch;
        input = beam_model_input(model, 0, rows);
        input.data = in + (size_t)first * in_row;
        plugin_ok(beam_model_run(context, &input, 1, &output, 1, &err), &err);
        assert_int_equal(output.shape[0], rows);
        memcpy(results + (size_t)first * out_row, output.data,
               (size_t)rows * out_row * sizeof *results);
    }
    beam_model_context_free(context);
    return results;
}

static void near(const float *got, const float *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) < 1e-4f))
            fail_msg("number %zu is %g, not %g", i, (double)got[i], (double)wanted[i]);
}

/* The weights of models/, as beam_device_load takes them. */
typedef struct jax_weights {
    beam_weights *file;
    beam_named_tensor tensors[8];
    beam_load_options options;
} jax_weights;

static void open_weights(jax_weights *w)
{
    beam_error err = {0};
    plugin_ok(beam_weights_open(MODELS "model.safetensors", &w->file, &err), &err);
    w->options = (beam_load_options){.struct_size = sizeof w->options,
                                     .max_batch = 64,
                                     .weights = w->tensors,
                                     .num_weights = beam_weights_count(w->file),
                                     .arguments = beam_weights_metadata(w->file, "arguments")};
    assert_int_equal(w->options.num_weights, 4);
    for (size_t i = 0; i < w->options.num_weights; i++)
        w->tensors[i] =
            (beam_named_tensor){beam_weights_name(w->file, i), beam_weights_tensor(w->file, i)};
}

/* Text for one image, bytecode for sixteen: 21 images are 16 and 5, padded, or one after another.
 */
static void test_jax(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    beam_error err = {0};
    beam_model *model = NULL;
    beam_model_info info;
    beam_device_memory memory;
    beam_file_view images = {0}, logits = {0};
    jax_weights w;
    open_weights(&w);
    plugin_ok(beam_file_view_open(MODELS "images.npy", &images, &err), &err);
    plugin_ok(beam_file_view_open(MODELS "logits.npy", &logits, &err), &err);
    plugin_ok(beam_device_load(device, MODELS "model.b16.stablehlo," MODELS "model.b1.mlir",
                               &w.options, &model, &err),
              &err);
    beam_model_get_info(model, &info);
    assert_int_equal(info.max_batch, 16);
    assert_int_equal(info.num_programs, 2);
    assert_int_equal(info.num_inputs, 1);
    beam_device_get_memory(device, &memory);
    assert_true(memory.working_bytes > 0); /* its programs */
    const int64_t batches[] = {16, 5, 1};
    for (size_t i = 0; i < 3; i++) {
        float *got = run_all(model, numbers_of(&images), 21, batches[i]);
        near(got, numbers_of(&logits), (size_t)21 * 10);
        beam_free(got);
    }
    beam_model_free(model);
    beam_file_view_close(&images);
    beam_file_view_close(&logits);
    beam_weights_close(w.file);
    beam_device_close(device);
}

/* Each allocation fails in turn, and nothing is left. */
static void fail_each(beam_device *device, const char *path, const beam_load_options *options,
                      const beam_tensor *input)
{
    beam_device_memory memory;
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    for (uint64_t n = 1; status != BEAM_OK; n++) {
        beam_model *model = NULL;
        beam_model_context *context = NULL;
        beam_tensor output;
        beam_alloc_fail_at(n, 0);
        status = beam_device_load(device, path, options, &model, NULL);
        if (status == BEAM_OK)
            status = beam_model_context_new(model, &context, NULL);
        if (status == BEAM_OK)
            status = beam_model_run(context, input, 1, &output, 1, NULL);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        beam_model_context_free(context);
        beam_model_free(model);
        beam_device_get_memory(device, &memory);
        assert_int_equal(memory.weight_bytes + memory.working_bytes, 0);
        assert_true(n < 500);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    static const float pixels[3 * 64];
    const beam_tensor three = {BEAM_F32, 4, {3, 1, 8, 8}, pixels};
    jax_weights w;
    open_weights(&w);
    fail_each(device, MODELS "model.b16.stablehlo", &w.options, &three);
    beam_weights_close(w.file);
    beam_device_close(device);
}

/* ---- what is not as it should be ---- */

static char *folder; /* of what the tests write */

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_remove_folder(folder);
    return 0;
}

/* A file of these bytes, until the next one. */
static const char *write_file(const char *name, const void *data, size_t size)
{
    const char *path = test_path(folder, name);
    test_write_file(path, data, size);
    return path;
}

static void refused(beam_device *device, const char *path, const beam_load_options *options,
                    const char *words)
{
    beam_error err = {0};
    beam_model *model = NULL;
    beam_status status = beam_device_load(device, path, options, &model, &err);
    assert_null(model);
    if (status == BEAM_OK || !strstr(err.message, words))
        fail_msg("%s: %s; not: %s", beam_status_name(status), err.message, words);
}

static void refused_text(beam_device *device, const char *text, const char *words)
{
    refused(device, write_file("model.mlir", text, strlen(text)), NULL, words);
}

static void test_bad_modules(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    beam_device_memory memory;
    refused_text(device,
                 "module {\n func.func public @main(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {\n"
                 "  %0 = stablehlo.add %a, %b : tensor<2x3xf32>\n"
                 "  return %0 : tensor<2x3xf32>\n }\n}\n",
                 "-:3:26: error: use of undeclared SSA value name");
    refused_text(device,
                 "func.func public @main(%a: tensor<2x3xi32>) -> tensor<2x3xi32> {\n"
                 "  return %a : tensor<2x3xi32>\n}\n",
                 "argument 0 of main is i32{2, 3}; inputs and results must be f32");
    refused_text(device,
                 "func.func public @main(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> "
                 "tensor<2x3xf32> {\n  return %a : tensor<2x3xf32>\n}\n",
                 "argument 1 of main is f32{3}, which does not begin with the batch, 2");
    refused_text(device,
                 "func.func public @main(%a: tensor<2x3xui64>) -> tensor<2x3xui64> {\n"
                 "  return %a : tensor<2x3xui64>\n}\n",
                 "argument or result 0 of main is of a type that tensors here do not have");
    refused_text(device, "ML\xefRno bytecode", "compiling: ");
    refused_text(device, "", "has 0 bytes");
    refused(device, "/nowhere/model.mlir", NULL, "/nowhere/model.mlir");
    refused(device, MODELS "model.safetensors", NULL, "ends in none of");
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes, 0);
    beam_device_close(device);
}

static void test_bad_weights(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    beam_device_memory memory;
    jax_weights w;
    open_weights(&w);
    const char *path = MODELS "model.b1.mlir";
    beam_load_options o = w.options;
    o.arguments = "bias\nconv\nfc.bias\nfc.weight";
    refused(device, path, &o, "main takes 5 arguments, and the weights' note \"arguments\" names");
    o.arguments = "bias\nconv\nfc.bias\nfc.weight\ninput\nmore";
    refused(device, path, &o, "names more");
    o.arguments = "conv\nbias\nfc.bias\nfc.weight\ninput";
    refused(device, path, &o, "argument 0 of main is f32{4}, and the weight conv is f32{4, 1, 3");
    o.arguments = "other\nconv\nfc.bias\nfc.weight\ninput";
    refused(device, path, &o, "of 4 weights, main's arguments are 3");
    o = w.options;
    o.precision = BEAM_PRECISION_BF16;
    refused(device, path, &o, "computes in what it was exported in");
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes, 0);
    beam_weights_close(w.file);
    beam_device_close(device);
}

static void test_wrong_device(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    plugin_ok(beam_device_open("reference", NULL, &device, &err), &err);
    refused(device, MODELS "model.b1.mlir", NULL, "StableHLO runs on gpu, tpu and pjrt:");
    refused(device, "model.onnx", NULL, "ONNX runs on the device cpu, not on reference");
    beam_device_close(device);
}

/* ---- ONNX ---- */

/* A member of a protobuf message, which holds bytes. */
static void put(beam_buffer *to, uint32_t field, const void *data, size_t size)
{
    assert_int_equal(beam_buffer_varint(to, field << 3 | 2), BEAM_OK);
    assert_int_equal(beam_buffer_varint(to, size), BEAM_OK);
    assert_int_equal(beam_buffer_append(to, data, size), BEAM_OK);
}

static void put_text(beam_buffer *to, uint32_t field, const char *text)
{
    put(to, field, text, strlen(text));
}

static void put_number(beam_buffer *to, uint32_t field, uint64_t number)
{
    assert_int_equal(beam_buffer_varint(to, field << 3), BEAM_OK);
    assert_int_equal(beam_buffer_varint(to, number), BEAM_OK);
}

/* A field behind the largest that there are, which protobuf's readers cut to 32 bits. */
static void put_hidden(beam_buffer *to, uint32_t field, unsigned wire)
{
    assert_int_equal(beam_buffer_varint(to, UINT64_C(1) << 32 | field << 3 | wire), BEAM_OK);
}

static void put_message(beam_buffer *to, uint32_t field, beam_buffer *message)
{
    put(to, field, message->data, message->len);
    beam_buffer_free(message);
    *message = (beam_buffer){0};
}

/* ValueInfoProto: f32 {batch, columns}; batch 0: any. */
static void put_port(beam_buffer *graph, uint32_t field, const char *name, uint64_t batch,
                     uint64_t columns)
{
    beam_buffer dim = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    if (batch)
        put_number(&dim, 1, batch);
    else
        put_text(&dim, 2, "batch");
    put_message(&shape, 1, &dim);
    put_number(&dim, 1, columns);
    put_message(&shape, 1, &dim);
    put_number(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

/* Where the weights lie in another file. */
static void put_external(beam_buffer *tensor, const char *external, bool hidden)
{
    beam_buffer entry = {0};
    put_text(&entry, 1, "location");
    put_text(&entry, 2, external);
    if (!hidden) {
        put_message(tensor, 13, &entry);
        put_number(tensor, 14, 1);
        return;
    }
    put_hidden(tensor, 13, 2);
    assert_int_equal(beam_buffer_varint(tensor, entry.len), BEAM_OK);
    assert_int_equal(beam_buffer_append(tensor, entry.data, entry.len), BEAM_OK);
    put_hidden(tensor, 14, 0);
    assert_int_equal(beam_buffer_varint(tensor, 1), BEAM_OK);
    beam_buffer_free(&entry);
}

/* What there is besides y = x w. */
typedef enum onnx_kind { ONNX_PLAIN, ONNX_HIDDEN, ONNX_CONSTANT } onnx_kind;

/* y = x w, x {batch, 2}, w = {{1, 2, 3}, {10, 20, 30}}, or in a file of that name, which may be
 * hidden; w may be an output, too. */
static beam_buffer make_onnx(uint64_t batch, const char *external, onnx_kind kind)
{
    static const float w[] = {1, 2, 3, 10, 20, 30};
    beam_buffer node = {0}, tensor = {0}, graph = {0}, opset = {0}, model = {0};
    put_text(&node, 1, "x");
    put_text(&node, 1, "w");
    put_text(&node, 2, "y");
    put_text(&node, 4, "MatMul");
    put_number(&tensor, 1, 2);
    put_number(&tensor, 1, 3);
    put_number(&tensor, 2, 1);
    put_text(&tensor, 8, "w");
    if (external)
        put_external(&tensor, external, kind == ONNX_HIDDEN);
    else
        put(&tensor, 9, w, sizeof w);
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "g");
    put_message(&graph, 5, &tensor);
    put_port(&graph, 11, "x", batch, 2);
    put_port(&graph, 12, "y", batch, 3);
    if (kind == ONNX_CONSTANT)
        put_port(&graph, 12, "w", 2, 3);
    put_text(&opset, 1, "");
    put_number(&opset, 2, 17);
    put_number(&model, 1, 8);
    put_message(&model, 7, &graph);
    put_message(&model, 8, &opset);
    return model;
}

static void run_onnx(beam_device *device, uint64_t batch)
{
    static const float in[] = {1, 0, 0, 1, 1, 1}, wanted[] = {1, 2, 3, 10, 20, 30, 11, 22, 33};
    beam_error err = {0};
    beam_model *model = NULL;
    beam_model_info info;
    beam_buffer bytes = make_onnx(batch, NULL, ONNX_PLAIN);
    const beam_load_options options = {.struct_size = sizeof options, .max_batch = 3};
    plugin_ok(beam_device_load(device, write_file("model.onnx", bytes.data, bytes.len), &options,
                               &model, &err),
              &err);
    beam_model_get_info(model, &info);
    assert_int_equal(info.max_batch, batch ? batch : 3);
    for (int64_t at_once = 1; at_once <= info.max_batch; at_once++) {
        float *got = run_all(model, in, 3, at_once);
        near(got, wanted, 9);
        beam_free(got);
    }
    beam_model_free(model);
    beam_buffer_free(&bytes);
}

static void test_onnx(void **state)
{
    (void)state;
    beam_device *device = open_openvino();
    run_onnx(device, 0); /* any batch */
    run_onnx(device, 2); /* fixed: one of 1 is padded */
    beam_device_close(device);
}

static void test_onnx_no_memory(void **state)
{
    (void)state;
    beam_device *device = open_openvino();
    static const float in[2];
    const beam_tensor one = {BEAM_F32, 2, {1, 2}, in}; /* padded to two */
    beam_buffer bytes = make_onnx(2, NULL, ONNX_PLAIN);
    const beam_load_options options = {.struct_size = sizeof options, .max_batch = 8};
    fail_each(device, write_file("model.onnx", bytes.data, bytes.len), &options, &one);
    beam_buffer_free(&bytes);
    beam_device_close(device);
}

/* An output of two rows for a batch of any size is no output of a row an example. */
static void test_onnx_output_without_batch(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_model *model = NULL;
    beam_device *device = open_openvino();
    beam_buffer bytes = make_onnx(0, NULL, ONNX_CONSTANT);
    assert_int_equal(beam_device_load(device, write_file("model.onnx", bytes.data, bytes.len), NULL,
                                      &model, &err),
                     BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "an output has 2 rows whatever"));
    beam_buffer_free(&bytes);
    beam_device_close(device);
}

static void refused_onnx(beam_device *device, const beam_buffer *bytes, size_t size,
                         const char *words)
{
    refused(device, write_file("model.onnx", bytes->data, size), NULL, words);
}

static void test_bad_onnx(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    plugin_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    beam_buffer outside = make_onnx(0, "/etc/passwd", ONNX_PLAIN), deep = {0};
    beam_buffer hidden = make_onnx(0, "/etc/passwd", ONNX_HIDDEN);
    beam_buffer whole = make_onnx(0, NULL, ONNX_PLAIN);
    refused_onnx(device, &outside, outside.len, "its weights lie in another file");
    refused_onnx(device, &hidden, hidden.len, "no ONNX file, or a damaged one");
    refused_onnx(device, &whole, whole.len - 1, "no ONNX file, or a damaged one");
    refused_onnx(device, &whole, 2, "no ONNX file, or a damaged one");
    for (int i = 0; i < 201; i++) { /* a graph in an attribute of a node of a graph ... */
        static const uint32_t fields[] = {6, 5, 1};
        beam_buffer around = {0};
        put(&around, fields[i % 3], deep.data, deep.len);
        beam_buffer_free(&deep);
        deep = around;
    }
    beam_buffer model = {0};
    put_message(&model, 7, &deep);
    refused_onnx(device, &model, model.len, "ONNX nested more than 64 deep");
    beam_buffer_free(&model);
    beam_buffer_free(&whole);
    beam_buffer_free(&outside);
    beam_buffer_free(&hidden);
    beam_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jax),
        cmocka_unit_test(test_bad_modules),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_onnx_no_memory),
        cmocka_unit_test(test_bad_weights),
        cmocka_unit_test(test_wrong_device),
        cmocka_unit_test(test_onnx),
        cmocka_unit_test(test_bad_onnx),
        cmocka_unit_test(test_onnx_output_without_batch),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
