/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What a pipeline's graph tells of its work: images through inference, whatever lies between;
 * sweeps by network and precision; what nobody can know; and no memory at any point. */
#include "support/files.h"

#include <stdio.h>
#include <string.h>

#include <beam/beam.h>

#include "app/work.h"
#include "base/alloc.h"

static beam_status pack(beam_ctx *c, const beam_labeled_image *image, const beam_model *model,
                        float *const *rows)
{
    return beam_pack_image(c, &image->image, model, rows[0]);
}

static beam_status unpack(beam_ctx *c, const beam_labeled_image *image, const beam_tensor *outputs,
                          size_t n_outputs, beam_classified *result)
{
    (void)n_outputs;
    *result = (beam_classified){image->id, image->label, beam_predicted_class(c, &outputs[0])};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(work_handler, beam_labeled_image, beam_classified, pack, unpack);

static beam_status keep(beam_ctx *c, const beam_labeled_image *image)
{
    return beam_emit_value(c, beam_labeled_image, image);
}
BEAM_DOFN(keep_fn, beam_labeled_image, keep, BEAM_TYPES(&beam_labeled_image_type));

static const beam_model_spec model = {.network = {"small_cnn", 9},
                                      .precision = {"bf16", 4},
                                      .device = {"gpu", 3},
                                      .num_classes = 10,
                                      .channels = 1,
                                      .height = 8};

static void classify(beam_pipeline *p)
{
    beam_pcoll some = beam_read_dataset(p, "digits", .split = "test", .num_images = 100);
    beam_pcoll all = beam_read_dataset(p, "digits", .split = "all", .name = "All");
    beam_pcoll both[] = {beam_reshuffle(beam_pardo(some, &keep_fn)), all};
    beam_run_inference(beam_flatten(both, 2), &work_handler, .model = model);
}

static void train(beam_pipeline *p)
{
    const beam_training_config configs[] = {
        {.model_name = beam_str_of("small_cnn"), .dataset = beam_str_of("digits"), .epochs = 3},
        {.model_name = beam_str_of("small_cnn"),
         .dataset = beam_str_of("digits"),
         .epochs = 10,
         .num_images = 1000},
        {.model_name = beam_str_of("small_cnn"),
         .dataset = beam_str_of("digits"),
         .epochs = 2,
         .precision = beam_str_of("bf16"),
         .num_images = 1000000,
         .image_size = 32},
        {.model_name = beam_str_of("resnet18"),
         .dataset = beam_str_of("/none/at/all"),
         .epochs = 2,
         .num_threads = 4,
         .num_replicas = 8}};
    beam_train_models(beam_reshuffle(beam_training_configs_create(p, configs, 4)), .device = "tpu");
}

static beam_works read_works(void (*build)(beam_pipeline *), beam_arena *arena)
{
    beam_works works;
    beam_error err = {0};
    beam_pipeline *p = beam_pipeline_new(NULL);
    build(p);
    assert_ok(beam_pipeline_status(p, &err), err);
    assert_ok(beam_works_read(p, arena, &works, &err), err);
    beam_pipeline_free(p);
    return works;
}

static void inference(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_works works = read_works(classify, &arena);
    assert_int_equal(works.n, 1);
    const beam_model_work *w = works.items;
    assert_false(w->training);
    assert_string_equal(w->model, "small_cnn");
    assert_string_equal(w->precision, "bf16");
    assert_string_equal(w->device, "gpu");
    assert_int_equal(w->image_size, 8);
    assert_true(w->images == 100 + 1797);
    beam_arena_free(&arena);
}

static void training(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_works works = read_works(train, &arena);
    assert_int_equal(works.n, 3);
    const beam_model_work *w = works.items;
    assert_true(w[0].training);
    assert_int_equal(w[0].configs, 2);
    assert_string_equal(w[0].device, "tpu");
    assert_true(w[0].images == 3 * 1438 + 10 * 1000);
    assert_true(w[0].longest == 10 * 1000);
    assert_int_equal(w[0].threads, 1);
    assert_string_equal(w[1].precision, "bf16");
    assert_int_equal(w[1].image_size, 32);
    assert_true(w[1].images == 2 * 1438);
    assert_string_equal(w[2].model, "resnet18"); /* of images that are not there */
    assert_true(w[2].images < 0);
    assert_int_equal(w[2].image_size, 0);
    assert_int_equal(w[2].threads, 4);
    assert_int_equal(w[2].replicas, 8);
    beam_arena_free(&arena);
}

static beam_status make(beam_ctx *c, const beam_bytes *nothing)
{
    (void)c, (void)nothing;
    return BEAM_OK;
}
BEAM_DOFN(make_fn, beam_bytes, make, BEAM_TYPES(&beam_labeled_image_type));

static void make_images(beam_pipeline *p)
{
    beam_run_inference(beam_pardo(beam_impulse(p), &make_fn), &work_handler, .model = model);
}

/* Branches that part and meet again, so often that there are 2^40 ways back. */
static void branch(beam_pipeline *p)
{
    beam_pcoll images = beam_read_dataset(p, "digits");
    for (int i = 0; i < 40; i++) {
        beam_pcoll both[] = {images, beam_pardo(images, &keep_fn)};
        images = beam_flatten(both, 2);
    }
    beam_run_inference(images, &work_handler, .model = model);
}

static void nothing(beam_pipeline *p)
{
    const beam_int64 one = 1;
    beam_create(p, beam_int64, &one, 1);
}

static void unknown(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_works works = read_works(make_images, &arena);
    assert_int_equal(works.n, 1);
    assert_true(works.items[0].images < 0);
    works = read_works(branch, &arena);
    assert_true(works.items[0].images < 0);
    works = read_works(nothing, &arena);
    assert_int_equal(works.n, 0);
    beam_arena_free(&arena);
}

/* One call after the other finds no memory: that is told, or the data set counts as unreadable. */
static void no_memory(void **state)
{
    (void)state;
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    beam_works works;
    beam_pipeline *p = beam_pipeline_new(NULL);
    train(p);
    classify(p);
    double images = -1;
    for (uint64_t n = 1; status != BEAM_OK || images != 100 + 1797; n++) {
        beam_arena arena = {0};
        beam_alloc_fail_at(n, 0);
        status = beam_works_read(p, &arena, &works, NULL);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        if (status == BEAM_OK)
            images = works.items[works.n - 1].images;
        beam_arena_free(&arena);
        assert_true(n < 5000);
    }
    beam_pipeline_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(inference), cmocka_unit_test(training),
                                       cmocka_unit_test(unknown), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
