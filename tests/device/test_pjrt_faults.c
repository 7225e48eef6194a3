/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_faults.c - each call of a plugin fails in turn, and each allocation, in the life of a
 * model (tests/support/pjrt_fake): nothing stays, and the error is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "device/fake.h"
#include "device/nets.h"
#include "support/files.h"

/* Of a network: compiled, and run with three sizes of batches. */
static beam_status whole_life(void *net, beam_error *err)
{
    static const float images[12 * 64];
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = 12};
    beam_status status = beam_device_open("pjrt:" FAKE_PLUGIN, NULL, &device, err);
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
    int failed = 0;
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t n = 1;; n++) {
            beam_error err = {0};
            *fake = (pjrt_fake_control){.fail_at = n, .sticky = sticky, .code = 14};
            beam_status status = whole_life(net, &err);
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
    char path[4096], empty[4200];
    (void)snprintf(path, sizeof path, "%s", test_path(*state, "programs"));
    (void)snprintf(empty, sizeof empty, "rm -rf %s", path);
    fake_env("BEAM_COMPILATION_CACHE_DIR", path);
    for (int filled = 0; filled < 2; filled++) {
        for (uint64_t n = 1;; n++) {
            beam_error err = {0};
            assert_int_equal(filled ? 0 : system(empty), 0);
            *fake = (pjrt_fake_control){.fail_at = n, .code = 14};
            beam_status status = whole_life(net, &err);
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
    fake_without_memory(whole_life, net);
    beam_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(test_every_call_fails_once),
        FAKE_TEST(test_cache_fails_everywhere),
        FAKE_TEST(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
