/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_step_module.c - a training step that JAX wrote (models/, by
 * tools/export/jax_training.py) on the PJRT plugin for the CPU: its losses are JAX's; and what is
 * said of steps that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <beam/weights.h>

#include "base/alloc.h"
#include "ml/plugin.h"
#include "support/files.h"

#define MODELS PLUGIN_MODELS

enum { BATCH = 32, PIXELS = 64, STEPS = 20 };

/* The step of the file, with the states and names of digits.safetensors. */
typedef struct step {
    beam_weights *file;
    beam_named_tensor states[32];
    beam_step_module module;
} step;

static void open_step(step *s, const char *path)
{
    beam_error err = {0};
    plugin_ok(beam_weights_open(MODELS "digits.safetensors", &s->file, &err), &err);
    s->module = (beam_step_module){.struct_size = sizeof s->module,
                                   .path = path,
                                   .images = {BEAM_F32, 4, {BATCH, 1, 8, 8}, NULL},
                                   .num_classes = 10,
                                   .states = s->states,
                                   .num_states = beam_weights_count(s->file),
                                   .arguments = beam_weights_metadata(s->file, "step_arguments"),
                                   .results = beam_weights_metadata(s->file, "step_results")};
    assert_in_range(s->module.num_states, 1, 32);
    for (size_t i = 0; i < s->module.num_states; i++)
        s->states[i] =
            (beam_named_tensor){beam_weights_name(s->file, i), beam_weights_tensor(s->file, i)};
}

/* What jax_training.py's noise() makes. */
static void make_noise(uint32_t batch, float *images, uint32_t *labels)
{
    for (uint32_t i = 0; i < BATCH * PIXELS; i++) {
        uint32_t at = (i + batch * BATCH * PIXELS) * UINT32_C(2654435761);
        images[i] = (float)(at >> 16) / 32768 - 1;
    }
    for (uint32_t i = 0; i < BATCH; i++)
        labels[i] = (7 * i + batch) % 10;
}

static beam_status take_step(beam_training *training, uint32_t number, beam_step_result *result,
                             beam_error *err)
{
    static float pixels[BATCH * PIXELS];
    static uint32_t labels[BATCH];
    const beam_tensor images = {BEAM_F32, 4, {BATCH, 1, 8, 8}, pixels};
    make_noise(number % 4, pixels, labels);
    return beam_training_step(training, &images, 1, labels, 0.01f, result, err);
}

static void same_as_jax(beam_training *training, FILE *wanted)
{
    beam_error err = {0};
    for (uint32_t i = 0; i < STEPS; i++) {
        double loss;
        unsigned correct;
        beam_step_result result;
        assert_int_equal(fscanf(wanted, "%lf %u", &loss, &correct), 2);
        plugin_ok(take_step(training, i, &result, &err), &err);
        if (!(fabs((double)result.loss - loss) < 1e-4 * loss))
            fail_msg("step %u: the loss is %.9g, and JAX's is %.9g", i, (double)result.loss, loss);
        assert_int_equal(result.correct, correct);
    }
}

/* Text and bytecode, from the start and from the middle. */
static void test_losses(void **state)
{
    (void)state;
    static const char *const paths[] = {MODELS "digits.step.stablehlo", MODELS "digits.step.mlir"};
    beam_device *device = plugin_open();
    beam_error err = {0};
    for (size_t i = 0; i < 2; i++) {
        step s;
        beam_training *training;
        beam_training_info info;
        int32_t steps = 0;
        FILE *wanted = fopen(MODELS "losses.txt", "r");
        assert_non_null(wanted);
        open_step(&s, paths[i]);
        plugin_ok(beam_device_train_module(device, &s.module, &training, &err), &err);
        same_as_jax(training, wanted);
        beam_training_get_info(training, &info);
        assert_int_equal(info.batch_size, BATCH);
        assert_int_equal(info.steps, STEPS);
        assert_true(info.state_bytes > 3 * 4096 * sizeof(float) / 2);
        plugin_ok(beam_training_read(training, "kept.steps", (float *)(void *)&steps, &err), &err);
        assert_int_equal(steps, STEPS);
        beam_training_free(training);
        beam_weights_close(s.file);
        assert_int_equal(fclose(wanted), 0);
    }
    beam_device_close(device);
}

/* All states, one behind the other. */
static size_t copy_states(beam_training *from, beam_training *to, float *data)
{
    size_t n = 0;
    beam_error err = {0};
    for (size_t i = 0; i < beam_training_num_states(from); i++) {
        const char *name;
        beam_tensor tensor;
        assert_int_equal(beam_training_state(from, i, &name, &tensor), BEAM_OK);
        plugin_ok(beam_training_read(from, name, data + n, &err), &err);
        if (to)
            plugin_ok(beam_training_write(to, name, data + n, &err), &err);
        n += beam_tensor_bytes(&tensor) / sizeof *data;
    }
    return n;
}

static void test_states_move(void **state)
{
    (void)state;
    enum { MOST = 1 << 16 };
    beam_device *device = plugin_open();
    beam_error err = {0};
    beam_step_result result[2];
    beam_training *one, *other;
    step s;
    float *a = malloc(MOST * sizeof *a), *b = malloc(MOST * sizeof *b);
    assert_non_null(a);
    assert_non_null(b);
    open_step(&s, MODELS "digits.step.stablehlo");
    plugin_ok(beam_device_train_module(device, &s.module, &one, &err), &err);
    plugin_ok(beam_device_train_module(device, &s.module, &other, &err), &err);
    for (uint32_t i = 0; i < 5; i++)
        plugin_ok(take_step(one, i, &result[0], &err), &err);
    size_t n = copy_states(one, other, a);
    assert_in_range(n, 1, MOST);
    beam_training_set_steps(other, 5);
    for (uint32_t i = 5; i < 8; i++) {
        plugin_ok(take_step(one, i, &result[0], &err), &err);
        plugin_ok(take_step(other, i, &result[1], &err), &err);
        assert_memory_equal(&result[0].loss, &result[1].loss, sizeof(float));
    }
    assert_int_equal(copy_states(one, NULL, a), n);
    assert_int_equal(copy_states(other, NULL, b), n);
    assert_memory_equal(a, b, n * sizeof *a);
    beam_training_free(one);
    beam_training_free(other);
    beam_weights_close(s.file);
    beam_device_close(device);
    free(a);
    free(b);
}

/* ---- a small step ---------------------------------------------------------------------------- */

/* Of one state, which it leaves as it is; it compiles at once, and has CORRECT images right. */
#define SMALL(CORRECT)                                                                   \
    "func.func public @main(%w: tensor<2xf32>, %x: tensor<4x3xf32>, %y: tensor<4xi32>) " \
    "-> (tensor<2xf32>, tensor<f32>, tensor<i32>) {\n"                                   \
    "  %0 = stablehlo.constant dense<1.0> : tensor<f32>\n"                               \
    "  %1 = stablehlo.constant dense<" #CORRECT "> : tensor<i32>\n"                      \
    "  return %w, %0, %1 : tensor<2xf32>, tensor<f32>, tensor<i32>\n}\n"

static const float numbers[12] = {1, 2, 3, 4};
static const beam_named_tensor w = {"w", {BEAM_F32, 1, {2}, numbers}};
static const beam_step_module small = {.struct_size = sizeof small,
                                       .images = {BEAM_F32, 2, {4, 3}, NULL},
                                       .num_classes = 10,
                                       .states = &w,
                                       .num_states = 1,
                                       .arguments = "w\nimages\nlabels",
                                       .results = "w\nloss\ncorrect"};

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

/* `small`, with that text as its step. */
static beam_step_module write_step(const char *text)
{
    beam_step_module module = small;
    module.path = test_path(folder, "step.mlir");
    test_write_file(module.path, text, strlen(text));
    return module;
}

static beam_status take_small_step(beam_training *training, beam_error *err)
{
    static const uint32_t labels[4];
    const beam_tensor images = {BEAM_F32, 2, {4, 3}, numbers};
    beam_step_result result;
    return beam_training_step(training, &images, 1, labels, 0.1f, &result, err);
}

static void test_no_memory(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    beam_device_memory memory;
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    const beam_step_module m = write_step(SMALL(3));
    for (uint64_t n = 1; status != BEAM_OK; n++) {
        beam_training *training = NULL;
        beam_alloc_fail_at(n, 0);
        status = beam_device_train_module(device, &m, &training, NULL);
        if (status == BEAM_OK)
            status = take_small_step(training, NULL);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        beam_training_free(training);
        beam_device_get_memory(device, &memory);
        assert_int_equal(memory.weight_bytes, 0);
        assert_true(n < 500);
    }
    beam_device_close(device);
}

/* A step that says what cannot be. */
static void test_impossible_hits(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    beam_error err = {0};
    beam_training *training;
    const beam_step_module m = write_step(SMALL(9));
    plugin_ok(beam_device_train_module(device, &m, &training, &err), &err);
    assert_int_equal(take_small_step(training, &err), BEAM_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "step 1: it has 9 images of a batch of 4 right"));
    beam_training_free(training);
    beam_device_close(device);
}

/* ---- what does not fit ----------------------------------------------------------------------- */

static void refused(beam_device *device, const beam_step_module *module, const char *words)
{
    beam_error err = {0};
    beam_training *training = NULL;
    beam_status status = beam_device_train_module(device, module, &training, &err);
    assert_null(training);
    if (status == BEAM_OK || !strstr(err.message, words))
        fail_msg("%s: %s; not: %s", beam_status_name(status), err.message, words);
}

static void refused_text(beam_device *device, const beam_step_module *module, const char *text,
                         const char *words)
{
    beam_step_module m = *module;
    m.path = write_step(text).path;
    refused(device, &m, words);
}

static void test_refused(void **state)
{
    (void)state;
    beam_device *device = plugin_open();
    beam_named_tensor states[] = {{"w", {BEAM_F32, 1, {2}, numbers}},
                                  {"v", {BEAM_F32, 1, {2}, numbers}}};
    const beam_step_module fits = {.struct_size = sizeof fits,
                                   .images = small.images,
                                   .num_classes = 10,
                                   .states = states,
                                   .num_states = 1,
                                   .arguments = small.arguments,
                                   .results = small.results};
    beam_step_module m = fits;
    m.arguments = "w\nimages";
    refused_text(device, &m, SMALL(3), "main has 3 arguments, and 2 are named");
    m.arguments = "w\nimages\nlabels\nstep";
    refused_text(device, &m, SMALL(3), "main has 3 arguments, and 4 are named");
    m.arguments = "w\nimages\nlables";
    refused_text(device, &m, SMALL(3),
                 "argument 2 of main is called \"lables\", which is no state and none of images");
    m.arguments = "w\nimages\nimages";
    refused_text(device, &m, SMALL(3), "two arguments of main are called images");
    m.arguments = "w\nlabels\nimages";
    refused_text(device, &m, SMALL(3),
                 "argument 1 of main, labels, is f32{4, 3} and must be i32{4}");
    m = fits;
    m.results = "w\nloss";
    refused_text(device, &m, SMALL(3), "main has 3 results, and 2 are named");
    m.results = "w\nloss\nloss";
    refused_text(device, &m, SMALL(3), "two results of main are called loss");
    m.results = "w\ncorrect\nloss";
    refused_text(device, &m, SMALL(3), "result 1 of main, correct, is f32{} and must be i32{}");
    m.results = "w\nloss\naccuracy";
    refused_text(device, &m, SMALL(3), "result 2 of main is called \"accuracy\"");
    m = fits;
    m.num_states = 2;
    refused_text(device, &m, SMALL(3), "state v is no argument of main");
    m.num_states = 0;
    refused_text(device, &m, SMALL(3), "argument 0 of main is called \"w\"");
    m = fits;
    m.images.shape[0] = 5;
    refused_text(device, &m, SMALL(3),
                 "argument 1 of main, images, is f32{4, 3} and must be f32{5, 3}");
    states[0].tensor.shape[0] = 4;
    refused_text(device, &fits, SMALL(3), "argument 0 of main, w, is f32{2} and must be f32{4}");
    states[0].tensor.dtype = BEAM_F16;
    refused_text(device, &fits, SMALL(3), "state w is f16; states are f32 or i32");
    beam_device_close(device);
}

static void test_bad_files(void **state)
{
    (void)state;
    beam_device *device = plugin_open(), *cpu = NULL;
    beam_error err = {0};
    beam_training *training;
    step s;
    open_step(&s, "/nowhere/step.mlir");
    assert_int_equal(beam_device_train_module(device, &s.module, &training, &err), BEAM_NOT_FOUND);
    assert_non_null(strstr(err.message, "training step /nowhere/step.mlir: "));
    refused_text(device, &s.module, "module {\n  func.func @main(%a: tensor<2xf32>) {\n",
                 "compiling: ");
    plugin_ok(beam_device_open("reference", NULL, &cpu, &err), &err);
    refused(cpu, &s.module, "StableHLO runs on gpu, tpu and pjrt:/path/plugin.so");
    beam_weights_close(s.file);
    beam_device_close(cpu);
    beam_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses),    cmocka_unit_test(test_states_move),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bad_files), cmocka_unit_test(test_impossible_hits),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
