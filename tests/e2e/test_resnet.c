/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* ResNet-18 on CIFAR-10 in a pipeline, against what PyTorch computed with the same weights. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <beam/beam.h>

#include "e2e/cifar10.h"
#include "ml/model_cache.h"
#include "support/files.h"

enum { CLASSES = 10, KNOWN = 256 };

static beam_status pack(beam_ctx *c, const beam_labeled_image *image, const beam_model *model,
                        float *const *rows)
{
    return beam_pack_image(c, &image->image, model, rows[0]);
}

static beam_status unpack(beam_ctx *c, const beam_labeled_image *image, const beam_tensor *outputs,
                          size_t n, beam_classified *out)
{
    (void)n;
    *out = (beam_classified){image->id, image->label, beam_predicted_class(c, &outputs[0])};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(classify, beam_labeled_image, beam_classified, pack, unpack);
BEAM_PREDICTION(image_prediction, beam_labeled_image);
BEAM_PREDICTION_HANDLER(logits, beam_labeled_image, image_prediction, pack);

/* Checks leave what they saw here; each id is one bundle thread's alone. */
static double seen[KNOWN][CLASSES];
static double accuracy;

static beam_status see_logits(beam_ctx *c, const image_prediction *p)
{
    if (p->example.id >= KNOWN || p->inference.rank != 1 || p->inference.shape[0] != CLASSES)
        return beam_fail(c, BEAM_INTERNAL, "not %d logits", CLASSES);
    const float *values = p->inference.data;
    for (int i = 0; i < CLASSES; i++)
        seen[p->example.id][i] = values[i];
    return BEAM_OK;
}
BEAM_DOFN(see_logits_fn, image_prediction, see_logits);

static beam_status see_accuracy(beam_ctx *c, const beam_accuracy_result *result)
{
    (void)c;
    accuracy = result->accuracy;
    return result->total == 10000 ? BEAM_OK : BEAM_INTERNAL;
}
BEAM_DOFN(see_accuracy_fn, beam_accuracy_result, see_accuracy);

static void choose(const char *weights, const char *precision, beam_dataset **dataset,
                   beam_classifier *chosen)
{
    beam_error err = {0};
    const beam_dataset_options from = {.struct_size = sizeof from, .data_dir = cifar10_copy()};
    assert_ok(beam_dataset_open("cifar10", &from, dataset, &err), err);
    const beam_classifier_options options = {
        .struct_size = sizeof options, .weights = weights, .precision = precision};
    assert_ok(beam_choose_classifier(beam_dataset_get_info(*dataset), &options, chosen, &err), err);
    assert_true(chosen->can_be_scored);
    assert_int_equal(chosen->model.height, 32);
}

static void run(beam_pipeline *p)
{
    beam_error err = {0};
    size_t models, before, after;
    beam_model_cache_count(&models, &before);
    assert_ok(beam_pipeline_run(p, NULL, NULL, &err), err);
    beam_model_cache_count(&models, &after);
    assert_int_equal(models, 0);
    assert_int_equal(after, before + 1); /* one load, whatever the number of threads */
    beam_pipeline_free(p);
}

static char *weights_path(void)
{
    char *path = strdup(test_data("resnet18-cifar10.pth"));
    assert_non_null(path);
    return path;
}

/* ---- Logits ------------------------------------------------------------------------------------
 */

static double logits_difference(const char *weights)
{
    beam_dataset *dataset = NULL;
    beam_classifier chosen;
    choose(weights, "f32", &dataset, &chosen);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll images =
        beam_read_dataset(p, "cifar10", .data_dir = cifar10_copy(), .num_images = KNOWN);
    beam_pardo(beam_run_inference(images, &logits, .model = chosen.model), &see_logits_fn);
    run(p);
    beam_dataset_close(dataset);
    size_t size;
    char *bytes = test_read_file(test_data("resnet18-cifar10-logits.f32"), &size);
    assert_int_equal(size, KNOWN * CLASSES * sizeof(float));
    double most = 0;
    for (size_t i = 0; i < KNOWN * CLASSES; i++) {
        float expected;
        memcpy(&expected, bytes + i * sizeof expected, sizeof expected);
        most = fmax(most, fabs(seen[i / CLASSES][i % CLASSES] - (double)expected));
    }
    free(bytes);
    memset(seen, 0, sizeof seen);
    return most;
}

static void test_logits_of_pth(void **state)
{
    (void)state;
    char *weights = weights_path();
    assert_true(logits_difference(weights) <= 1e-3);
    free(weights);
}

static void test_logits_of_safetensors(void **state)
{
    (void)state;
    char *weights = weights_path(), *folder = test_folder();
    const char *path = test_path(folder, "resnet18.safetensors");
    beam_weights *read = NULL;
    beam_error err = {0};
    assert_ok(beam_weights_open(weights, &read, &err), err);
    size_t n = beam_weights_count(read);
    beam_named_tensor *tensors = calloc(n, sizeof *tensors);
    assert_non_null(tensors);
    for (size_t i = 0; i < n; i++)
        tensors[i] = (beam_named_tensor){beam_weights_name(read, i), beam_weights_tensor(read, i)};
    assert_ok(beam_weights_save_safetensors(path, tensors, n, NULL, 0, &err), err);
    free(tensors);
    beam_weights_close(read);
    assert_true(logits_difference(path) <= 1e-3);
    free(weights);
    test_remove_folder(folder);
}

/* ---- Accuracy ----------------------------------------------------------------------------------
 */

static double known_accuracy(void)
{
    json_t *facts = json_load_file(test_data("resnet18-cifar10.json"), 0, NULL);
    assert_non_null(facts);
    double value = json_real_value(json_object_get(facts, "accuracy"));
    json_decref(facts);
    return value;
}

static void check_accuracy(const char *precision, double tolerance)
{
    char *weights = weights_path();
    beam_dataset *dataset = NULL;
    beam_classifier chosen;
    choose(weights, precision, &dataset, &chosen);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll images = beam_read_dataset(p, "cifar10", .data_dir = cifar10_copy());
    beam_pcoll found =
        beam_run_inference(images, &classify, .model = chosen.model, .max_batch_size = 128);
    beam_pardo(beam_combine_globally(found, &beam_accuracy), &see_accuracy_fn);
    run(p);
    beam_dataset_close(dataset);
    free(weights);
    if (fabs(accuracy - known_accuracy()) > tolerance)
        fail_msg("accuracy %g at %s instead of %g", accuracy, precision, known_accuracy());
}

static void test_accuracy_f32(void **state)
{
    (void)state;
    check_accuracy("f32", 0.001);
}

static void test_accuracy_bf16(void **state)
{
    (void)state;
    check_accuracy("bf16", 0.003);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logits_of_pth),
        cmocka_unit_test(test_logits_of_safetensors),
        cmocka_unit_test(test_accuracy_f32),
        cmocka_unit_test(test_accuracy_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
