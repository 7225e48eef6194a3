/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_chips.c - models on chips that are several, small or slow: which programs are compiled,
 * and what happens meanwhile, on a plugin that does as it is told (tests/support/pjrt_fake). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <cmocka.h>

#include "device/fake.h"
#include "device/nets.h"
#include "support/files.h"

/* Slots, weights and contexts go round the chips. */
static void test_devices(void **state)
{
    (void)state;
    beam_error err = {0};
    fake_env("PJRT_FAKE_DEVICES", "3");
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_device_info info;
    beam_device_get_info(device, &info);
    assert_int_equal(info.slots, 3);
    beam_model *model = fake_compile(device, 2);
    beam_model_info about;
    float images[2 * 64] = {1, 2, 3};
    for (uint32_t i = 0; i < 6; i++) {
        beam_model_context *context = NULL;
        nets_ok(beam_model_context_new(model, &context, &err), &err);
        beam_tensor in = beam_model_input(model, 0, 2), out;
        in.data = images;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        assert_true(((const float *)out.data)[2] == 3);
        beam_model_context_free(context);
        beam_model_get_info(model, &about);
        assert_int_equal(about.num_programs, i < 3 ? i + 1 : 3);
    }
    beam_model_free(model);
    beam_device_close(device);
    beam_device_options options = {.struct_size = sizeof options, .slots = 2};
    nets_ok(beam_device_open("pjrt:" FAKE_PLUGIN, &options, &device, &err), &err);
    beam_device_get_info(device, &info);
    assert_int_equal(info.slots, 2);
    beam_device_close(device);
}

/* Runs a batch of so many rows, each {row, 0, ...}. */
static void run_rows(beam_model_context *context, const beam_model *model, int64_t rows)
{
    beam_error err = {0};
    float images[16 * 64] = {0};
    for (int64_t i = 0; i < rows; i++)
        images[i * 64] = (float)i + 1;
    beam_tensor in = beam_model_input(model, 0, rows), out;
    in.data = images;
    nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    assert_int_equal(out.shape[0], rows);
    assert_true(((const float *)out.data)[0] == 1);
}

static uint32_t programs_of(const beam_model *model)
{
    beam_model_info info;
    beam_model_get_info(model, &info);
    return info.num_programs;
}

/* A stranger to the programs there are is padded; where many come, they get one of their own. */
static void test_odd_batches(void **state)
{
    (void)state;
    enum { PATIENCE = 64 };
    beam_error err = {0};
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_model *model = fake_compile(device, 16);
    beam_model_context *context = NULL;
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    for (int i = 0; i < PATIENCE; i++)
        run_rows(context, model, 3);
    run_rows(context, model, 5); /* in any case one for 16 */
    assert_int_equal(programs_of(model), 1);
    run_rows(context, model, 3);
    assert_int_equal(programs_of(model), 2);
    run_rows(context, model, 1); /* goes to that for 4 */
    assert_int_equal(programs_of(model), 2);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
}

/* On the CPU, or of a size that was asked for, the first is worth a program. */
static void test_sizes_asked_for(void **state)
{
    (void)state;
    for (int cpu = 0; cpu < 2; cpu++) {
        beam_error err = {0};
        const int64_t sizes[] = {4};
        fake_env("PJRT_FAKE_PLATFORM", cpu ? "cpu" : NULL);
        beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, cpu ? "pjrt-cpu" : "tpu");
        beam_model *model = NULL;
        beam_network *net = nets_small();
        const beam_compile_options options = {.struct_size = sizeof options,
                                              .max_batch = 16,
                                              .batch_sizes = sizes,
                                              .num_batch_sizes = !cpu};
        nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
        beam_model_context *context = NULL;
        nets_ok(beam_model_context_new(model, &context, &err), &err);
        run_rows(context, model, 3);
        assert_int_equal(programs_of(model), 2);
        beam_model_context_free(context);
        beam_model_free(model);
        beam_device_close(device);
        beam_network_free(net);
    }
}

typedef struct one_batch {
    beam_model *model;
    beam_model_context *context;
} one_batch;

static void *run_one(void *user)
{
    const one_batch *b = user;
    run_rows(b->context, b->model, 3);
    return NULL;
}

/* While a program is compiled for one thread, others run what there is. */
static void test_compiling_stops_nobody(void **state)
{
    (void)state;
    enum { PATIENCE = 64, MEANWHILE = 5 };
    beam_error err = {0};
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    one_batch first = {.model = fake_compile(device, 16)}, second = first;
    nets_ok(beam_model_context_new(first.model, &first.context, &err), &err);
    nets_ok(beam_model_context_new(second.model, &second.context, &err), &err);
    for (int i = 0; i < PATIENCE; i++)
        run_rows(first.context, first.model, 3);
    fake->compile_after = PATIENCE + MEANWHILE;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_one, &first), 0);
    for (int i = 0; i < MEANWHILE; i++)
        run_rows(second.context, second.model, 16);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(programs_of(first.model), 2);
    beam_model_context_free(first.context);
    beam_model_context_free(second.context);
    beam_model_free(first.model);
    beam_device_close(device);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    beam_error err = {0};
    fake_env("PJRT_FAKE_MEMORY", "40000"); /* the weights take more */
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_network *net = nets_small();
    beam_model *model = NULL;
    assert_int_equal(beam_device_compile(device, net, NULL, &model, &err), BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "Out of memory"));
    beam_device_close(device);

    fake_env("PJRT_FAKE_MEMORY", "269500"); /* the weights and a batch, not its results too */
    device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.chip_bytes_limit, 269500);
    model = fake_compile(device, 16);
    beam_model_context *context = NULL;
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    float images[16 * 64] = {0};
    beam_tensor in = beam_model_input(model, 0, 16), out;
    in.data = images;
    beam_device_get_memory(device, &memory);
    assert_true(memory.chip_bytes_in_use > 260000);
    assert_int_equal(beam_model_run(context, &in, 1, &out, 1, &err), BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "batch of 16"));
    assert_non_null(strstr(err.message, "try batches of 8"));
    in = beam_model_input(model, 0, 1);
    in.data = images;
    nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
    beam_network_free(net);
}

static void test_slow(void **state)
{
    (void)state;
    beam_error err = {0};
    fake->delay_ms = 20;
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_model *model = fake_compile(device, 2);
    beam_model_context *context = NULL;
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    float images[2 * 64] = {4, 5};
    beam_tensor in = beam_model_input(model, 0, 2), out;
    in.data = images;
    nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    assert_true(((const float *)out.data)[1] == 5);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
}

/* A plugin that cannot tell what a module takes runs networks all the same. */
static void test_no_program(void **state)
{
    static const char text[] = "func.func public @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>) {";
    beam_error err;
    beam_model *model = NULL;
    fake_env("PJRT_FAKE_NO_PROGRAM", "1");
    beam_device *device = fake_open_other(*state);
    const char *path = test_path(*state, "model.mlir");
    test_write_file(path, text, strlen(text));
    assert_fails(beam_device_load(device, path, NULL, &model, &err), BEAM_UNIMPLEMENTED, err,
                 "does not tell what a module's main takes");
    beam_model_free(fake_compile(device, 2));
    beam_device_close(device);
}

static uint64_t working_bytes(const beam_device *device)
{
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    return memory.working_bytes;
}

/* What a module's programs and contexts hold counts, as that of a network's does. */
static void test_module_memory(void **state)
{
    static const char text[] =
        "func.func public @main(%x: tensor<4x16xf32>) -> (tensor<4x16xf32>) {";
    enum { BATCH_BYTES = 4 * 16 * sizeof(float) };
    const float rows[3 * 16] = {7};
    beam_error err = {0};
    beam_model *model = NULL;
    beam_model_context *contexts[2];
    const beam_load_options options = {.struct_size = sizeof options, .max_batch = 4};
    const char *path = test_path(*state, "model.mlir");
    test_write_file(path, text, strlen(text));
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    nets_ok(beam_device_load(device, path, &options, &model, &err), &err);
    const uint64_t program = working_bytes(device);
    assert_true(program > 0);
    for (int i = 0; i < 2; i++)
        nets_ok(beam_model_context_new(model, &contexts[i], &err), &err);
    assert_int_equal(working_bytes(device), program + 2 * BATCH_BYTES);
    beam_tensor in = beam_model_input(model, 0, 3), out;
    in.data = rows;
    nets_ok(beam_model_run(contexts[0], &in, 1, &out, 1, &err), &err); /* is padded */
    assert_int_equal(working_bytes(device), program + 3 * BATCH_BYTES);
    for (int i = 0; i < 2; i++)
        beam_model_context_free(contexts[i]);
    assert_int_equal(working_bytes(device), program);
    beam_model_free(model);
    assert_int_equal(working_bytes(device), 0);
    beam_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(test_devices),         FAKE_TEST(test_odd_batches),
        FAKE_TEST(test_sizes_asked_for), FAKE_TEST(test_compiling_stops_nobody),
        FAKE_TEST(test_out_of_memory),   FAKE_TEST(test_slow),
        FAKE_TEST(test_no_program),      FAKE_TEST(test_module_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
