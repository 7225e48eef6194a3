/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_faults.c - accelerators that are absent, taken, small, slow or broken: the library
 * against a plugin of its own that does as it is told (tests/support/pjrt_fake). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/pjrt_find.h"
#include "device/pjrt_lease.h"
#include "device/pjrt_plugin.h"
#include "support/files.h"
#include "support/pjrt_fake/pjrt_fake.h"

#define FAKE BEAM_BUILD_DIR "/tests/libpjrt_fake.so"

static pjrt_fake_control *fake;

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

/* Each test begins with a plugin that works, and a folder of its own for locks. */
static int set_up(void **state)
{
    static const char *const unset[] = {"PJRT_FAKE_PLATFORM", "PJRT_FAKE_DEVICES",
                                        "PJRT_FAKE_MEMORY",   "PJRT_FAKE_MINOR",
                                        "PJRT_FAKE_FAIL",     "PJRT_NAMES_AND_LIBRARY_PATHS",
                                        "PJRT_DEVICE",        "TPU_LIBRARY_PATH",
                                        "VIRTUAL_ENV",        "BEAM_ACCELERATOR_BACKEND",
                                        "BEAM_PJRT_OPTIONS",  "BEAM_COMPILATION_CACHE_DIR"};
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++)
        set(unset[i], NULL);
    void *library = dlopen(FAKE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    fake = dlsym(library, PJRT_FAKE_SYMBOL);
    assert_non_null(fake);
    *fake = (pjrt_fake_control){.code = 13};
    *state = test_folder();
    set("BEAM_LOCK_DIR", *state);
    set("BEAM_CACHE", *state);
    return 0;
}

static int tear_down(void **state)
{
    test_remove_folder(*state);
    return fake->live == 0 ? 0 : -1;
}

static beam_status try_open(const char *name, beam_device **device, beam_error *err)
{
    *err = (beam_error){0};
    return beam_device_open(name, NULL, device, err);
}

static void open_fails(const char *name, beam_status status, const char *words)
{
    beam_device *device = NULL;
    beam_error err;
    beam_status got = try_open(name, &device, &err);
    if (got != status || !strstr(err.message, words))
        fail_msg("%s: %s \"%s\"; wanted ...%s...", name, beam_status_name(got), err.message, words);
    assert_null(device);
}

static beam_device *open_kind(const char *name, const char *kind)
{
    beam_device *device = NULL;
    beam_error err;
    beam_device_info info;
    nets_ok(try_open(name, &device, &err), &err);
    beam_device_get_info(device, &info);
    assert_string_equal(info.kind, kind);
    return device;
}

/* ---- plugins ---- */

static void test_bad_plugins(void **state)
{
    char name[4096];
    const char *text = test_path(*state, "text.so");
    test_write_file(text, "not a library", 13);
    (void)snprintf(name, sizeof name, "pjrt:%s", text);
    open_fails(name, BEAM_UNAVAILABLE, "does not load");
    (void)snprintf(name, sizeof name, "pjrt:%s/absent.so", (char *)*state);
    open_fails(name, BEAM_UNAVAILABLE, "no such file");
    Dl_info libc;
    void *symbol = dlsym(RTLD_DEFAULT, "printf");
    assert_true(symbol && dladdr(symbol, &libc));
    void *zlib = dlsym(RTLD_DEFAULT, "crc32");
    if (zlib && dladdr(zlib, &libc) && strstr(libc.dli_fname, ".so")) {
        (void)snprintf(name, sizeof name, "pjrt:%s", libc.dli_fname);
        open_fails(name, BEAM_UNAVAILABLE, "is no PJRT plugin");
    }
    set("PJRT_FAKE_MINOR", "12");
    open_fails("pjrt:" FAKE, BEAM_UNAVAILABLE, "has PJRT API 0.12, without PJRT_Compile");
    set("PJRT_FAKE_MINOR", "200"); /* newer ones only add */
    beam_device_close(open_kind("pjrt:" FAKE, "tpu"));
}

static void test_driver(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int major;
    } cases[] = {
        {"NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
         "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
         550},
        {"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n",
         580},
        {"NVRM version: none", 0},
        {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(beam_nvidia_driver_major(cases[i].text), cases[i].major);
}

/* A plugin that pip put into a virtual environment is found while that is active. */
static void test_virtual_environment(void **state)
{
    static const char *const folders[] = {"lib", "lib/python3.12", "lib/python3.12/site-packages",
                                          "lib/python3.12/site-packages/libtpu"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(test_path(*state, folders[i]), 0700), 0);
    const char *plugin = test_path(*state, "lib/python3.12/site-packages/libtpu/libtpu.so");
    test_write_file(plugin, "", 0);
    beam_buffer places = {0};
    char *path = beam_pjrt_find(BEAM_PJRT_TPU, &places);
    assert_true(!path || strcmp(path, plugin) != 0);
    assert_null(memchr(places.data, '@', places.len));
    beam_buffer_free(&places);
    beam_free(path);
    set("VIRTUAL_ENV", *state);
    path = beam_pjrt_find(BEAM_PJRT_TPU, NULL);
    assert_non_null(path);
    assert_string_equal(path, plugin);
    beam_free(path);
}

static void test_no_device(void **state)
{
    (void)state;
    set("PJRT_FAKE_DEVICES", "0");
    open_fails("pjrt:" FAKE, BEAM_UNAVAILABLE, "has no device here");
    set("PJRT_FAKE_DEVICES", NULL);
    set("PJRT_FAKE_FAIL", "PJRT_Client_Create");
    fake->code = 9;
    open_fails("pjrt:" FAKE, BEAM_FAILED_PRECONDITION, "PJRT_Client_Create fails as told");
    set("PJRT_FAKE_FAIL", NULL);
    set("BEAM_PJRT_OPTIONS", "nonsense");
    open_fails("pjrt:" FAKE, BEAM_INVALID_ARGUMENT, "NAME=VALUE");
    set("BEAM_PJRT_OPTIONS", "memory_fraction=0.5;preallocate=false;devices=3;kind=x");
    beam_device_close(open_kind("pjrt:" FAKE, "tpu"));
}

/* ---- policy ---- */

/* TPU, else GPU, else CPU. */
static void test_chain(void **state)
{
    (void)state;
    set("PJRT_NAMES_AND_LIBRARY_PATHS", "other:/nowhere.so,tpu:" FAKE ",cuda:" FAKE);
    set("PJRT_DEVICE", "TPU");
    beam_device_close(open_kind("auto", "tpu"));
    beam_device_close(open_kind("tpu", "tpu"));
    set("PJRT_FAKE_PLATFORM", "cuda");
    set("PJRT_DEVICE", NULL);
    beam_device_close(open_kind("auto", "gpu"));
    set("PJRT_DEVICE", "TPU");
    set("PJRT_NAMES_AND_LIBRARY_PATHS", "tpu:/nowhere.so,gpu:" FAKE);
    beam_device_close(open_kind("auto", "gpu"));
    set("PJRT_FAKE_FAIL", "PJRT_Client_Create");
    beam_device *device = open_kind("auto", "cpu");
    beam_device_info info;
    beam_device_get_info(device, &info);
    assert_true(info.fell_back);
    beam_device_close(device);
    open_fails("gpu", BEAM_INTERNAL, "fails as told");
    set("PJRT_FAKE_FAIL", NULL);
    set("BEAM_ACCELERATOR_BACKEND", "cpu");
    beam_device_close(open_kind("auto", "cpu"));
    set("BEAM_ACCELERATOR_BACKEND", "pjrt:" FAKE);
    beam_device_close(open_kind("auto", "gpu"));
}

static void test_lease(void **state)
{
    int lease = -1;
    char words[64];
    beam_error err = {0};
    nets_ok(beam_pjrt_lease_take("tpu", &lease, &err), &err);
    (void)snprintf(words, sizeof words, "in use by process %ld", (long)getpid());
    open_fails("pjrt:" FAKE, BEAM_UNAVAILABLE, words);
    set("PJRT_FAKE_PLATFORM", "cpu"); /* is everybody's */
    beam_device_close(open_kind("pjrt:" FAKE, "pjrt-cpu"));
    set("PJRT_FAKE_PLATFORM", NULL);
    beam_pjrt_lease_end(lease);
    beam_device *first = open_kind("pjrt:" FAKE, "tpu");
    beam_device_close(open_kind("pjrt:" FAKE, "tpu")); /* the same process shares it */
    assert_int_equal(beam_pjrt_lease_take("tpu", &lease, &err), BEAM_UNAVAILABLE);
    beam_device_close(first);
    nets_ok(beam_pjrt_lease_take("tpu", &lease, &err), &err);
    beam_pjrt_lease_end(lease);
    (void)state;
}

/* A lease ends when its holder says so, whatever processes were forked while it lasted. */
static void test_lease_of_children(void **state)
{
    (void)state;
    int lease = -1, ends[2];
    beam_error err = {0};
    assert_int_equal(pipe(ends), 0);
    nets_ok(beam_pjrt_lease_take("tpu", &lease, &err), &err);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* stays until the parent is done */
        char byte;
        (void)close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    beam_pjrt_lease_end(lease);
    beam_status status = beam_pjrt_lease_take("tpu", &lease, &err);
    (void)close(ends[0]);
    (void)close(ends[1]);
    int ended = -1;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    nets_ok(status, &err);
    beam_pjrt_lease_end(lease);
}

/* Where everybody may write, a lock's name may have been made a link to a file of the user's. */
static void test_lease_is_no_link(void **state)
{
    int lease = -1;
    size_t size = 0;
    beam_error err = {0};
    const char *mine = test_path(*state, "mine"), *link = test_path(*state, "libbeam-tpu.lock");
    test_write_file(mine, "precious", 8);
    assert_int_equal(symlink(mine, link), 0);
    assert_fails(beam_pjrt_lease_take("tpu", &lease, &err), BEAM_UNKNOWN, err,
                 "cannot open its lock file");
    char *kept = test_read_file(mine, &size);
    assert_string_equal(kept, "precious");
    free(kept);
}

/* ---- running ---- */

static beam_model *compile(beam_device *device, int64_t max_batch)
{
    beam_error err = {0};
    beam_model *model = NULL;
    beam_network *net = nets_small();
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = max_batch};
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    beam_network_free(net);
    return model;
}

/* Slots, weights and contexts go round the chips. */
static void test_devices(void **state)
{
    (void)state;
    beam_error err = {0};
    set("PJRT_FAKE_DEVICES", "3");
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_device_info info;
    beam_device_get_info(device, &info);
    assert_int_equal(info.slots, 3);
    beam_model *model = compile(device, 2);
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
    nets_ok(beam_device_open("pjrt:" FAKE, &options, &device, &err), &err);
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
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_model *model = compile(device, 16);
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
        set("PJRT_FAKE_PLATFORM", cpu ? "cpu" : NULL);
        beam_device *device = open_kind("pjrt:" FAKE, cpu ? "pjrt-cpu" : "tpu");
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
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    one_batch first = {.model = compile(device, 16)}, second = first;
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
    set("PJRT_FAKE_MEMORY", "40000"); /* the weights take more */
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_network *net = nets_small();
    beam_model *model = NULL;
    assert_int_equal(beam_device_compile(device, net, NULL, &model, &err), BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "Out of memory"));
    beam_device_close(device);

    set("PJRT_FAKE_MEMORY", "269500"); /* the weights and a batch, not its results too */
    device = open_kind("pjrt:" FAKE, "tpu");
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.chip_bytes_limit, 269500);
    model = compile(device, 16);
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
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_model *model = compile(device, 2);
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

/* What is compiled once is found again, unless its file is damaged. */
static void test_cache(void **state)
{
    beam_error err = {0};
    const char *folder = test_path(*state, "programs");
    char path[4096];
    set("BEAM_COMPILATION_CACHE_DIR", folder);
    (void)snprintf(path, sizeof path, "%s", folder);
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_model_free(compile(device, 2));
    assert_int_equal(test_count_files(path), 1);
    set("PJRT_FAKE_FAIL", "PJRT_Client_Compile");
    beam_model_free(compile(device, 2));
    char damage[4200];
    (void)snprintf(damage, sizeof damage, "for f in %s/*; do printf x >>$f; done", path);
    assert_int_equal(system(damage), 0);
    beam_model *model = NULL;
    beam_network *net = nets_small();
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = 2};
    assert_int_equal(beam_device_compile(device, net, &options, &model, &err), BEAM_INTERNAL);
    set("PJRT_FAKE_FAIL", "PJRT_Executable_Serialize"); /* not kept, and that is all */
    beam_model_free(compile(device, 2));
    set("PJRT_FAKE_FAIL", NULL);
    beam_model_free(compile(device, 2)); /* written anew */
    set("PJRT_FAKE_FAIL", "PJRT_Client_Compile");
    beam_model_free(compile(device, 2));
    set("BEAM_COMPILATION_CACHE_DIR", NULL);
    beam_network_free(net);
    beam_device_close(device);
}

/* A device of another build of the plugin, which lies elsewhere. */
static beam_device *open_other(const char *folder)
{
    size_t size;
    char name[4096], *build = test_read_file(FAKE, &size);
    (void)snprintf(name, sizeof name, "pjrt:%s", test_path(folder, "other.so"));
    build[size] = 'x'; /* where test_read_file has put a NUL: behind all that is loaded */
    test_write_file(name + strlen("pjrt:"), build, size + 1);
    free(build);
    return open_kind(name, "tpu");
}

/* What one build of a plugin compiled is nothing to another: they may call themselves alike. */
static void test_cache_of_other_plugin(void **state)
{
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s", test_path(*state, "programs"));
    set("BEAM_COMPILATION_CACHE_DIR", folder);
    beam_model_free(compile(device, 2));
    beam_device_close(device);
    device = open_other(*state);
    beam_model_free(compile(device, 2));
    assert_int_equal(test_count_files(folder), 2);
    beam_device_close(device);
}

/* Compiles and runs on two chips; tells how many programs the folder then has. */
static size_t kept_for_two_chips(const char *folder)
{
    beam_error err = {0};
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_model *model = compile(device, 1);
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
    set("BEAM_COMPILATION_CACHE_DIR", folder);
    set("PJRT_FAKE_DEVICES", "2");
    assert_int_equal(kept_for_two_chips(folder), 2);
    assert_int_equal(kept_for_two_chips(folder), 2);
    set("PJRT_FAKE_KIND", "Another accelerator");
    assert_int_equal(kept_for_two_chips(folder), 3);
    set("PJRT_FAKE_KIND", NULL);
}

/* Programs that are asked for at once, by processes that know nothing of each other: each gets one,
 * and one whole file stays. */
static void test_cache_of_many(void **state)
{
    enum { PROCESSES = 4 };
    const char *folder = test_path(*state, "programs");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", folder);
    set("BEAM_COMPILATION_CACHE_DIR", path);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            char locks[64]; /* each thinks that the accelerator is its own */
            (void)snprintf(locks, sizeof locks, "%d", i);
            set("BEAM_LOCK_DIR", test_path(*state, locks));
            assert_int_equal(mkdir(getenv("BEAM_LOCK_DIR"), 0700), 0);
            beam_device *device = open_kind("pjrt:" FAKE, "tpu");
            for (int n = 0; n < 20; n++)
                beam_model_free(compile(device, 1 + n % 2));
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
    set("PJRT_FAKE_FAIL", "PJRT_Client_Compile");
    beam_device *device = open_kind("pjrt:" FAKE, "tpu");
    beam_model_free(compile(device, 1));
    beam_model_free(compile(device, 2));
    beam_device_close(device);
}

static beam_status whole_life(const beam_network *net, const float *images, beam_error *err)
{
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = 12};
    beam_status status = beam_device_open("pjrt:" FAKE, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_compile(device, net, &options, &model, err);
    if (status == BEAM_OK)
        status = beam_model_context_new(model, &context, err);
    for (int64_t n = 12; status == BEAM_OK && n >= 2; n -= 5) {
        beam_tensor in = beam_model_input(model, 0, n), out;
        in.data = images;
        status = beam_model_run(context, &in, 1, &out, 1, err);
    }
    beam_model_context_free(context);
    beam_model_free(model);
    nets_close(device);
    return status;
}

/* Each of the plugin's calls in turn, alone and with all after it (a device that is lost). */
static void test_every_call_fails_once(void **state)
{
    (void)state;
    beam_network *net = nets_small();
    float images[12 * 64] = {0};
    int failed = 0;
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t n = 1;; n++) {
            beam_error err = {0};
            *fake = (pjrt_fake_control){.fail_at = n, .sticky = sticky, .code = 14};
            beam_status status = whole_life(net, images, &err);
            assert_int_equal(fake->live, 0);
            if (fake->calls < n) {
                assert_int_equal(status, BEAM_OK);
                break;
            }
            if (status != BEAM_OK) { /* some only ask for what is nice to know */
                assert_int_equal(status, BEAM_UNAVAILABLE);
                assert_non_null(strstr(err.message, "fails as told"));
                failed++;
            }
        }
    }
    assert_true(failed > 40);
    beam_network_free(net);
}

/* The same with the folder of kept programs, empty and filled: a program that cannot be kept, or
 * found again, is compiled. */
static void test_cache_fails_everywhere(void **state)
{
    beam_network *net = nets_small();
    float images[12 * 64] = {0};
    char path[4096], empty[4200];
    (void)snprintf(path, sizeof path, "%s", test_path(*state, "programs"));
    (void)snprintf(empty, sizeof empty, "rm -rf %s", path);
    set("BEAM_COMPILATION_CACHE_DIR", path);
    for (int filled = 0; filled < 2; filled++) {
        for (uint64_t n = 1;; n++) {
            beam_error err = {0};
            assert_int_equal(filled ? 0 : system(empty), 0);
            *fake = (pjrt_fake_control){.fail_at = n, .code = 14};
            beam_status status = whole_life(net, images, &err);
            assert_int_equal(fake->live, 0);
            assert_true(status == BEAM_OK || status == BEAM_UNAVAILABLE);
            if (fake->calls < n)
                break;
        }
    }
    beam_network_free(net);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    beam_network *net = nets_small();
    float images[12 * 64] = {0};
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = whole_life(net, images, &err);
        bool all_made = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, all_made ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED);
        assert_int_equal(fake->live, 0);
        if (all_made)
            break;
    }
    beam_network_free(net);
}

/* A plugin that cannot tell what a module takes runs networks all the same. */
static void test_no_program(void **state)
{
    static const char text[] = "func.func public @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>) {";
    beam_error err;
    beam_model *model = NULL;
    set("PJRT_FAKE_NO_PROGRAM", "1");
    beam_device *device = open_other(*state);
    const char *path = test_path(*state, "model.mlir");
    test_write_file(path, text, strlen(text));
    assert_fails(beam_device_load(device, path, NULL, &model, &err), BEAM_UNIMPLEMENTED, err,
                 "does not tell what a module's main takes");
    beam_model_free(compile(device, 2));
    beam_device_close(device);
    set("PJRT_FAKE_NO_PROGRAM", NULL);
}

/* ---- training ---- */

static char step_path[] = "/tmp/beam_stepXXXXXX.mlir";

static beam_status train(const beam_network *net, uint32_t replicas, const float *images,
                         beam_error *err)
{
    const uint32_t labels[4] = {0, 1, 2, 3};
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = 4,
                                           .num_replicas = replicas,
                                           .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};
    beam_device *device = NULL;
    beam_training *training = NULL;
    float weights[32 * 9];
    beam_tensor image = beam_network_input(net, 0, 4);
    image.data = images;
    beam_status status = beam_device_open("pjrt:" FAKE, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_train(device, net, &options, &training, err);
    for (int s = 0; training && s < 3; s++) { /* on, whatever came of the one before */
        beam_step_result result;
        beam_status stepped = beam_training_step(training, &image, 1, labels, 0.1f, &result, err);
        status = status == BEAM_OK ? stepped : status;
    }
    if (status == BEAM_OK)
        status = beam_training_read(training, "conv1.weight", weights, err);
    if (status == BEAM_OK)
        status = beam_training_write(training, "conv1.weight", weights, err);
    beam_training_free(training);
    nets_close(device);
    return status;
}

/* One whole training of `replicas` chips, or 0: one whose step was made elsewhere. */
typedef beam_status life(const beam_network *net, uint32_t replicas, const float *images,
                         beam_error *err);

static void fails_everywhere(life *whole, uint32_t replicas)
{
    beam_network *net = nets_small();
    const float images[4 * 64] = {0};
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        *fake = (pjrt_fake_control){.fail_at = n, .sticky = n % 2, .code = 14};
        beam_status status = whole(net, replicas, images, &err);
        assert_int_equal(fake->live, 0);
        assert_true(status == BEAM_OK || status == BEAM_UNAVAILABLE);
        if (fake->calls < n)
            break;
    }
    *fake = (pjrt_fake_control){.code = 13};
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = whole(net, replicas, images, &err);
        bool all_made = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, all_made ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED);
        assert_int_equal(fake->live, 0);
        if (all_made)
            break;
    }
    beam_network_free(net);
}

static void test_training_fails_everywhere(void **state)
{
    (void)state;
    fails_everywhere(train, 1);
}

/* The same of a step made elsewhere, which the device has in a file. */
static beam_status train_module(const beam_network *net, uint32_t replicas, const float *images,
                                beam_error *err)
{
    (void)net;
    (void)replicas;
    const uint32_t labels[4] = {0, 1, 2, 3};
    const beam_tensor input = {BEAM_F32, 2, {4, 3}, images};
    const beam_named_tensor states[] = {{"w", {BEAM_F32, 1, {2}, images}},
                                        {"count", {BEAM_I32, 0, {0}, images}}};
    const beam_step_module module = {.struct_size = sizeof module,
                                     .path = step_path,
                                     .images = {BEAM_F32, 2, {4, 3}, NULL},
                                     .num_classes = 10,
                                     .states = states,
                                     .num_states = 2,
                                     .arguments = "w\ncount\nimages\nlabels\nlearning_rate\nstep",
                                     .results = "loss\nw\ncount\ncorrect"};
    beam_device *device = NULL;
    beam_training *training = NULL;
    float w[2];
    beam_status status = beam_device_open("pjrt:" FAKE, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_train_module(device, &module, &training, err);
    for (int s = 0; training && s < 3; s++) { /* on, whatever came of the one before */
        beam_step_result result;
        beam_status stepped = beam_training_step(training, &input, 1, labels, 0.1f, &result, err);
        status = status == BEAM_OK ? stepped : status;
    }
    if (status == BEAM_OK)
        status = beam_training_read(training, "w", w, err);
    if (status == BEAM_OK)
        status = beam_training_write(training, "w", w, err);
    beam_training_free(training);
    nets_close(device);
    return status;
}

static void test_module_training_fails_everywhere(void **state)
{
    (void)state;
    static const char text[] =
        "func.func public @main(%w: tensor<2xf32>, %n: tensor<i32>, %x: tensor<4x3xf32>, "
        "%y: tensor<4xi32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<f32>, "
        "tensor<2xf32>, tensor<i32>, tensor<i32>) {\n}\n";
    int fd = mkstemps(step_path, 5);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    fails_everywhere(train_module, 0);
    assert_int_equal(unlink(step_path), 0);
}

static void test_replicas_fail_everywhere(void **state)
{
    (void)state;
    set("PJRT_FAKE_DEVICES", "3");
    fails_everywhere(train, 2);
}

static void training_refused(uint32_t replicas, const char *words)
{
    beam_error err = {0};
    beam_network *net = nets_small();
    const float images[4 * 64] = {0};
    assert_int_equal(train(net, replicas, images, &err), BEAM_INVALID_ARGUMENT);
    if (!strstr(err.message, words))
        fail_msg("\"%s\"; wanted ...%s...", err.message, words);
    beam_network_free(net);
}

/* Every replica's execution is part of one call, and has its own chip's results. */
static void test_replicas(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = nets_small();
    const float images[4 * 64] = {0};
    training_refused(2, "num_replicas is 2, but device tpu has 1 chip (");
    set("PJRT_FAKE_DEVICES", "4");
    training_refused(3, "batch_size is 4, which 3 replicas cannot share evenly");
    training_refused(5, "device tpu has 4 chips");
    nets_ok(train(net, 4, images, &err), &err);
    assert_int_equal(fake->executions, 3);
    beam_network_free(net);
}

static void *train_on_two(void *net)
{
    const float images[4 * 64] = {0};
    beam_error err = {0};
    return train(net, 2, images, &err) == BEAM_OK ? net : NULL;
}

/* Trainings of two chips each, some of them the same: never do both begin a step at once. */
static void test_replicas_of_several(void **state)
{
    (void)state;
    enum { TRAININGS = 3 };
    pthread_t threads[TRAININGS];
    beam_network *net = nets_small();
    set("PJRT_FAKE_DEVICES", "4");
    fake->launch_ms = 5;
    for (int i = 0; i < TRAININGS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, train_on_two, net), 0);
    for (int i = 0; i < TRAININGS; i++) {
        void *trained = NULL;
        assert_int_equal(pthread_join(threads[i], &trained), 0);
        assert_ptr_equal(trained, net);
    }
    assert_int_equal(fake->executions, 3 * TRAININGS);
    assert_false(fake->overlapped);
    beam_network_free(net);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_bad_plugins),
        TEST(test_driver),
        TEST(test_virtual_environment),
        TEST(test_no_device),
        TEST(test_chain),
        TEST(test_lease),
        TEST(test_lease_of_children),
        TEST(test_lease_is_no_link),
        TEST(test_devices),
        TEST(test_odd_batches),
        TEST(test_sizes_asked_for),
        TEST(test_compiling_stops_nobody),
        TEST(test_out_of_memory),
        TEST(test_slow),
        TEST(test_cache),
        TEST(test_cache_of_other_plugin),
        TEST(test_cache_of_unlike_chips),
        TEST(test_cache_of_many),
        TEST(test_cache_fails_everywhere),
        TEST(test_every_call_fails_once),
        TEST(test_every_allocation_fails_once),
        TEST(test_no_program),
        TEST(test_training_fails_everywhere),
        TEST(test_module_training_fails_everywhere),
        TEST(test_replicas_fail_everywhere),
        TEST(test_replicas),
        TEST(test_replicas_of_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
