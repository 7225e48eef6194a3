/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Handlers around handlers, keys, and more models than there is room for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/pipeline.h"
#include "inference_run.h"
#include "ml/model_cache.h"
#include "ml/shared_device.h"
#include "scaled.h"
#include "support/files.h"

#define RESULT(FIELD, S) FIELD(S, beam_int64, number) FIELD(S, beam_double, made)
BEAM_STRUCT(scaled_result, RESULT);
BEAM_KV(keyed_number, beam_str, beam_int64);
BEAM_KV(keyed_result, beam_str, scaled_result);
BEAM_KV(numbered_number, beam_int64, beam_int64);
BEAM_KV(numbered_result, beam_int64, scaled_result);

static beam_status pack(beam_ctx *c, const beam_int64 *number, const beam_model *model,
                        float *const *rows)
{
    (void)c;
    (void)model;
    for (int i = 0; i < SCALED_WIDE; i++)
        rows[0][i] = (float)*number;
    return BEAM_OK;
}

static beam_status unpack(beam_ctx *c, const beam_int64 *number, const beam_tensor *outputs,
                          size_t n, scaled_result *out)
{
    (void)n;
    const float *y = outputs[0].data;
    beam_str plus = {0};
    if (y[0] != y[SCALED_WIDE - 1])
        return beam_fail(c, BEAM_INTERNAL, "a row is torn");
    bool more = beam_inference_arg(c, "plus", &plus);
    *out = (scaled_result){*number, (double)y[0] + (more ? (double)plus.at[0] - '0' : 0)};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(scaled, beam_int64, scaled_result, pack, unpack, .make_network = scaled_network,
                   .hints = {.min_ram = "3GB", .accelerator = "type:base", .cpu_count = 2});

static beam_status parse(beam_ctx *c, const beam_str *text, scaled_in_ *number)
{
    const char *words = beam_cstr(c, *text);
    if (!words)
        return BEAM_RESOURCE_EXHAUSTED;
    char *end;
    *number = strtoll(words, &end, 10);
    return *end ? beam_fail(c, BEAM_INVALID_ARGUMENT, "\"%s\" is no number", words) : BEAM_OK;
}
BEAM_PREPROCESS_HANDLER(parsing, beam_str, scaled_result, scaled, parse);

static beam_status tell(beam_ctx *c, const parsing_out_ *result, beam_str *line)
{
    if (result->number == 13)
        return beam_fail(c, BEAM_OUT_OF_RANGE, "unlucky");
    *line = beam_format(c, "%lld:%g", (long long)result->number, result->made);
    return line->at ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_POSTPROCESS_HANDLER(telling, beam_str, beam_str, parsing, tell);

BEAM_KV(keyed_text, beam_str, beam_str);
BEAM_KEYED_HANDLER(keyed_telling, keyed_text, keyed_text, telling);
BEAM_KEYED_HANDLER(keyed, keyed_number, keyed_result, scaled);
BEAM_KEYED_HANDLER(numbered, numbered_number, numbered_result, scaled);
BEAM_KEYED_HANDLER(mistaken, keyed_text, keyed_text, scaled);

static beam_status shout(beam_ctx *c, const keyed_telling_out_ *result, beam_str *line)
{
    *line = beam_format(c, "%.*s=%.*s!", (int)result->key.len, result->key.at,
                        (int)result->value.len, result->value.at);
    return line->at ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_POSTPROCESS_HANDLER(shouting, keyed_text, beam_str, keyed_telling, shout,
                         .hints = {.cpu_count = 7});

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};

static int64_t run(beam_pipeline *p, uint32_t threads, const char *metric)
{
    beam_error err = {0};
    beam_result *result = NULL;
    beam_metric_cell cell = {0};
    assert_ok(inference_try_run(p, threads, &result, &err), err);
    (void)beam_result_metric(result, NULL, metric, &cell);
    beam_result_free(result);
    return cell.count ? cell.count : cell.sum;
}

static void fails(beam_pipeline *p, beam_status status, const char *words)
{
    beam_error err = {0};
    assert_fails(inference_try_run(p, 1, NULL, &err), status, err, words);
}

static int new_folder(void **state)
{
    *state = test_folder();
    scaled_write(test_path(*state, "three"), 3);
    return 0;
}

static int end_folder(void **state)
{
    test_remove_folder(*state);
    return 0;
}

/* ---- Handlers around handlers ---------------------------------------------------------------- */

static void test_chains(void **state)
{
    static const char *const made[] = {"a=1:6!", "b=10:33!"};
    const keyed_text in[] = {{beam_str_of("a"), beam_str_of("1")},
                             {beam_str_of("b"), beam_str_of("ten")},
                             {beam_str_of("c"), beam_str_of("13")},
                             {beam_str_of("b"), beam_str_of("10")}};
    const beam_str out[] = {beam_str_of(made[0]), beam_str_of(made[1])};
    beam_pipeline *p = beam_pipeline_new(NULL);
    const char *path = test_path(*state, "three");
    beam_pcoll found =
        beam_run_inference(beam_create(p, keyed_text, in, 4), &shouting, .model = scaled_spec(path),
                           .with_exception_handling = true);
    beam_assert_that(found, beam_str, out, 2);
    const shouting_failure before = {in[1], BEAM_INVALID_ARGUMENT,
                                     beam_str_of("\"ten\" is no number")};
    const shouting_failure after = {in[2], BEAM_OUT_OF_RANGE, beam_str_of("unlucky")};
    beam_assert_that(beam_output(found, BEAM_FAILED_PREPROCESSING), shouting_failure, &before, 1);
    beam_assert_that(beam_output(found, BEAM_FAILED_POSTPROCESSING), shouting_failure, &after, 1);
    assert_int_equal(run(p, 1, "num_inferences"), 3);
}

static void test_arguments_of_a_call(void **state)
{
    const beam_int64 in[] = {1, 2};
    const beam_named_value plus = {"plus", "4"};
    const scaled_result out[] = {{1, 10}, {2, 13}};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found = beam_run_inference(beam_create(p, beam_int64, in, 2), &scaled,
                                          .model = scaled_spec(test_path(*state, "three")),
                                          .inference_args = &plus, .num_inference_args = 1);
    beam_assert_that(found, scaled_result, out, 2);
    run(p, 1, "num_inferences");
}

static void find_namespace(void *user, const char *transform, const char *namespace_,
                           const char *name, beam_metric_kind kind, const beam_metric_cell *cell)
{
    (void)transform;
    (void)kind;
    const char **found = user;
    if (strcmp(name, "num_inferences") == 0 && cell->sum == 1)
        *found = strcmp(namespace_, "mine") == 0 ? "mine" : "another";
}

static void test_metrics_namespace(void **state)
{
    for (int own = 0; own < 2; own++) {
        const beam_int64 one = 1;
        const char *found = "none";
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(beam_create(p, beam_int64, &one, 1), &scaled,
                           .model = scaled_spec(test_path(*state, "three")),
                           .metrics_namespace = own ? "mine" : NULL);
        beam_error err = {0};
        beam_result *result = NULL;
        assert_ok(inference_try_run(p, 1, &result, &err), err);
        beam_result_metrics(result, find_namespace, &found);
        assert_string_equal(found, own ? "mine" : "another");
        beam_result_free(result);
    }
}

static const beam_graph_node *inference_node(const beam_pipeline *p)
{
    for (size_t i = 0; i <= p->n_nodes; i++)
        if (p->nodes[i] && strcmp(p->nodes[i]->proto.unique_name, "RunInference") == 0)
            return p->nodes[i];
    fail_msg("no RunInference");
    return NULL;
}

/* Whatever is wrapped around a handler, and however it is run, its hints reach the transform; what
 * is said further out goes first. */
static void test_every_wrapper_keeps_hints(void **state)
{
    (void)state;
    static const beam_model_handler *const handlers[] = {
        &scaled, &parsing, &telling, &keyed_telling, &keyed, &numbered, &shouting};
    const beam_key_model models[] = {
        {.keys = BEAM_KEYS(beam_str_of("1")), .model = {.network = beam_str_of("scaled")}}};
    const beam_named_value arg = {"a", "b"};
    for (size_t h = 0; h < sizeof handlers / sizeof *handlers; h++) {
        for (unsigned how = 0; how < 64; how++) {
            bool has_keys =
                handlers[h] == &keyed || handlers[h] == &numbered || handlers[h] == &keyed_telling;
            beam_pipeline *p = beam_pipeline_new(NULL);
            const beam_run_inference_args args = {
                .struct_size = sizeof args,
                .file = __FILE__,
                .line = __LINE__,
                .handler = handlers[h],
                .model = {.network = beam_str_of("scaled")},
                .with_exception_handling = how & 3,
                .failure_threshold = how & 2 ? 0.5 : 0,
                .models = how & 4 && has_keys ? models : NULL,
                .num_models = how & 4 && has_keys ? 1 : 0,
                .model_memory_budget = how & 8 ? 1000 : 0,
                .inference_args = &arg,
                .num_inference_args = how & 16 ? 1 : 0,
                .hints = {.accelerator = how & 32 ? "type:call" : NULL}};
            beam_error err = {0};
            (void)beam_run_inference_(
                beam_create_(p, &(const beam_create_args){.struct_size = sizeof(beam_create_args),
                                                          .type = handlers[h]->in}),
                &args);
            assert_ok(beam_pipeline_status(p, &err), err);
            const beam_merged_hints *hints = &inference_node(p)->hints;
            assert_string_equal(hints->accelerator, how & 32 ? "type:call" : "type:base");
            assert_int_equal(hints->min_ram_bytes, 3000000000);
            assert_int_equal(hints->cpu_count, handlers[h] == &shouting ? 7 : 2);
            beam_pipeline_free(p);
        }
    }
}

/* ---- A model a key --------------------------------------------------------------------------- */

static void test_keys_choose_models(void **state)
{
    scaled_write(test_path(*state, "five"), 5);
    char three[256], five[256];
    (void)snprintf(three, sizeof three, "%s", test_path(*state, "three"));
    (void)snprintf(five, sizeof five, "%s", test_path(*state, "five"));
    const beam_key_model models[] = {
        {.keys = BEAM_KEYS(beam_str_of("c"), beam_str_of("")), .model = scaled_spec(three)},
        {.keys = BEAM_KEYS(beam_str_of("e")), .model = scaled_spec(five)}};
    const keyed_number in[] = {{beam_str_of("e"), 1},
                               {beam_str_of("c"), 1},
                               {beam_str_of("x"), 1},
                               {beam_str_of(""), 2},
                               {beam_str_of("e"), 2}};
    const keyed_result out[] = {
        {in[0].key, {1, 10}}, {in[1].key, {1, 6}}, {in[3].key, {2, 9}}, {in[4].key, {2, 15}}};
    const keyed_failure none = {in[2], BEAM_NOT_FOUND, beam_str_of("no model is for key \"x\"")};
    const keyed_result otherwise = {in[2].key, {1, 6}};

    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found =
        beam_run_inference(beam_create(p, keyed_number, in, 5), &keyed, .models = models,
                           .num_models = 2, .with_exception_handling = true);
    beam_assert_that(found, keyed_result, out, 4);
    beam_assert_that(beam_output(found, BEAM_FAILED_PREPROCESSING), keyed_failure, &none, 1);
    assert_int_equal(run(p, 1, "load_model_latency_milli_secs"), 2);

    p = beam_pipeline_new(NULL); /* not handled */
    beam_run_inference(beam_create(p, keyed_number, in, 5), &keyed, .models = models,
                       .num_models = 2);
    fails(p, BEAM_NOT_FOUND, "no model is for key \"x\"");

    p = beam_pipeline_new(NULL); /* a model for all others */
    found = beam_run_inference(beam_create(p, keyed_number, &in[2], 1), &keyed, .models = models,
                               .num_models = 2, .model = scaled_spec(three));
    beam_assert_that(found, keyed_result, &otherwise, 1);
    run(p, 1, "num_inferences");
}

static void test_mistakes(void **state)
{
    (void)state;
    const beam_key_model twice[] = {
        {.keys = BEAM_KEYS(beam_str_of("c")), .model = scaled_spec("w")},
        {.keys = BEAM_KEYS(beam_str_of("c")), .model = scaled_spec("v")}};
    const beam_key_model empty[] = {{.model = scaled_spec("w")}};
    const keyed_number in = {beam_str_of("c"), 1};
    const struct {
        const beam_model_handler *handler;
        const beam_key_model *models;
        size_t num_models;
        double threshold;
        const char *words;
    } cases[] = {
        {&keyed, twice, 2, 0, "a key is named for two models"},
        {&keyed, empty, 1, 0, "has no keys"},
        {&scaled, twice, 1, 0, "BEAM_KEYED_HANDLER"},
        {&shouting, twice, 1, 0, "BEAM_KEYED_HANDLER"},
        {&mistaken, NULL, 0, 0, "a keyed handler takes KV<K, example>"},
        {&keyed, twice, 1, 1.5, "from 0 to 1"},
        {&keyed, twice, 1, 0.5, "with_exception_handling"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(beam_create(p, keyed_number, &in, 1), cases[i].handler,
                           .model = scaled_spec("w"), .models = cases[i].models,
                           .num_models = cases[i].num_models,
                           .failure_threshold = cases[i].threshold);
        fails(p, BEAM_INVALID_ARGUMENT, cases[i].words);
    }
}

/* Int64 keys are named as they are printed: with anything else the model would never be asked. */
static void test_numbers_as_keys(void **state)
{
    (void)state;
    const numbered_number in = {7, 1};
    static const char *const keys[] = {"x", "", "07", "+7", " 7", "7 ", "9223372036854775808"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        const beam_key_model model = {.keys = BEAM_KEYS(beam_str_of(keys[i])),
                                      .model = scaled_spec("w")};
        beam_run_inference(beam_create(p, numbered_number, &in, 1), &numbered, .models = &model,
                           .num_models = 1);
        fails(p, BEAM_INVALID_ARGUMENT, "is not the text of one");
    }
}

/* ---- More models than there is room for ------------------------------------------------------ */

enum { MODELS = 20, KEYS = 1000, MOST = 4000 };

typedef struct crowd {
    char paths[MODELS][256];
    char keys[KEYS][8];
    beam_str names[KEYS];
    beam_key_model models[MODELS];
    numbered_number in[MOST];
    numbered_result out[MOST];
    size_t num_models, n;
} crowd;

/* Key k is for model k % models; model m is weights m + 1. */
static void fill(crowd *c, const char *folder, size_t models, size_t keys, size_t n)
{
    c->num_models = models;
    c->n = n;
    for (size_t m = 0; m < models; m++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w%zu", m + 1);
        (void)snprintf(c->paths[m], sizeof c->paths[m], "%s", test_path(folder, name));
        scaled_write(c->paths[m], (int)m + 1);
    }
    size_t at = 0;
    for (size_t m = 0; m < models; m++) {
        size_t first = at;
        for (size_t k = m; k < keys; k += models, at++) {
            (void)snprintf(c->keys[at], sizeof c->keys[at], "%zu", k);
            c->names[at] = beam_str_of(c->keys[at]);
        }
        c->models[m] = (beam_key_model){.keys = {&c->names[first], at - first},
                                        .model = scaled_spec(c->paths[m])};
    }
    for (size_t i = 0; i < n; i++) {
        int64_t key = (int64_t)(i * 7919 % keys), scale = key % (int64_t)models + 1;
        c->in[i] = (numbered_number){key, (int64_t)i};
        c->out[i] = (numbered_result){key, {(int64_t)i, (double)(scale * (int64_t)i + scale)}};
    }
}

/* Peak bytes of the device over the run. */
static uint64_t run_crowd(const crowd *c, uint32_t threads, int64_t budget, int64_t *loads)
{
    beam_device *device = NULL;
    bool fell_back;
    beam_error err = {0};
    assert_ok(beam_shared_device_open("reference", &quiet, BEAM_LOG_INFO, NULL, &device, &fell_back,
                                      &err),
              err);
    beam_pipeline *p = beam_pipeline_new(NULL);
    /* What beam_create() makes is one bundle, which one thread runs; a reshuffle is for all. */
    beam_pcoll in = beam_reshuffle(beam_create(p, numbered_number, c->in, c->n));
    beam_pcoll found =
        beam_run_inference(in, &numbered, .models = c->models, .num_models = c->num_models,
                           .model_memory_budget = budget, .max_batch_size = 16);
    beam_assert_that(found, numbered_result, c->out, c->n);
    *loads = run(p, threads, "load_model_latency_milli_secs");
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes, 0); /* all released */
    assert_int_equal(memory.working_bytes, 0);
    beam_shared_device_close(device);
    return memory.peak_bytes;
}

/* In the room of one, threads that want different models at the same time must take turns. */
static void test_ten_models_in_little_room(void **state)
{
    static crowd c;
    int64_t loads;
    fill(&c, *state, 10, 10, 2000);
    uint64_t all = run_crowd(&c, 1, 0, &loads); /* ten models, each with the context of a thread */
    assert_int_equal(loads, 10);
    assert_true(all >= 10 * (uint64_t)SCALED_BYTES);
    for (uint64_t room = 1; room <= 3; room += 2) {
        for (uint32_t threads = 1; threads <= 4; threads *= 2) {
            uint64_t budget = room * (all / 10);
            uint64_t peak = run_crowd(&c, threads, (int64_t)budget, &loads);
            assert_true(loads > 10);
            /* A context is made, or grows with the batches, after its model is there; then the
             * oldest makes room. */
            uint64_t context = all / 10 - SCALED_BYTES;
            if (peak > budget + threads * (context + 1))
                fail_msg("%u threads: %llu bytes at most, the budget is %llu", threads,
                         (unsigned long long)peak, (unsigned long long)budget);
        }
    }
}

static void test_a_thousand_keys_over_twenty_models(void **state)
{
    static crowd c;
    int64_t loads;
    fill(&c, *state, MODELS, KEYS, MOST);
    uint64_t all = run_crowd(&c, 3, 0, &loads);
    assert_int_equal(loads, MODELS);
    assert_true(run_crowd(&c, 3, (int64_t)(all / 3), &loads) < all / 2);
    assert_true(loads >= MODELS);
}

static void test_a_model_larger_than_the_budget(void **state)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    const beam_int64 in = 1;
    beam_run_inference(beam_create(p, beam_int64, &in, 1), &scaled,
                       .model = scaled_spec(test_path(*state, "three")),
                       .model_memory_budget = 1000);
    fails(p, BEAM_RESOURCE_EXHAUSTED, "the budget for models is 1000");
}

/* The file of a model that had to make room is gone when it is wanted again: its examples fail,
 * with the reason, the others do not. */
static beam_status vanish(beam_ctx *c, const numbered_number *in)
{
    beam_str path = *beam_config(c, beam_str);
    if (in->value == 200 && unlink(beam_cstr(c, path)) != 0)
        return beam_fail(c, BEAM_INTERNAL, "not unlinked");
    return beam_emit_value(c, numbered_number, in);
}
BEAM_DOFN(vanish_fn, numbered_number, vanish, BEAM_TYPES(&numbered_number_type),
          .config = &beam_str_type);

static beam_status result_number(beam_ctx *c, const numbered_result *r)
{
    return beam_emit(c, beam_int64, r->value.number);
}
BEAM_DOFN(result_number_fn, numbered_result, result_number, BEAM_TYPES(&beam_int64_type));

static beam_status failed_number(beam_ctx *c, const numbered_failure *f)
{
    if (f->element.key != 0 || f->code != BEAM_NOT_FOUND)
        return beam_fail(c, BEAM_INTERNAL, "key %lld: %.*s", (long long)f->element.key,
                         (int)f->message.len, f->message.at);
    return beam_emit(c, beam_int64, f->element.value);
}
BEAM_DOFN(failed_number_fn, numbered_failure, failed_number, BEAM_TYPES(&beam_int64_type));

static void test_a_file_that_vanishes(void **state)
{
    static crowd c;
    static beam_int64 numbers[400];
    fill(&c, *state, 4, 4, 400);
    for (size_t i = 0; i < c.n; i++)
        numbers[i] = (int64_t)i;
    const beam_str path = beam_str_of(c.paths[0]);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll in =
        beam_pardo(beam_create(p, numbered_number, c.in, c.n), &vanish_fn, .config = &path);
    beam_pcoll found = beam_run_inference(
        in, &numbered, .models = c.models, .num_models = c.num_models, .max_batch_size = 4,
        .model_memory_budget = SCALED_BYTES * 2, .with_exception_handling = true);
    const beam_pcoll all[] = {
        beam_pardo(found, &result_number_fn),
        beam_pardo(beam_output(found, BEAM_FAILED_INFERENCES), &failed_number_fn)};
    beam_assert_that(beam_flatten(all, 2), beam_int64, numbers, c.n);
    assert_true(run(p, 1, "failed_inferences") > 40);
}

/* ---- Too many failures ----------------------------------------------------------------------- */

static void test_threshold(void **state)
{
    const beam_str in[] = {beam_str_of("1"), beam_str_of("2"), beam_str_of("x"), beam_str_of("4")};
    const char *path = test_path(*state, "three");
    for (int i = 0; i < 2; i++) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(beam_create(p, beam_str, in, 4), &telling, .model = scaled_spec(path),
                           .with_exception_handling = true, .failure_threshold = i ? 0.25 : 0.2);
        if (i)
            run(p, 2, "num_inferences");
        else
            fails(p, BEAM_FAILED_PRECONDITION, "0.25 of the elements failed");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_arguments_of_a_call),
        cmocka_unit_test(test_metrics_namespace),
        cmocka_unit_test(test_every_wrapper_keeps_hints),
        cmocka_unit_test(test_keys_choose_models),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_numbers_as_keys),
        cmocka_unit_test(test_ten_models_in_little_room),
        cmocka_unit_test(test_a_thousand_keys_over_twenty_models),
        cmocka_unit_test(test_a_model_larger_than_the_budget),
        cmocka_unit_test(test_a_file_that_vanishes),
        cmocka_unit_test(test_threshold),
    };
    return cmocka_run_group_tests(tests, new_folder, end_folder);
}
