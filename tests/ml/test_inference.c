/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* How batches are cut, which model suits a data set, one model for many threads. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "ml/inference.h"
#include "ml/shared_device.h"
#include "support/files.h"
#include "support/pjrt_fake/pjrt_fake.h"

#define FAKE BEAM_BUILD_DIR "/tests/libpjrt_fake.so"

/* ---- Sizes of runs -------------------------------------------------------------------------- */

static void test_few_sizes_cover_any_batch(void **state)
{
    (void)state;
    for (int64_t max = 1; max <= 300; max += max < 20 ? 1 : 37) {
        bool used[512] = {false};
        int sizes = 0;
        for (int64_t count = 1; count <= max; count++) {
            int64_t left = count;
            while (left > 0) {
                int64_t padding, rows = beam_batch_rows(left, max, &padding);
                assert_true(rows >= 1 && rows <= max && rows - padding >= 1);
                assert_true(rows - padding <= left && padding * 4 <= rows);
                sizes += !used[rows];
                used[rows] = true;
                left -= rows - padding;
            }
            assert_true(left == 0);
        }
        assert_true(sizes <= 10);
    }
}

static void test_full_batches_stay_whole(void **state)
{
    (void)state;
    int64_t padding = 1;
    assert_int_equal(beam_batch_rows(100, 100, &padding), 100);
    assert_int_equal(padding, 0);
    assert_int_equal(beam_batch_rows(99, 100, &padding), 100);
    assert_int_equal(padding, 1);
    assert_int_equal(beam_batch_rows(37, 64, &padding), 32);
    assert_int_equal(padding, 0);
    assert_int_equal(beam_batch_rows(1, 64, &padding), 1);
    assert_int_equal(padding, 0);
}

/* ---- The cache ------------------------------------------------------------------------------ */

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};

static beam_model_spec digits_model(void)
{
    return (beam_model_spec){.network = beam_str_of("small_cnn"),
                             .weights = beam_str_of("digits"),
                             .device = beam_str_of("reference"),
                             .height = 8};
}

typedef struct user {
    pthread_t thread;
    pthread_barrier_t *ready;
    beam_model_entry *entry;
    beam_model_lease held;
    beam_status status;
    beam_error error;
} user;

/* Joins and takes a lease; leaves again when there is none. */
static beam_status get(const beam_model_request *request, beam_model_entry **entry,
                       beam_model_lease *held, beam_error *err)
{
    *held = (beam_model_lease){0};
    BEAM_TRY(beam_model_cache_join(request, entry, err));
    beam_status status = beam_model_cache_lease(*entry, request, held, err);
    if (status != BEAM_OK) {
        beam_model_cache_leave(*entry);
        *entry = NULL;
    }
    return status;
}

static void give_back(beam_model_entry *entry, beam_model_lease *held)
{
    beam_model_cache_return(held);
    beam_model_cache_leave(entry);
}

static void *use_model(void *arg)
{
    user *u = arg;
    beam_model_spec spec = digits_model();
    const beam_model_request request = {.spec = &spec, .max_batch = 4, .logger = &quiet};
    (void)pthread_barrier_wait(u->ready);
    u->status = get(&request, &u->entry, &u->held, &u->error);
    (void)pthread_barrier_wait(u->ready); /* nobody gives it back before all have it */
    return NULL;
}

static void test_one_model_for_all_threads(void **state)
{
    (void)state;
    enum { USERS = 6 };
    user users[USERS] = {0};
    pthread_barrier_t ready;
    size_t models, before, after;
    int loaded = 0;
    beam_model_cache_count(&models, &before);
    assert_int_equal(models, 0);
    assert_int_equal(pthread_barrier_init(&ready, NULL, USERS), 0);
    for (int i = 0; i < USERS; i++) {
        users[i].ready = &ready;
        assert_int_equal(pthread_create(&users[i].thread, NULL, use_model, &users[i]), 0);
    }
    for (int i = 0; i < USERS; i++) {
        (void)pthread_join(users[i].thread, NULL);
        assert_ok(users[i].status, users[i].error);
        assert_ptr_equal(users[i].held.model, users[0].held.model);
        loaded += users[i].held.loaded;
    }
    beam_model_cache_count(&models, &after);
    assert_int_equal(models, 1);
    assert_int_equal(after, before + 1);
    assert_int_equal(loaded, 1);
    for (int i = 0; i < USERS; i++)
        give_back(users[i].entry, &users[i].held);
    beam_model_cache_count(&models, &after);
    assert_int_equal(models, 0);
    (void)pthread_barrier_destroy(&ready);
}

/* Loaded by another thread, whether anybody waits for it or has left; one lease is told of it. */
static void test_loading_ahead(void **state)
{
    (void)state;
    beam_model_spec spec = digits_model();
    const beam_model_request request = {.spec = &spec, .max_batch = 4, .logger = &quiet};
    size_t entries, before, after;
    beam_error err = {0};
    beam_model_cache_count(&entries, &before);
    for (int i = 0; i < 20; i++) {
        beam_model_entry *entry;
        beam_model_lease lease, second;
        assert_ok(beam_model_cache_join(&request, &entry, &err), err);
        beam_model_cache_prefetch(entry, &request);
        beam_model_cache_prefetch(entry, &request);
        if (i % 2) {
            assert_ok(beam_model_cache_lease(entry, &request, &lease, &err), err);
            assert_ok(beam_model_cache_lease(entry, &request, &second, &err), err);
            assert_true(lease.loaded && !second.loaded && lease.context != second.context);
            beam_model_cache_return(&lease);
            beam_model_cache_return(&second);
        }
        beam_model_cache_leave(entry);
        beam_model_cache_count(&entries, &after);
        assert_int_equal(entries, 0);
        assert_int_equal(after, before + (size_t)i + 1);
    }
    spec.weights = beam_str_of("no/such/file");
    beam_model_entry *entry;
    beam_model_lease lease;
    assert_ok(beam_model_cache_join(&request, &entry, &err), err);
    beam_model_cache_prefetch(entry, &request);
    assert_fails(beam_model_cache_lease(entry, &request, &lease, &err), BEAM_NOT_FOUND, err,
                 "no/such/file");
    beam_model_cache_leave(entry);
}

static void test_models_share_a_device(void **state)
{
    (void)state;
    beam_model_spec spec = digits_model();
    beam_model_request request = {.spec = &spec, .max_batch = 4, .logger = &quiet};
    beam_model_lease first, second, third;
    beam_model_entry *a, *b, *c;
    beam_error err = {0};
    assert_ok(get(&request, &a, &first, &err), err);
    request.max_batch = 8;
    assert_ok(get(&request, &b, &second, &err), err);
    assert_true(second.loaded && first.model != second.model && first.device == second.device);
    give_back(a, &first); /* what opened the device goes first */
    assert_ok(get(&request, &c, &third, &err), err);
    assert_true(!third.loaded && third.model == second.model);
    beam_device_acquire(third.device);
    beam_device_release(third.device);
    give_back(b, &second);
    give_back(c, &third);
    give_back(NULL, &third); /* zeroed by now */
}

static void test_loads_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *network, *weights, *device, *precision, *words;
        beam_status status;
    } cases[] = {
        {"small_cnn", "no/such/file", "cpu", "f32", "no/such/file", BEAM_NOT_FOUND},
        {"resnet18", "digits", "cpu", "f32", "weights digits: these weights are of another network",
         BEAM_INVALID_ARGUMENT},
        {"perceptron", "digits", "cpu", "f32", "perceptron", BEAM_NOT_FOUND},
        {"small_cnn", "digits", "abacus", "f32", "abacus", BEAM_INVALID_ARGUMENT},
        {"small_cnn", "digits", "cpu", "f31", "f31", BEAM_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_model_spec spec = {.network = beam_str_of(cases[i].network),
                                .weights = beam_str_of(cases[i].weights),
                                .device = beam_str_of(cases[i].device),
                                .precision = beam_str_of(cases[i].precision),
                                .height = 8};
        const beam_model_request request = {.spec = &spec, .max_batch = 1, .logger = &quiet};
        beam_model_entry *entry = NULL;
        beam_model_lease held;
        beam_error err = {0};
        assert_fails(get(&request, &entry, &held, &err), cases[i].status, err, cases[i].words);
        assert_null(held.model);
        size_t models, loads;
        beam_model_cache_count(&models, &loads);
        assert_int_equal(models, 0);
    }
}

static beam_status unfinished(const beam_model_spec *spec, beam_network **network, beam_error *err)
{
    (void)spec;
    beam_network *net = *network = beam_network_new("unfinished");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){-1});
    return beam_network_finish(net, &x, 1, err);
}

static beam_status none(const beam_model_spec *spec, beam_network **network, beam_error *err)
{
    (void)spec;
    (void)err;
    assert_null(*network);
    return BEAM_OK;
}

/* What it made is freed for it (AddressSanitizer tells). */
static void test_networks_that_cannot_be_made(void **state)
{
    (void)state;
    beam_model_spec spec = digits_model();
    beam_model_request request = {
        .spec = &spec, .make_network = unfinished, .max_batch = 1, .logger = &quiet};
    beam_model_entry *entry = NULL;
    beam_model_lease held;
    beam_error err = {0};
    assert_fails(get(&request, &entry, &held, &err), BEAM_INVALID_ARGUMENT, err, "layer x");
    request.make_network = none;
    assert_fails(get(&request, &entry, &held, &err), BEAM_INTERNAL, err, "made no network");
}

static void test_failing_memory(void **state)
{
    (void)state;
    beam_model_spec spec = digits_model();
    const beam_model_request request = {.spec = &spec, .max_batch = 2, .logger = &quiet};
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    for (uint64_t n = 1; status != BEAM_OK; n++) {
        beam_model_entry *entry = NULL;
        beam_model_lease held;
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        status = get(&request, &entry, &held, &err);
        beam_alloc_fail_at(0, 0);
        give_back(entry, &held);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        assert_true(n < 10000);
    }
}

/* ---- Room on a device ------------------------------------------------------------------------ */

/* The plugin that takes its time to free what a model had; a device that stays open meanwhile. */
typedef struct slow_device {
    pjrt_fake_control *control;
    beam_device *device;
} slow_device;

static slow_device open_slow(const char *platform, int destroy_ms)
{
    slow_device d;
    bool fell_back;
    beam_error err = {0};
    assert_int_equal(setenv("PJRT_FAKE_PLATFORM", platform, 1), 0);
    assert_int_equal(setenv("PJRT_FAKE_MEMORY", "100000000", 1), 0);
    void *library = dlopen(FAKE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    d.control = dlsym(library, PJRT_FAKE_SYMBOL);
    assert_non_null(d.control);
    *d.control = (pjrt_fake_control){.code = 13, .destroy_ms = destroy_ms};
    assert_ok(beam_shared_device_open("pjrt:" FAKE, &quiet, BEAM_LOG_INFO, NULL, &d.device,
                                      &fell_back, &err),
              err);
    return d;
}

static void close_slow(slow_device *d)
{
    d->control->destroy_ms = 0;
    beam_shared_device_close(d->device);
    assert_int_equal(d->control->live, 0);
}

static uint64_t on_chip(const slow_device *d)
{
    beam_device_memory memory;
    beam_device_get_memory(d->device, &memory);
    return memory.chip_bytes_in_use;
}

/* spec->length layers of spec->height numbers, each a buffer of its own. */
static beam_status chain_network(const beam_model_spec *spec, beam_network **network,
                                 beam_error *err)
{
    char name[16];
    beam_network *net = beam_network_new("chain");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){spec->height});
    for (int64_t i = 0; i < spec->length; i++) {
        (void)snprintf(name, sizeof name, "fc%d", (int)i);
        x = beam_nn_linear(net, x, name, .out_features = spec->height);
    }
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

/* Without weights in a file, so that how large it is is known when it is there. */
static beam_model_spec chain(int64_t layers, int64_t numbers)
{
    return (beam_model_spec){.network = beam_str_of("chain"),
                             .device = beam_str_of("pjrt:" FAKE),
                             .length = layers,
                             .height = numbers};
}

/* The model is there, and nobody has a lease of it. */
static beam_model_entry *load(const beam_model_request *request)
{
    beam_model_entry *entry;
    beam_model_lease lease;
    beam_error err = {0};
    assert_ok(get(request, &entry, &lease, &err), err);
    beam_model_cache_return(&lease);
    return entry;
}

static void *leave(void *entry)
{
    beam_model_cache_leave(entry);
    return NULL;
}

/* What nobody wants any more is in the way of others until it is freed. */
static void test_a_model_that_leaves_is_waited_for(void **state)
{
    (void)state;
    slow_device d = open_slow("cpu", 20);
    beam_model_spec spec = chain(12, 16);
    beam_model_request request = {
        .spec = &spec, .make_network = chain_network, .max_batch = 1, .logger = &quiet};
    beam_model_entry *first = load(&request), *second;
    beam_model_lease lease;
    beam_error err = {0};
    pthread_t thread;
    uint64_t whole = on_chip(&d);
    spec = chain(1, 64);
    request.budget = 1;
    assert_ok(beam_model_cache_join(&request, &second, &err), err);
    assert_int_equal(pthread_create(&thread, NULL, leave, first), 0);
    for (int i = 0; i < 1000 && on_chip(&d) == whole; i++) /* until it is being freed */
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_ok(beam_model_cache_lease(second, &request, &lease, &err), err);
    assert_int_equal(on_chip(&d), lease.weight_bytes);
    give_back(second, &lease);
    (void)pthread_join(thread, NULL);
    close_slow(&d);
}

/* One that is loaded ahead and larger than was thought makes another go: whoever leaves it waits
 * for that, since it is still at work. */
static void test_leaving_what_makes_room(void **state)
{
    (void)state;
    slow_device d = open_slow("cpu", 20);
    beam_model_spec spec = chain(12, 16);
    beam_model_request request = {
        .spec = &spec, .make_network = chain_network, .max_batch = 1, .logger = &quiet};
    beam_model_entry *first = load(&request), *second;
    size_t entries, before, now;
    beam_error err = {0};
    beam_model_cache_count(&entries, &before);
    spec = chain(1, 64);
    request.budget = (int64_t)on_chip(&d) + 1;
    assert_ok(beam_model_cache_join(&request, &second, &err), err);
    beam_model_cache_prefetch(second, &request);
    do
        beam_model_cache_count(&entries, &now);
    while (now == before);
    beam_model_cache_leave(second);
    assert_int_equal(on_chip(&d), 0);
    beam_model_cache_leave(first);
    close_slow(&d);
}

static uint64_t held_by(const beam_device *device)
{
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    return memory.weight_bytes + memory.working_bytes;
}

/* Contexts take memory as they run, and then another model must go: not only for one to be loaded.
 */
static void test_contexts_that_grow(void **state)
{
    (void)state;
    enum { ROWS = 64, WIDE = 64 };
    static const float numbers[ROWS * WIDE];
    beam_model_spec spec = chain(1, WIDE), other = chain(2, WIDE);
    spec.device = other.device = beam_str_of("reference");
    beam_model_request request = {.spec = &other, .make_network = chain_network};
    request.max_batch = ROWS;
    request.logger = &quiet;
    beam_model_entry *second = load(&request), *first;
    beam_model_lease lease;
    beam_error err = {0};
    request.spec = &spec;
    assert_ok(get(&request, &first, &lease, &err), err);
    request.budget = (int64_t)held_by(lease.device);
    beam_tensor in = beam_model_input(lease.model, 0, ROWS), out;
    in.data = numbers;
    assert_ok(beam_model_run(lease.context, &in, 1, &out, 1, &err), err);
    assert_true(held_by(lease.device) > (uint64_t)request.budget);
    beam_model_cache_return(&lease);
    assert_ok(beam_model_cache_lease(first, &request, &lease, &err), err);
    assert_int_equal(lease.evicted, 1);
    give_back(first, &lease);
    beam_model_cache_leave(second);
}

/* A budget is of each chip's memory, which has one copy of the weights: a model whose size is known
 * because it was there once is no larger for the other chips' copies. */
static void test_budget_of_several_chips(void **state)
{
    (void)state;
    char *locks = test_folder();
    assert_int_equal(setenv("BEAM_LOCK_DIR", locks, 1), 0);
    assert_int_equal(setenv("PJRT_FAKE_DEVICES", "4", 1), 0);
    slow_device d = open_slow("tpu", 0);
    beam_model_spec spec = chain(12, 16), other = chain(1, 64);
    beam_model_request request = {.spec = &spec, .make_network = chain_network, .max_batch = 1};
    request.logger = &quiet;
    beam_model_entry *first = load(&request);
    request.budget = (int64_t)on_chip(&d) * 3 / 2;
    request.spec = &other;
    beam_model_entry *second = load(&request);
    beam_model_lease lease;
    beam_error err = {0};
    request.spec = &spec;
    assert_ok(beam_model_cache_lease(first, &request, &lease, &err), err);
    assert_true(lease.loaded); /* the second made it go */
    give_back(first, &lease);
    beam_model_cache_leave(second);
    close_slow(&d);
    assert_int_equal(unsetenv("PJRT_FAKE_DEVICES"), 0);
    assert_int_equal(unsetenv("BEAM_LOCK_DIR"), 0);
    test_remove_folder(locks);
}

/* ---- A model for a data set ------------------------------------------------------------------ */

static void test_digits_are_scored(void **state)
{
    (void)state;
    beam_dataset *dataset = NULL;
    beam_classifier chosen;
    beam_error err = {0};
    assert_ok(beam_dataset_open("digits", NULL, &dataset, &err), err);
    const beam_dataset_info *info = beam_dataset_get_info(dataset);
    assert_ok(beam_choose_classifier(info, NULL, &chosen, &err), err);
    assert_true(chosen.can_be_scored);
    assert_true(beam_str_equal(chosen.model.network, beam_str_of("small_cnn")));
    assert_int_equal(chosen.model.num_classes, 10);
    assert_int_equal(chosen.model.channels, 1);
    assert_int_equal(chosen.model.height, 8);

    /* A shell's variable that is not set names none either: no network of random numbers. */
    const beam_classifier_options unset = {.struct_size = sizeof unset, .weights = ""};
    assert_ok(beam_choose_classifier(info, &unset, &chosen, &err), err);
    assert_true(chosen.can_be_scored);
    assert_true(beam_str_equal(chosen.model.weights, beam_str_of("digits")));

    const beam_classifier_options resnet = {.struct_size = sizeof resnet, .network = "resnet18"};
    assert_fails(beam_choose_classifier(info, &resnet, &chosen, &err), BEAM_NOT_FOUND, err,
                 "Give the weights");
    const beam_classifier_options other = {
        .struct_size = sizeof other, .network = "resnet18", .weights = "digits"};
    assert_fails(beam_choose_classifier(info, &other, &chosen, &err), BEAM_INVALID_ARGUMENT, err,
                 "another network");
    beam_dataset_close(dataset);
}

/* Saves a network's starting values, without notes. */
static void save_fresh(const char *path, const beam_network_options *options)
{
    beam_network *net = NULL;
    beam_named_tensor tensors[40];
    beam_error err = {0};
    assert_ok(beam_network_create("small_cnn", options, &net, &err), err);
    assert_ok(beam_network_initialize(net, 1, &err), err);
    size_t n = beam_network_num_parameters(net);
    assert_in_range(n, 1, 40);
    for (size_t i = 0; i < n; i++) {
        beam_parameter parameter;
        assert_int_equal(beam_network_parameter(net, i, &parameter), BEAM_OK);
        tensors[i] = (beam_named_tensor){parameter.name, parameter.tensor};
    }
    assert_ok(beam_weights_save_safetensors(path, tensors, n, NULL, 0, &err), err);
    beam_network_free(net);
}

/* A model for colours sees grey in each of them, normalised alike. */
static void test_grey_for_a_model_of_colours(void **state)
{
    (void)state;
    char *folder = test_folder();
    beam_dataset *dataset = NULL;
    beam_classifier chosen;
    beam_error err = {0};
    const beam_network_options colours = {
        .struct_size = sizeof colours, .num_classes = 10, .channels = 3, .height = 8};
    const beam_classifier_options options = {.struct_size = sizeof options,
                                             .network = "small_cnn",
                                             .weights = test_path(folder, "colours.safetensors")};
    save_fresh(options.weights, &colours);
    assert_ok(beam_dataset_open("digits", NULL, &dataset, &err), err);
    assert_ok(beam_choose_classifier(beam_dataset_get_info(dataset), &options, &chosen, &err), err);
    assert_int_equal(chosen.model.channels, 3);
    assert_float_equal(chosen.model.pixels.deviation_g, 1, 0);
    assert_float_equal(chosen.model.pixels.deviation_b, 1, 0);
    beam_dataset_close(dataset);
    test_remove_folder(folder);
}

/* The digits' ten classes are not those of another data set of other images, or of another
 * number of classes. */
static void test_no_meaningless_accuracy(void **state)
{
    (void)state;
    static const char *const names[] = {"cat", "dog", "eel"};
    beam_dataset_info info = {.name = "pets",
                              .num_classes = 3,
                              .class_names = names,
                              .channels = 1,
                              .height = 8,
                              .width = 8,
                              .scale = 1,
                              .deviation = {1, 1, 1}};
    const beam_classifier_options options = {
        .struct_size = sizeof options, .network = "small_cnn", .weights = "digits"};
    beam_classifier chosen;
    beam_error err = {0};
    assert_ok(beam_choose_classifier(&info, &options, &chosen, &err), err);
    assert_false(chosen.can_be_scored);
    assert_non_null(strstr(chosen.reason, "10 classes"));
    info.channels = 3;
    info.num_classes = 10;
    assert_ok(beam_choose_classifier(&info, &options, &chosen, &err), err);
    assert_false(chosen.can_be_scored);
    assert_non_null(strstr(chosen.reason, "channels"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_sizes_cover_any_batch),
        cmocka_unit_test(test_full_batches_stay_whole),
        cmocka_unit_test(test_one_model_for_all_threads),
        cmocka_unit_test(test_loading_ahead),
        cmocka_unit_test(test_models_share_a_device),
        cmocka_unit_test(test_loads_that_fail),
        cmocka_unit_test(test_networks_that_cannot_be_made),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_a_model_that_leaves_is_waited_for),
        cmocka_unit_test(test_leaving_what_makes_room),
        cmocka_unit_test(test_budget_of_several_chips),
        cmocka_unit_test(test_contexts_that_grow),
        cmocka_unit_test(test_digits_are_scored),
        cmocka_unit_test(test_grey_for_a_model_of_colours),
        cmocka_unit_test(test_no_meaningless_accuracy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
