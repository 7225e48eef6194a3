/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_device.c - devices by name, leases, models used by many threads, bad arguments, and
 * memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/device.h"
#include "device/nets.h"
#include "device/onednn_library.h"
#include "device/pjrt_find.h"
#include "support/shortage.h"

static const char *const kinds[] = {"cpu", "reference"};

/* ---- opening ---- */

static void keep_level(void *user, const beam_log_record *record)
{
    *(beam_log_level *)user = record->level;
}

static void test_names(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_device_info info;
    (void)unsetenv("BEAM_ACCELERATOR_BACKEND");
    for (size_t i = 0; i < 2; i++) {
        nets_ok(beam_device_open(kinds[i], NULL, &device, &err), &err);
        beam_device_get_info(device, &info);
        assert_string_equal(info.kind, kinds[i]);
        assert_string_equal(info.requested, kinds[i]);
        assert_true(info.slots >= 1);
        assert_false(info.fell_back);
        assert_true(strlen(info.description) > 0);
        beam_device_close(device);
    }
    beam_log_level level = BEAM_LOG_DEFAULT;
    beam_logger logger = {keep_level, &level, BEAM_LOG_INFO};
    beam_device_options options = {.struct_size = sizeof options, .logger = &logger, .slots = 3};
    nets_ok(beam_device_open("auto", &options, &device, &err), &err);
    beam_device_get_info(device, &info);
    assert_string_equal(info.kind, "cpu");
    assert_string_equal(info.requested, "auto");
    assert_int_equal(info.slots, 3);
    assert_true(info.fell_back);
    assert_true(level >= BEAM_LOG_INFO); /* never silent */
    beam_device_close(device);

    assert_int_equal(setenv("BEAM_ACCELERATOR_BACKEND", "reference", 1), 0);
    nets_ok(beam_device_open("auto", NULL, &device, &err), &err);
    beam_device_get_info(device, &info);
    assert_string_equal(info.kind, "reference");
    beam_device_close(device);
    assert_int_equal(unsetenv("BEAM_ACCELERATOR_BACKEND"), 0);
}

static void test_names_that_are_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } absent[] = {
        {"gpu", "scripts/deps plugin gpu"},
        {"tpu", "scripts/deps plugin tpu"},
        {"pjrt:/opt/plugin.so", "no such file"},
    };
    beam_device *device = NULL;
    assert_int_equal(setenv("BEAM_CACHE", "/nowhere", 1), 0);
    for (size_t i = 0; i < 3; i++) {
        beam_error err = {0};
        if (i < 2 && beam_pjrt_trace(i == 0 ? BEAM_PJRT_GPU : BEAM_PJRT_TPU))
            continue; /* this machine has one */
        assert_int_equal(beam_device_open(absent[i].name, NULL, &device, &err), BEAM_UNAVAILABLE);
        assert_null(device);
        assert_non_null(strstr(err.message, absent[i].name));
        assert_non_null(strstr(err.message, absent[i].words));
    }
    assert_int_equal(unsetenv("BEAM_CACHE"), 0);
    beam_error err = {0};
    assert_int_equal(beam_device_open("cuda", NULL, &device, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "gpu"));

    beam_precision precision;
    nets_ok(beam_precision_parse("bf16", &precision, &err), &err);
    assert_int_equal(precision, BEAM_PRECISION_BF16);
    assert_string_equal(beam_precision_name(precision), "bf16");
    nets_ok(beam_precision_parse("f16", &precision, &err), &err);
    assert_int_equal(precision, BEAM_PRECISION_F16);
    assert_string_equal(beam_precision_name(precision), "f16");
    nets_ok(beam_precision_parse("int8", &precision, &err), &err);
    assert_int_equal(precision, BEAM_PRECISION_INT8);
    assert_string_equal(beam_precision_name(precision), "int8");
    assert_int_equal(beam_precision_parse("int4", &precision, &err), BEAM_INVALID_ARGUMENT);
}

/* As in an image for accelerators, which is without oneDNN. */
static void hide_onednn(bool hide)
{
    beam_onednn_library.file = hide ? "libnosuchdnnl.so.3" : "libdnnl.so.3";
    beam_onednn_library.opened = false;
}

static void fails_with(const char *name, const char *const words[], size_t count)
{
    beam_device *device = NULL;
    beam_error err = {0};
    beam_status status = beam_device_open(name, NULL, &device, &err);
    if (status == BEAM_OK || device)
        fail_msg("device %s opened", name);
    for (size_t i = 0; i < count; i++)
        if (!strstr(err.message, words[i]))
            fail_msg("device %s: no \"%s\" in: %s", name, words[i], err.message);
    if (strstr(err.message, "or cpu") || strstr(err.message, "use cpu"))
        fail_msg("device %s: advice to use what is not there: %s", name, err.message);
}

/* No device is taken silently, the reference least of all: the message names all that is missing.
 */
static void test_no_device_at_all(void **state)
{
    (void)state;
    if (beam_pjrt_trace(BEAM_PJRT_GPU) || beam_pjrt_trace(BEAM_PJRT_TPU))
        skip(); /* this machine has one */
    assert_int_equal(setenv("BEAM_CACHE", "/nowhere", 1), 0);
    hide_onednn(true);
    fails_with("cpu", (const char *[]){"device \"cpu\": cannot open libnosuchdnnl", "--with-cpu"},
               2);
    fails_with("gpu", (const char *[]){"device \"gpu\": ", "scripts/deps plugin gpu"}, 2);
    fails_with("auto",
               (const char *[]){"no GPU shows", "no TPU", "Nor is there the CPU's device: ",
                                "cannot open libnosuchdnnl", "oneDNN"},
               5);
    assert_int_equal(setenv("BEAM_ACCELERATOR_BACKEND", "gpu", 1), 0);
    fails_with("auto",
               (const char *[]){"device \"auto\" is gpu, as BEAM_ACCELERATOR_BACKEND says: ",
                                "device \"gpu\": ", "no hardware shows",
                                "Nor is there the CPU's device: ", "oneDNN"},
               5);
    hide_onednn(false);
    beam_device *device = NULL;
    beam_error err = {0};
    assert_int_equal(beam_device_open("auto", NULL, &device, &err), BEAM_UNAVAILABLE);
    assert_non_null(strstr(err.message, "; use cpu"));
    assert_null(strstr(err.message, "Nor is"));
    assert_int_equal(unsetenv("BEAM_ACCELERATOR_BACKEND"), 0);
    nets_ok(beam_device_open("auto", NULL, &device, &err), &err);
    beam_device_close(device);
    assert_int_equal(unsetenv("BEAM_CACHE"), 0);
}

/* ---- leases ---- */

enum { SLOTS = 2, LEASE_THREADS = 6, LEASES = 200 };
static atomic_int holders, most_holders;

static void *take_leases(void *user)
{
    for (int i = 0; i < LEASES; i++) {
        beam_device_acquire(user);
        int now = atomic_fetch_add(&holders, 1) + 1, most = atomic_load(&most_holders);
        while (now > most && !atomic_compare_exchange_weak(&most_holders, &most, now))
            ;
        atomic_fetch_sub(&holders, 1);
        beam_device_release(user);
    }
    return NULL;
}

static void test_leases(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_device_options options = {.struct_size = sizeof options, .slots = SLOTS};
    nets_ok(beam_device_open("reference", &options, &device, &err), &err);
    assert_true(beam_device_try_acquire(device));
    assert_true(beam_device_try_acquire(device));
    assert_false(beam_device_try_acquire(device));
    beam_device_release(device);
    beam_device_release(device);
    pthread_t threads[LEASE_THREADS];
    for (int i = 0; i < LEASE_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_leases, device), 0);
    for (int i = 0; i < LEASE_THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&most_holders), 1, SLOTS);
    beam_device_close(device);
}

/* One who waits for slots, and writes into a list that the lease itself guards: the first two get
 * all slots. */
typedef struct queued {
    beam_device *device;
    uint32_t slots;
    uint32_t *served; /* how many slots each took, in order */
    size_t *n_served;
    pthread_t thread;
} queued;

static void *wait_in_line(void *user)
{
    const queued *q = user;
    beam_device_take_slots(q->device, q->slots);
    q->served[(*q->n_served)++] = q->slots;
    beam_device_give_slots(q->device, q->slots);
    return NULL;
}

/* Returns when so many wait. */
static void join_line(queued *q, uint64_t waiting)
{
    assert_int_equal(pthread_create(&q->thread, NULL, wait_in_line, q), 0);
    for (uint64_t now = 0; now < waiting; sched_yield()) {
        (void)pthread_mutex_lock(&q->device->mutex);
        now = q->device->asked - q->device->served;
        (void)pthread_mutex_unlock(&q->device->mutex);
    }
}

/* Who wants both slots is not overtaken by those who come later for the one that is free. */
static void test_leases_in_order(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_device_options options = {.struct_size = sizeof options, .slots = SLOTS};
    nets_ok(beam_device_open("reference", &options, &device, &err), &err);
    uint32_t served[3];
    size_t n_served = 0;
    queued both = {device, 2, served, &n_served, 0}, single = {device, 1, served, &n_served, 0},
           more = {device, 5, served, &n_served, 0};
    beam_device_acquire(device);
    join_line(&both, 1);
    assert_false(beam_device_try_acquire(device));
    join_line(&single, 2);
    join_line(&more, 3);
    assert_int_equal(n_served, 0);
    beam_device_release(device);
    queued *const all[] = {&both, &single, &more};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(all[i]->thread, NULL), 0);
    const uint32_t order[] = {2, 1, 5};
    assert_int_equal(n_served, 3);
    assert_memory_equal(served, order, sizeof order);
    assert_true(beam_device_try_acquire(device));
    beam_device_release(device);
    beam_device_close(device);
}

/* ---- many threads, one model ---- */

enum { THREADS = 4, ROUNDS = 12, BATCH = 9 };

typedef struct job {
    beam_model *model;
    const float *images; /* BATCH of {1, 8, 8} */
    const float *wanted; /* BATCH of {10} */
    int first;
    beam_error err;
    bool ok;
} job;

/* Batches of changing sizes that start anywhere: each row must come out as in the whole. */
static void *run_job(void *user)
{
    job *j = user;
    beam_model_context *context = NULL;
    j->ok = false;
    if (beam_model_context_new(j->model, &context, &j->err) != BEAM_OK)
        return NULL;
    j->ok = true;
    for (int round = 0; j->ok && round < ROUNDS; round++) {
        int start = (j->first + round) % BATCH, n = 1 + (j->first * 5 + round) % (BATCH - start);
        beam_tensor in = beam_model_input(j->model, 0, n), out;
        in.data = j->images + start * 64;
        j->ok = beam_model_run(context, &in, 1, &out, 1, &j->err) == BEAM_OK &&
                nets_difference(out.data, j->wanted + start * 10, (size_t)n * 10) < 1e-5;
    }
    beam_model_context_free(context);
    return NULL;
}

static void test_threads_share_a_model(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        beam_error err = {0};
        beam_device *device = NULL;
        beam_network *net = nets_small();
        size_t count = 0;
        float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, BATCH, &count);
        float *images = nets_numbers(77, BATCH * 64);
        job jobs[THREADS] = {{0}};
        pthread_t threads[THREADS];
        beam_model *model = NULL;
        beam_compile_options options = {.struct_size = sizeof options, .max_batch = BATCH};
        nets_ok(beam_device_open(kinds[k], NULL, &device, &err), &err);
        nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
        beam_network_free(net); /* a model has its own copy */
        for (int i = 0; i < THREADS; i++) {
            jobs[i] = (job){.model = model, .images = images, .wanted = wanted, .first = i};
            assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            if (!jobs[i].ok)
                fail_msg("thread %d on %s: %s", i, kinds[k], jobs[i].err.message);
        }
        beam_model_free(model);
        beam_device_memory memory;
        beam_device_get_memory(device, &memory);
        assert_int_equal(memory.weight_bytes + memory.working_bytes, 0);
        beam_device_close(device);
        beam_free(wanted);
        beam_free(images);
    }
}

/* More batch sizes than plans and bindings are kept for, forth and back. */
static void test_every_batch_size(void **state)
{
    (void)state;
    enum { MOST = 24 };
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_network *net = nets_small();
    size_t count = 0;
    float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, MOST, &count);
    float *images = nets_numbers(77, MOST * 64);
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    beam_compile_options options = {.struct_size = sizeof options,
                                    .max_batch = MOST,
                                    .batch_sizes = (const int64_t[]){1, 8},
                                    .num_batch_sizes = 2};
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    for (int i = 0; i < 2 * MOST; i++) {
        int n = i < MOST ? i + 1 : 2 * MOST - i;
        beam_tensor in = beam_model_input(model, 0, n), out;
        in.data = images;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        assert_true(nets_difference(out.data, wanted, (size_t)n * 10) < 1e-5);
    }
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
    beam_network_free(net);
    beam_free(wanted);
    beam_free(images);
}

/* ---- one thread a context ---- */

static int count_threads(void)
{
    char line[128];
    int threads = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "Threads:", 8) == 0)
            threads = atoi(line + 8);
    if (status)
        (void)fclose(status);
    return threads;
}

static void test_no_thread_is_started(void **state)
{
    (void)state;
    void *library = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD);
    void (*set)(int) = NULL;
    int (*get)(void) = NULL;
    void *set_symbol = library ? dlsym(library, "omp_set_num_threads") : NULL;
    void *get_symbol = library ? dlsym(library, "omp_get_max_threads") : NULL;
    assert_true(set_symbol && get_symbol);
    memcpy(&set, &set_symbol, sizeof set);
    memcpy(&get, &get_symbol, sizeof get);
    set(5); /* as OMP_NUM_THREADS=5 */
    int before = count_threads();
    beam_network *net = nets_small();
    size_t count = 0;
    float *got = nets_run("cpu", net, BEAM_PRECISION_F32, 64, &count);
    assert_int_equal(count_threads(), before);
    assert_int_equal(get(), 5); /* and the caller's own setting is as it was */
    beam_free(got);
    beam_network_free(net);
    (void)dlclose(library);
}

/* ---- bad arguments ---- */

static void test_refusals(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        beam_error err = {0};
        beam_device *device = NULL;
        beam_model *model = NULL;
        beam_model_context *context = NULL;
        nets_ok(beam_device_open(kinds[k], NULL, &device, &err), &err);

        beam_network *bare = NULL;
        nets_ok(beam_network_create("resnet18", NULL, &bare, &err), &err);
        assert_int_equal(beam_device_compile(device, bare, NULL, &model, &err),
                         BEAM_FAILED_PRECONDITION);
        assert_non_null(strstr(err.message, "conv1.weight has no weights"));
        beam_network_free(bare);

        beam_network *net = nets_small();
        beam_compile_options options = {.struct_size = sizeof options, .max_batch = -1};
        assert_int_equal(beam_device_compile(device, net, &options, &model, &err),
                         BEAM_INVALID_ARGUMENT);
        options.max_batch = 4;
        options.batch_sizes = (const int64_t[]){2, 8};
        options.num_batch_sizes = 2;
        assert_int_equal(beam_device_compile(device, net, &options, &model, &err),
                         BEAM_INVALID_ARGUMENT);
        options.num_batch_sizes = 0;
        nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
        nets_ok(beam_model_context_new(model, &context, &err), &err);

        float *images = nets_numbers(1, 5 * 64);
        beam_tensor in = beam_model_input(model, 0, 5), out;
        assert_int_equal(beam_model_execute(context, &out, 1, &err), BEAM_FAILED_PRECONDITION);
        in.data = images;
        assert_int_equal(beam_model_run(context, &in, 1, &out, 1, &err), BEAM_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "batch of 5"));
        in.shape[0] = 0;
        assert_int_equal(beam_model_run(context, &in, 1, &out, 1, &err), BEAM_INVALID_ARGUMENT);
        in.shape[0] = 4;
        assert_int_equal(beam_model_run(context, &in, 2, &out, 1, &err), BEAM_INVALID_ARGUMENT);
        assert_int_equal(beam_model_run(context, &in, 1, &out, 2, &err), BEAM_INVALID_ARGUMENT);
        in.shape[3] = 9;
        assert_int_equal(beam_model_run(context, &in, 1, &out, 1, &err), BEAM_INVALID_ARGUMENT);
        in.shape[3] = 8;
        in.data = NULL;
        assert_int_equal(beam_model_run(context, &in, 1, &out, 1, &err), BEAM_INVALID_ARGUMENT);
        in.data = images;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        assert_int_equal(out.shape[0], 4);
        assert_int_equal(out.shape[1], 10);
        beam_free(images);
        beam_model_context_free(context);
        beam_model_free(model);
        beam_network_free(net);
        beam_device_close(device);
    }
}

/* ---- memory that runs out ---- */

static beam_status whole_life(const char *name, const beam_network *net, const float *images,
                              beam_error *err)
{
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = 3};
    beam_status status = beam_device_open(name, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_compile(device, net, &options, &model, err);
    if (status == BEAM_OK)
        status = beam_model_context_new(model, &context, err);
    for (int64_t n = 3; status == BEAM_OK && n >= 2; n--) {
        beam_tensor in = beam_model_input(model, 0, n), out;
        in.data = images;
        status = beam_model_run(context, &in, 1, &out, 1, err);
    }
    beam_model_context_free(context);
    beam_model_free(model);
    nets_close(device);
    return status;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    float *images = nets_numbers(1, 3 * 64);
    beam_network *net = nets_small();
    for (size_t k = 0; k < 2; k++) {
        for (test_shortage s = {0}; test_shortage_next(&s);) {
            beam_error err = {0};
            test_shortage_ends(&s, whole_life(kinds[k], net, images, &err));
        }
    }
    beam_network_free(net);
    beam_free(images);
}

static void test_running_allocates_nothing(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_network *net = nets_small();
    float *images = nets_numbers(1, 4 * 64);
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = 4};
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    for (int i = 0; i < 6; i++) {
        if (i == 3)
            beam_alloc_fail_at(0, 0);
        beam_tensor in = beam_model_input(model, 0, i % 3 + 2), out;
        in.data = images;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    }
    assert_int_equal(beam_alloc_count(), 0);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
    beam_network_free(net);
    beam_free(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_that_are_not_there),
        cmocka_unit_test(test_no_device_at_all),
        cmocka_unit_test(test_leases),
        cmocka_unit_test(test_leases_in_order),
        cmocka_unit_test(test_threads_share_a_model),
        cmocka_unit_test(test_every_batch_size),
        cmocka_unit_test(test_no_thread_is_started),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_running_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
