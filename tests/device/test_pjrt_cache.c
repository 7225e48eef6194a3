/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_cache.c - compiled programs that are kept: found again, and only where they are right,
 * on a plugin that does as it is told (tests/support/pjrt_fake). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "device/fake.h"
#include "device/nets.h"
#include "device/pjrt_cache.h"
#include "support/files.h"

/* What is compiled once is found again, unless its file is damaged. */
static void test_cache(void **state)
{
    beam_error err = {0};
    const char *folder = test_path(*state, "programs");
    char path[4096];
    fake_env("BEAM_COMPILATION_CACHE_DIR", folder);
    (void)snprintf(path, sizeof path, "%s", folder);
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_model_free(fake_compile(device, 2));
    assert_int_equal(test_count_files(path), 1);
    fake_env("PJRT_FAKE_FAIL", "PJRT_Client_Compile");
    beam_model_free(fake_compile(device, 2));
    char damage[4200];
    (void)snprintf(damage, sizeof damage, "for f in %s/*; do printf x >>$f; done", path);
    assert_int_equal(system(damage), 0);
    beam_model *model = NULL;
    beam_network *net = nets_small();
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = 2};
    assert_int_equal(beam_device_compile(device, net, &options, &model, &err), BEAM_INTERNAL);
    fake_env("PJRT_FAKE_FAIL", "PJRT_Executable_Serialize"); /* not kept, and that is all */
    beam_model_free(fake_compile(device, 2));
    fake_env("PJRT_FAKE_FAIL", NULL);
    beam_model_free(fake_compile(device, 2)); /* written anew */
    fake_env("PJRT_FAKE_FAIL", "PJRT_Client_Compile");
    beam_model_free(fake_compile(device, 2));
    fake_env("BEAM_COMPILATION_CACHE_DIR", NULL);
    beam_network_free(net);
    beam_device_close(device);
}

/* What one build of a plugin compiled is nothing to another: they may call themselves alike. */
static void test_cache_of_other_plugin(void **state)
{
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s", test_path(*state, "programs"));
    fake_env("BEAM_COMPILATION_CACHE_DIR", folder);
    beam_model_free(fake_compile(device, 2));
    beam_device_close(device);
    device = fake_open_other(*state);
    beam_model_free(fake_compile(device, 2));
    assert_int_equal(test_count_files(folder), 2);
    beam_device_close(device);
}

/* Compiles and runs on two chips; tells how many programs the folder then has. */
static size_t kept_for_two_chips(const char *folder)
{
    beam_error err = {0};
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_model *model = fake_compile(device, 1);
    const float image[64] = {0};
    for (int i = 0; i < 2; i++) {
        beam_model_context *context = NULL;
        nets_ok(beam_model_context_new(model, &context, &err), &err);
        beam_tensor in = beam_model_input(model, 0, 1), out;
        in.data = image;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        beam_model_context_free(context);
    }
    beam_model_free(model);
    beam_device_close(device);
    return test_count_files(folder);
}

/* The second chip of this machine may be of another kind than that of the next. */
static void test_cache_of_unlike_chips(void **state)
{
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s", test_path(*state, "programs"));
    fake_env("BEAM_COMPILATION_CACHE_DIR", folder);
    fake_env("PJRT_FAKE_DEVICES", "2");
    assert_int_equal(kept_for_two_chips(folder), 2);
    assert_int_equal(kept_for_two_chips(folder), 2);
    fake_env("PJRT_FAKE_KIND", "Another accelerator");
    assert_int_equal(kept_for_two_chips(folder), 3);
}

#define PROCESSOR(flags, mhz)                                                     \
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n" \
    "model name\t: A CPU\ncpu MHz\t\t: " mhz "\nflags\t\t: fpu sse2 avx2" flags "\n\n"

static uint64_t processor(const char *cpuinfo)
{
    return beam_pjrt_processor(cpuinfo, strlen(cpuinfo));
}

static void test_processors(void **state)
{
    (void)state;
    uint64_t plain = processor(PROCESSOR("", "2000.1")),
             wide = processor(PROCESSOR(" avx512f", "2000.1")),
             arm = processor("processor\t: 0\nBogoMIPS\t: 50\nFeatures\t: fp asimd\n"),
             sve = processor("processor\t: 0\nFeatures\t: fp asimd sve\n");
    assert_true(plain && wide && arm && sve);
    assert_true(plain != wide && arm != sve);
    assert_true(processor(PROCESSOR("", "3100.7") PROCESSOR(" avx512f", "1")) == plain);
    assert_true(processor("processor\t: 0\n") == 0);
    assert_true(processor("") == 0);
}

static void compiles_on(const char *name, const char *cpuinfo)
{
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, name);
    beam_pjrt_cpuinfo = cpuinfo;
    beam_model_free(fake_compile(device, 2));
    beam_pjrt_cpuinfo = "/proc/cpuinfo";
    beam_device_close(device);
}

/* Machines that share a folder may have unlike processors, and what is compiled for one of them
 * stops another.  Accelerators' programs are alike on both. */
static void test_cache_of_unlike_processors(void **state)
{
    char folder[4096], files[2][4096];
    (void)snprintf(folder, sizeof folder, "%s", test_path(*state, "programs"));
    for (int i = 0; i < 2; i++) {
        const char *text = i ? PROCESSOR(" avx512f", "1") : PROCESSOR("", "1");
        (void)snprintf(files[i], sizeof files[i], "%s", test_path(*state, i ? "wide" : "plain"));
        test_write_file(files[i], text, strlen(text));
    }
    fake_env("BEAM_COMPILATION_CACHE_DIR", folder);
    compiles_on("tpu", files[0]);
    compiles_on("tpu", files[1]);
    assert_int_equal(test_count_files(folder), 1);
    fake_env("PJRT_FAKE_PLATFORM", "cpu");
    compiles_on("pjrt-cpu", files[0]);
    compiles_on("pjrt-cpu", files[0]);
    assert_int_equal(test_count_files(folder), 2);
    compiles_on("pjrt-cpu", files[1]);
    assert_int_equal(test_count_files(folder), 3);
    compiles_on("pjrt-cpu", "/nowhere");
    assert_int_equal(test_count_files(folder), 3);
}

/* Programs that are asked for at once, by processes that know nothing of each other: each gets one,
 * and one whole file stays. */
static void test_cache_of_many(void **state)
{
    enum { PROCESSES = 4 };
    const char *folder = test_path(*state, "programs");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", folder);
    fake_env("BEAM_COMPILATION_CACHE_DIR", path);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            char locks[64]; /* each thinks that the accelerator is its own */
            (void)snprintf(locks, sizeof locks, "%d", i);
            fake_env("BEAM_LOCK_DIR", test_path(*state, locks));
            assert_int_equal(mkdir(getenv("BEAM_LOCK_DIR"), 0700), 0);
            beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
            for (int n = 0; n < 20; n++)
                beam_model_free(fake_compile(device, 1 + n % 2));
            beam_device_close(device);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(test_count_files(path), 2);
    fake_env("PJRT_FAKE_FAIL", "PJRT_Client_Compile");
    beam_device *device = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_model_free(fake_compile(device, 1));
    beam_model_free(fake_compile(device, 2));
    beam_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(test_cache),
        FAKE_TEST(test_cache_of_other_plugin),
        FAKE_TEST(test_cache_of_unlike_chips),
        FAKE_TEST(test_processors),
        FAKE_TEST(test_cache_of_unlike_processors),
        FAKE_TEST(test_cache_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
