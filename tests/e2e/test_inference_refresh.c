/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Weights that are replaced while elements come: no result is lost, and each was made by the model
 * whose name it bears. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inference_run.h"
#include "ml/model_watch.h"
#include "scaled.h"
#include "support/files.h"

enum { MODELS = 8, BAD = 5 };
static atomic_int seen[MODELS + 1];

static beam_status pack(beam_ctx *c, const beam_int64 *number, const beam_model *model,
                        float *const *rows)
{
    (void)c;
    (void)model;
    for (int i = 0; i < SCALED_WIDE; i++)
        rows[0][i] = (float)*number;
    return BEAM_OK;
}
BEAM_PREDICTION(scaled_prediction, beam_int64);
BEAM_PREDICTION_HANDLER(scaled, beam_int64, scaled_prediction, pack,
                        .make_network = scaled_network);

/* Model n has a name that ends in "wn", or "wn@time". */
static beam_status check(beam_ctx *c, const scaled_prediction *p)
{
    const float *y = p->inference.data;
    const char *id = beam_cstr(c, p->model_id), *last = strrchr(id, 'w');
    int n = last ? atoi(last + 1) : 0;
    if (n < 1 || n > MODELS)
        return beam_fail(c, BEAM_INTERNAL, "model %s", id);
    for (int i = 0; i < SCALED_WIDE; i++)
        if (y[i] != (float)(p->example * n + n))
            return beam_fail(c, BEAM_INTERNAL, "%lld became %g, but not by model %s",
                             (long long)p->example, (double)y[i], id);
    atomic_fetch_add(&seen[n], 1);
    return beam_emit_value(c, beam_int64, &p->example);
}
BEAM_DOFN(check_fn, scaled_prediction, check, BEAM_TYPES(&beam_int64_type));

static int64_t count_of(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    (void)beam_result_metric(result, NULL, name, &cell);
    return cell.sum;
}

/* ---- A watched folder ------------------------------------------------------------------------ */

/* Whole under its name. */
static void publish_as(const char *folder, const char *prefix, int n)
{
    char name[16], from[300], to[300];
    (void)snprintf(name, sizeof name, "%sw%d", prefix, n);
    (void)snprintf(to, sizeof to, "%s", test_path(folder, name));
    (void)snprintf(from, sizeof from, "%s", test_path(folder, "new.tmp"));
    if (n == BAD)
        test_write_file(from, "no weights at all", 17);
    else
        scaled_write(from, n);
    assert_int_equal(rename(from, to), 0);
}

static void publish(const char *folder, int n)
{
    publish_as(folder, "", n);
}

static size_t loads_so_far(void)
{
    size_t models, loads;
    beam_model_cache_count(&models, &loads);
    return loads;
}

enum { EACH = 400, ALL = MODELS * EACH };
static pthread_mutex_t steering = PTHREAD_MUTEX_INITIALIZER;
static int came;

/* After each so many the next model is published, and all wait until somebody has tried it. */
static void steer_to(const char *folder)
{
    (void)pthread_mutex_lock(&steering);
    if (came > 0 && came % EACH == 0) {
        size_t loads = loads_so_far();
        publish(folder, came / EACH + 1);
        for (int i = 0; i < 2000 && loads_so_far() == loads; i++)
            (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    came++;
    (void)pthread_mutex_unlock(&steering);
}

static beam_status steer(beam_ctx *c, const beam_int64 *number)
{
    steer_to(beam_cstr(c, *beam_config(c, beam_str)));
    return beam_emit_with(c, 0, number, beam_info(c)); /* at once: the next may wait */
}
BEAM_DOFN(steer_fn, beam_int64, steer, BEAM_TYPES(&beam_int64_type), .config = &beam_str_type);

static void test_refresh_under_load(void **state)
{
    static beam_int64 numbers[ALL];
    for (int i = 0; i < ALL; i++)
        numbers[i] = i;
    memset(seen, 0, sizeof seen);
    publish(*state, 1);
    came = 0;
    const beam_str folder = beam_str_of(*state);
    char pattern[300];
    (void)snprintf(pattern, sizeof pattern, "%s", test_path(*state, "w*"));
    beam_pipeline *p = beam_pipeline_new(NULL);
    /* What beam_create() makes is one bundle, which one thread runs; a reshuffle is for all. */
    beam_pcoll in = beam_pardo(beam_reshuffle(beam_create(p, beam_int64, numbers, ALL)), &steer_fn,
                               .config = &folder);
    beam_pcoll found =
        beam_run_inference(in, &scaled, .model = scaled_spec(""), .max_batch_size = 8,
                           .watch_model_pattern = pattern, .watch_interval_ms = 5);
    beam_assert_that(beam_pardo(found, &check_fn), beam_int64, numbers, ALL);
    beam_result *result = NULL;
    beam_error err = {0};
    assert_ok(inference_try_run(p, 2, &result, &err), err);
    assert_int_equal(count_of(result, "num_inferences"), ALL);
    assert_int_equal(count_of(result, "models_refused"), 1);
    assert_true(count_of(result, "models_refreshed") >= 4);
    beam_result_free(result);
    int models = 0;
    for (int n = 1; n <= MODELS; n++)
        models += atomic_load(&seen[n]) > 0;
    assert_int_equal(atomic_load(&seen[BAD]), 0);
    assert_true(models >= 4);
}

/* One name whose contents change. */
static beam_status overwrite(beam_ctx *c, const beam_int64 *number)
{
    if (*number == 100) {
        size_t loads = loads_so_far();
        const char *folder = beam_cstr(c, *beam_config(c, beam_str));
        char from[300], to[300];
        (void)snprintf(from, sizeof from, "%s", test_path(folder, "new.tmp"));
        (void)snprintf(to, sizeof to, "%s", test_path(folder, "w2"));
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* another time of change */
        scaled_write(from, 2);
        assert_int_equal(rename(from, to), 0);
        for (int i = 0; i < 2000 && loads_so_far() == loads; i++)
            (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
    return beam_emit_with(c, 0, number, beam_info(c)); /* at once: the next may wait */
}
BEAM_DOFN(overwrite_fn, beam_int64, overwrite, BEAM_TYPES(&beam_int64_type),
          .config = &beam_str_type);

static beam_status id_of(beam_ctx *c, const scaled_prediction *p)
{
    bool dated = memchr(p->model_id.at, '@', p->model_id.len) != NULL;
    return beam_emit(c, beam_int64, dated ? p->example : -1);
}
BEAM_DOFN(id_of_fn, scaled_prediction, id_of, BEAM_TYPES(&beam_int64_type));

static void test_a_file_that_is_replaced(void **state)
{
    beam_int64 numbers[200], dated[200];
    for (int i = 0; i < 200; i++) {
        numbers[i] = i;
        dated[i] = i < 96 ? -1 : i; /* batches of 8: the one of 100 began at 96 and had not run */
    }
    publish(*state, 2);
    const beam_str folder = beam_str_of(*state);
    char pattern[300];
    (void)snprintf(pattern, sizeof pattern, "%s", test_path(*state, "w2"));
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll in =
        beam_pardo(beam_create(p, beam_int64, numbers, 200), &overwrite_fn, .config = &folder);
    beam_pcoll found =
        beam_run_inference(in, &scaled, .model = scaled_spec(""), .max_batch_size = 8,
                           .watch_model_pattern = pattern, .watch_interval_ms = 5);
    beam_assert_that(beam_pardo(found, &check_fn), beam_int64, numbers, 200);
    beam_assert_that(beam_pardo(found, &id_of_fn), beam_int64, dated, 200);
    beam_error err = {0};
    assert_ok(inference_try_run(p, 1, NULL, &err), err);
}

static void test_nothing_to_begin_with(void **state)
{
    const beam_int64 one = 1;
    char pattern[300];
    (void)snprintf(pattern, sizeof pattern, "%s", test_path(*state, "none*"));
    for (int i = 0; i < 2; i++) {
        publish(*state, 3);
        char own[300];
        (void)snprintf(own, sizeof own, "%s", test_path(*state, "w3"));
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll found =
            beam_run_inference(beam_create(p, beam_int64, &one, 1), &scaled,
                               .model = scaled_spec(i ? own : ""), .watch_model_pattern = pattern);
        beam_assert_that(beam_pardo(found, &check_fn), beam_int64, &one, 1);
        beam_error err = {0};
        if (i)
            assert_ok(inference_try_run(p, 1, NULL, &err), err);
        else
            assert_fails(inference_try_run(p, 1, NULL, &err), BEAM_NOT_FOUND, err, "none*");
    }
}

/* ---- Models of keys ----------------------------------------------------------------------------
 */

BEAM_KV(keyed_number, beam_str, beam_int64);
BEAM_KV(keyed_prediction, beam_str, scaled_prediction);
BEAM_KEYED_HANDLER(keyed, keyed_number, keyed_prediction, scaled);

enum { KEYED = 300, HALF = KEYED / 2 };

/* Numbers of two keys in turn; half way there are newer weights for one of them. */
static beam_status alternate(beam_ctx *c, const beam_int64 *number)
{
    if (*number == HALF) {
        size_t loads = loads_so_far();
        publish_as(beam_cstr(c, *beam_config(c, beam_str)), "a", 3);
        for (int i = 0; i < 2000 && loads_so_far() == loads; i++)
            (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    const keyed_number made = {beam_str_of(*number % 2 ? "b" : "a"), *number};
    return beam_emit_with(c, 0, &made, beam_info(c)); /* at once: the next may wait */
}
BEAM_DOFN(alternate_fn, beam_int64, alternate, BEAM_TYPES(&keyed_number_type),
          .config = &beam_str_type);

static beam_status check_keyed(beam_ctx *c, const keyed_prediction *p)
{
    const char *id = beam_cstr(c, p->value.model_id), *last = strrchr(id, 'w');
    if (!last || last == id || last[-1] != *p->key.at)
        return beam_fail(c, BEAM_INTERNAL, "key %c has model %s", *p->key.at, id);
    return check(c, &p->value);
}
BEAM_DOFN(check_keyed_fn, keyed_prediction, check_keyed, BEAM_TYPES(&beam_int64_type));

static void test_each_key_has_newer_weights_of_its_own(void **state)
{
    static beam_int64 numbers[KEYED];
    char patterns[2][300];
    for (int i = 0; i < KEYED; i++)
        numbers[i] = i;
    memset(seen, 0, sizeof seen);
    publish_as(*state, "a", 1);
    publish_as(*state, "b", 2);
    (void)snprintf(patterns[0], sizeof patterns[0], "%s", test_path(*state, "aw*"));
    (void)snprintf(patterns[1], sizeof patterns[1], "%s", test_path(*state, "bw*"));
    const beam_key_model models[] = {
        {BEAM_KEYS(beam_str_of("a")), scaled_spec(""), beam_str_of(patterns[0])},
        {BEAM_KEYS(beam_str_of("b")), scaled_spec(""), beam_str_of(patterns[1])}};
    const beam_str folder = beam_str_of(*state);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll in =
        beam_pardo(beam_create(p, beam_int64, numbers, KEYED), &alternate_fn, .config = &folder);
    beam_pcoll found = beam_run_inference(in, &keyed, .models = models, .num_models = 2,
                                          .max_batch_size = 8, .watch_interval_ms = 5);
    beam_assert_that(beam_pardo(found, &check_keyed_fn), beam_int64, numbers, KEYED);
    beam_result *result = NULL;
    beam_error err = {0};
    assert_ok(inference_try_run(p, 1, &result, &err), err);
    assert_int_equal(count_of(result, "models_refreshed"), 3); /* two were the first */
    assert_int_equal(count_of(result, "models_refused"), 0);
    beam_result_free(result);
    assert_true(atomic_load(&seen[1]) > 0 && atomic_load(&seen[3]) > 0);
    assert_int_equal(atomic_load(&seen[1]) + atomic_load(&seen[3]), HALF);
    assert_int_equal(atomic_load(&seen[2]), HALF);
}

/* ---- One pattern, two networks -------------------------------------------------------------- */

static beam_status other_network(const beam_model_spec *spec, beam_network **network,
                                 beam_error *err)
{
    (void)spec;
    beam_network *net = beam_network_new("other");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){SCALED_WIDE});
    x = beam_nn_linear(net, x, "head", .out_features = SCALED_WIDE);
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

static beam_status by_name(const beam_model_spec *spec, beam_network **network, beam_error *err)
{
    return beam_str_equal(spec->network, beam_str_of("scaled")) ? scaled_network(spec, network, err)
                                                                : other_network(spec, network, err);
}

/* What one network refuses is the other's all the same. */
static void test_two_networks_under_one_pattern(void **state)
{
    char pattern[300];
    beam_error err = {0};
    publish(*state, 1);
    (void)snprintf(pattern, sizeof pattern, "%s", test_path(*state, "w*"));
    const beam_model_spec spec = scaled_spec("");
    beam_model_spec other = scaled_spec("its own");
    other.network = beam_str_of("other");
    const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};
    beam_model_request request = {
        .spec = &other, .make_network = by_name, .max_batch = 1, .logger = &quiet};
    beam_model_watch *watches[3];
    assert_ok(beam_model_watch_open(pattern, 60000, &request, &watches[0], &err), err);
    assert_null(beam_model_watch_current(watches[0]));
    request.spec = &spec;
    for (int i = 1; i < 3; i++)
        assert_ok(beam_model_watch_open(pattern, 60000, &request, &watches[i], &err), err);
    assert_ptr_equal(watches[1], watches[2]);
    beam_watched *current = beam_model_watch_current(watches[1]);
    assert_non_null(current);
    assert_string_equal(current->weights, test_path(*state, "w1"));
    beam_watched_drop(watches[1], current);
    for (int i = 0; i < 3; i++)
        beam_model_watch_close(watches[i]);
}

/* ---- A side input ---------------------------------------------------------------------------- */

static beam_status stamp(beam_ctx *c, const beam_int64 *number)
{
    return beam_emit_at(c, 0, number, *number * 1000);
}
BEAM_DOFN(stamp_fn, beam_int64, stamp, BEAM_TYPES(&beam_int64_type));

#define DATED(FIELD, S) FIELD(S, beam_int64, second) FIELD(S, beam_model_metadata, model)
BEAM_STRUCT(dated_model, DATED);
static beam_status date(beam_ctx *c, const dated_model *model)
{
    return beam_emit_at(c, 0, &model->model, model->second * 1000);
}
BEAM_DOFN(date_fn, dated_model, date, BEAM_TYPES(&beam_model_metadata_type));

/* A model a window of ten seconds; that of the last cannot be had, so the one before goes on. */
static void test_a_side_input_names_the_weights(void **state)
{
    char paths[4][300];
    dated_model models[4];
    beam_int64 numbers[40];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 40; i++)
        numbers[i] = i;
    for (int i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, i < 3 ? "w%d" : "absent%d", i + 1);
        if (i < 3)
            publish(*state, i + 1);
        (void)snprintf(paths[i], sizeof paths[i], "%s", test_path(*state, name));
        models[i] = (dated_model){
            i * 10, {beam_str_of(i == 1 ? "the second, w2" : ""), beam_str_of(paths[i])}};
    }
    beam_pipeline *p = beam_pipeline_new(NULL);
    const beam_windowing tens = beam_fixed_windows(10000);
    beam_pcoll names = beam_pardo(beam_create(p, dated_model, models, 4), &date_fn);
    beam_pcoll in = beam_pardo(beam_create(p, beam_int64, numbers, 40), &stamp_fn);
    beam_pcoll found =
        beam_run_inference(beam_window_into(in, tens), &scaled, .model = scaled_spec(paths[0]),
                           .model_metadata = beam_as_singleton(beam_window_into(names, tens)));
    beam_pcoll checked = beam_pardo(found, &check_fn);
    for (int w = 0; w < 4; w++) {
        const beam_window window = {w * 10000, w * 10000 + 10000};
        beam_assert_that(checked, beam_int64, numbers + w * 10, 10, .window = &window);
    }
    beam_result *result = NULL;
    beam_error err = {0};
    assert_ok(inference_try_run(p, 1, &result, &err), err);
    assert_int_equal(count_of(result, "models_refused"), 1);
    beam_result_free(result);
    assert_int_equal(atomic_load(&seen[1]), 10);
    assert_int_equal(atomic_load(&seen[2]), 10);
    assert_int_equal(atomic_load(&seen[3]), 20);
}

static int new_folder(void **state)
{
    *state = test_folder();
    return 0;
}

static int end_folder(void **state)
{
    test_remove_folder(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refresh_under_load, new_folder, end_folder),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_replaced, new_folder, end_folder),
        cmocka_unit_test_setup_teardown(test_nothing_to_begin_with, new_folder, end_folder),
        cmocka_unit_test_setup_teardown(test_each_key_has_newer_weights_of_its_own, new_folder,
                                        end_folder),
        cmocka_unit_test_setup_teardown(test_two_networks_under_one_pattern, new_folder,
                                        end_folder),
        cmocka_unit_test_setup_teardown(test_a_side_input_names_the_weights, new_folder,
                                        end_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
