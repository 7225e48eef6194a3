/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_policy.c - which plugin is taken, and by whom: accelerators that are absent, broken or
 * taken, on a plugin that does as it is told (tests/support/pjrt_fake). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/fake.h"
#include "device/nets.h"
#include "device/pjrt_find.h"
#include "device/pjrt_lease.h"
#include "support/files.h"

/* ---- plugins ---- */

static void test_bad_plugins(void **state)
{
    char name[4096];
    const char *text = test_path(*state, "text.so");
    test_write_file(text, "not a library", 13);
    (void)snprintf(name, sizeof name, "pjrt:%s", text);
    fake_fails(name, BEAM_UNAVAILABLE, "does not load");
    (void)snprintf(name, sizeof name, "pjrt:%s/absent.so", (char *)*state);
    fake_fails(name, BEAM_UNAVAILABLE, "no such file");
    Dl_info libc;
    void *symbol = dlsym(RTLD_DEFAULT, "printf");
    assert_true(symbol && dladdr(symbol, &libc));
    void *zlib = dlsym(RTLD_DEFAULT, "crc32");
    if (zlib && dladdr(zlib, &libc) && strstr(libc.dli_fname, ".so")) {
        (void)snprintf(name, sizeof name, "pjrt:%s", libc.dli_fname);
        fake_fails(name, BEAM_UNAVAILABLE, "is no PJRT plugin");
    }
    fake_env("PJRT_FAKE_MINOR", "12");
    fake_fails("pjrt:" FAKE_PLUGIN, BEAM_UNAVAILABLE, "has PJRT API 0.12, without PJRT_Compile");
    fake_env("PJRT_FAKE_MINOR", "200"); /* newer ones only add */
    beam_device_close(fake_open("pjrt:" FAKE_PLUGIN, "tpu"));
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
    fake_env("VIRTUAL_ENV", *state);
    path = beam_pjrt_find(BEAM_PJRT_TPU, NULL);
    assert_non_null(path);
    assert_string_equal(path, plugin);
    beam_free(path);
}

static void test_no_device(void **state)
{
    (void)state;
    fake_env("PJRT_FAKE_DEVICES", "0");
    fake_fails("pjrt:" FAKE_PLUGIN, BEAM_UNAVAILABLE, "has no device here");
    fake_env("PJRT_FAKE_DEVICES", NULL);
    fake_env("PJRT_FAKE_FAIL", "PJRT_Client_Create");
    fake->code = 9;
    fake_fails("pjrt:" FAKE_PLUGIN, BEAM_FAILED_PRECONDITION, "PJRT_Client_Create fails as told");
    fake_env("PJRT_FAKE_FAIL", NULL);
    fake_env("BEAM_PJRT_OPTIONS", "nonsense");
    fake_fails("pjrt:" FAKE_PLUGIN, BEAM_INVALID_ARGUMENT, "NAME=VALUE");
    fake_env("BEAM_PJRT_OPTIONS", "memory_fraction=0.5;preallocate=false;devices=3;kind=x");
    beam_device_close(fake_open("pjrt:" FAKE_PLUGIN, "tpu"));
}

/* ---- policy ---- */

/* TPU, else GPU, else CPU. */
static void test_chain(void **state)
{
    (void)state;
    fake_env("PJRT_NAMES_AND_LIBRARY_PATHS",
             "other:/nowhere.so,tpu:" FAKE_PLUGIN ",cuda:" FAKE_PLUGIN);
    fake_env("PJRT_DEVICE", "TPU");
    beam_device_close(fake_open("auto", "tpu"));
    beam_device_close(fake_open("tpu", "tpu"));
    fake_env("PJRT_FAKE_PLATFORM", "cuda");
    fake_env("PJRT_DEVICE", NULL);
    beam_device_close(fake_open("auto", "gpu"));
    fake_env("PJRT_DEVICE", "TPU");
    fake_env("PJRT_NAMES_AND_LIBRARY_PATHS", "tpu:/nowhere.so,gpu:" FAKE_PLUGIN);
    beam_device_close(fake_open("auto", "gpu"));
    fake_env("PJRT_FAKE_FAIL", "PJRT_Client_Create");
    beam_device *device = fake_open("auto", "cpu");
    beam_device_info info;
    beam_device_get_info(device, &info);
    assert_true(info.fell_back);
    beam_device_close(device);
    fake_fails("gpu", BEAM_INTERNAL, "fails as told");
    fake_env("PJRT_FAKE_FAIL", NULL);
    fake_env("BEAM_ACCELERATOR_BACKEND", "cpu");
    beam_device_close(fake_open("auto", "cpu"));
    fake_env("BEAM_ACCELERATOR_BACKEND", "pjrt:" FAKE_PLUGIN);
    beam_device_close(fake_open("auto", "gpu"));
}

/* A plugin is what it says it is, whatever the environment calls it. */
static void test_other_platform(void **state)
{
    (void)state;
    fake_env("PJRT_NAMES_AND_LIBRARY_PATHS", "tpu:" FAKE_PLUGIN ",cuda:" FAKE_PLUGIN);
    fake_fails("gpu", BEAM_FAILED_PRECONDITION, "its platform is tpu, not gpu; pjrt:");
    fake_env("PJRT_FAKE_PLATFORM", "cpu");
    fake_fails("gpu", BEAM_FAILED_PRECONDITION, "its platform is cpu, not gpu; pjrt:");
    fake_fails("tpu", BEAM_FAILED_PRECONDITION, "its platform is cpu, not tpu; pjrt:");
    beam_device *open = fake_open("pjrt:" FAKE_PLUGIN, "pjrt-cpu");
    fake_fails("gpu", BEAM_FAILED_PRECONDITION, "its platform is cpu, not gpu; pjrt:");
    beam_device_close(fake_open("auto", "cpu"));
    beam_device_close(open);
    fake_env("PJRT_FAKE_PLATFORM", "unheard-of");
    beam_device_close(fake_open("gpu", "pjrt"));
}

static void test_lease(void **state)
{
    int lease = -1;
    char words[64];
    beam_error err = {0};
    nets_ok(beam_pjrt_lease_take("tpu", &lease, &err), &err);
    (void)snprintf(words, sizeof words, "in use by process %ld", (long)getpid());
    fake_fails("pjrt:" FAKE_PLUGIN, BEAM_UNAVAILABLE, words);
    fake_env("PJRT_FAKE_PLATFORM", "cpu"); /* is everybody's */
    beam_device_close(fake_open("pjrt:" FAKE_PLUGIN, "pjrt-cpu"));
    fake_env("PJRT_FAKE_PLATFORM", NULL);
    beam_pjrt_lease_end(lease);
    beam_device *first = fake_open("pjrt:" FAKE_PLUGIN, "tpu");
    beam_device_close(fake_open("pjrt:" FAKE_PLUGIN, "tpu")); /* the same process shares it */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(test_bad_plugins),
        FAKE_TEST(test_driver),
        FAKE_TEST(test_virtual_environment),
        FAKE_TEST(test_no_device),
        FAKE_TEST(test_chain),
        FAKE_TEST(test_other_platform),
        FAKE_TEST(test_lease),
        FAKE_TEST(test_lease_of_children),
        FAKE_TEST(test_lease_is_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
