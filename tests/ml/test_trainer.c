/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A trainer: what it makes of its configuration, and what comes out. */
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <beam/training.h>
#include <beam/weights.h>

#include "base/alloc.h"
#include "ml/images.h"
#include "ml/lookahead.h"
#include "ml/trainer.h"
#include "ml/trainings.h"

/* ---- Training -------------------------------------------------------------------------------- */

static void test_epochs(void **state)
{
    fixture *f = *state;
    steps s = {0};
    beam_error err = {0};
    const beam_training_config config = tiny_training();
    beam_trainer_options options = trainer_options_for(f, NULL);
    options.on_step = count_step;
    options.user = &s;
    beam_trainer *t = open_trainer(f, &config, &options);
    beam_trainer_progress p = beam_trainer_get_progress(t);
    assert_true(p.epoch == 0 && p.step == 0 && !p.restored && isnan(p.loss));
    assert_int_equal(p.steps_per_epoch, PER_EPOCH);
    assert_int_equal(p.total_steps, PER_EPOCH * EPOCHS);
    assert_string_equal(beam_network_name(p.network), "small_cnn");
    assert_int_equal(p.dataset->count, COUNT);
    for (int i = 1; i <= EPOCHS; i++) {
        beam_epoch_result result;
        assert_ok(beam_trainer_epoch(t, &result, &err), err);
        p = beam_trainer_get_progress(t);
        assert_int_equal(p.epoch, i);
        assert_int_equal(p.step, i * PER_EPOCH);
        assert_int_equal(s.count, i * PER_EPOCH);
        assert_true(p.loss == result.loss && result.loss > 0 && result.loss < 5);
        assert_true(result.accuracy >= 0 && result.accuracy <= 1);
        assert_true(result.seconds > 0 && result.images_per_second > 0);
        assert_true(p.seconds >= result.seconds);
    }
    beam_epoch_result result;
    assert_fails(beam_trainer_epoch(t, &result, &err), BEAM_FAILED_PRECONDITION, err,
                 "all 3 epochs are done");
    beam_trainer_close(t);
}

/* An on_evaluate that counts, and refuses from one on. */
static beam_status count_evaluate(void *user, uint64_t images)
{
    steps *s = user;
    assert_true(s->count > 0 || images == 0);
    return ++s->count >= s->stop_at ? BEAM_CANCELLED : BEAM_OK;
}

static void test_evaluation_ends_when_told(void **state)
{
    fixture *f = *state;
    steps s = {.stop_at = 100};
    beam_error err = {0};
    beam_evaluation found = {-1, -1};
    const beam_training_config config = tiny_training();
    beam_trainer_options options = trainer_options_for(f, NULL);
    options.on_evaluate = count_evaluate;
    options.user = &s;
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_ok(beam_trainer_evaluate(t, &found, &err), err);
    assert_true(found.accuracy >= 0 && s.count > 0 && s.count < s.stop_at);
    s = (steps){.stop_at = 1};
    found.accuracy = -1;
    assert_fails(beam_trainer_evaluate(t, &found, &err), BEAM_CANCELLED, err,
                 "ended by on_evaluate");
    assert_true(found.accuracy == -1 && s.count == 1);
    beam_trainer_close(t);
}

static void test_same_bits_again(void **state)
{
    fixture *f = *state;
    size_t a_size, b_size, c_size;
    char *a = finish_training_in(f, NULL, &a_size), *b = finish_training_in(f, NULL, &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    beam_training_config config = tiny_training();
    config.seed++;
    const beam_trainer_options options = trainer_options_for(f, NULL);
    char *c = finish_training(f, open_trainer(f, &config, &options), &c_size);
    assert_int_equal(a_size, c_size);
    assert_memory_not_equal(a, c, a_size);
    free(a);
    free(b);
    free(c);
}

/* What a pull does to weights, and that a trainer pulls. */
static void test_lookahead(void **state)
{
    enum { MOST = 1 << 16, EVERY = 5 };
    fixture *f = *state;
    beam_error err = {0};
    beam_lookahead slow;
    beam_device *device;
    beam_training *training;
    beam_network *net;
    const beam_network_options size = {
        .struct_size = sizeof size, .num_classes = CLASSES, .channels = 1, .height = SIDE};
    const beam_training_options options = {.struct_size = sizeof options, .batch_size = BATCH};
    assert_ok(beam_device_open("reference", NULL, &device, &err), err);
    assert_ok(beam_network_create("small_cnn", &size, &net, &err), err);
    assert_ok(beam_network_initialize(net, 3, &err), err);
    assert_ok(beam_device_train(device, net, &options, &training, &err), err);
    assert_ok(beam_lookahead_open(&slow, training, beam_network_num_parameters(net), &err), err);
    assert_string_equal(slow.names[0], "conv1.weight.slow");
    float *moved = calloc(MOST, sizeof *moved), *after = calloc(MOST, sizeof *after);
    for (size_t i = 0; i < 9; i++)
        moved[i] = slow.weights[0][i] + 1;
    float before = slow.weights[0][4];
    assert_ok(beam_training_write(training, "conv1.weight", moved, &err), err);
    assert_ok(beam_lookahead_pull(&slow, training, 0.75, &err), err);
    assert_ok(beam_training_read(training, "conv1.weight", after, &err), err);
    assert_true(fabs((double)(after[4] - (before + 0.25f))) < 1e-6);
    assert_true(slow.weights[0][4] == after[4]);
    assert_ok(beam_training_write(training, "conv1.weight", moved, &err), err);
    assert_ok(beam_lookahead_pull(&slow, training, 1, &err), err);
    assert_ok(beam_training_read(training, "conv1.weight", moved, &err), err);
    assert_true(moved[4] == after[4]);
    beam_lookahead_free(&slow);
    beam_training_free(training);
    beam_network_free(net);
    beam_device_close(device);
    free(moved);
    free(after);

    size_t a_size, b_size;
    beam_training_config config = tiny_training();
    const beam_trainer_options plain = trainer_options_for(f, NULL);
    char *a = finish_training_in(f, NULL, &a_size);
    config.lookahead = EVERY;
    char *b = finish_training(f, open_trainer(f, &config, &plain), &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_not_equal(a, b, a_size);
    free(a);
    free(b);
}

/* Images that must be resized on their way. */
static void test_image_size(void **state)
{
    fixture *f = *state;
    beam_error err = {0};
    beam_evaluation found;
    beam_epoch_result result;
    beam_training_config config = tiny_training();
    config.image_size = 6;
    const beam_trainer_options options = trainer_options_for(f, NULL);
    beam_trainer *t = open_trainer(f, &config, &options);
    beam_tensor input = beam_network_input(beam_trainer_get_progress(t).network, 0, 1);
    assert_int_equal(input.shape[2], 6);
    assert_ok(beam_trainer_epoch(t, &result, &err), err);
    assert_ok(beam_trainer_evaluate(t, &found, &err), err);
    beam_trainer_close(t);
}

/* A training on windows of images makes a model for whole ones, and goes on like any other. */
static void test_window(void **state)
{
    fixture *f = *state;
    beam_error err = {0};
    beam_epoch_result result;
    size_t sizes[3];
    char *models[3];
    beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, NULL);
    char folder[200];
    (void)snprintf(folder, sizeof folder, "%s/windows", f->folder);
    models[0] = finish_training(f, open_trainer(f, &config, &options), &sizes[0]);
    config.augment = beam_str_of("window:3");
    models[1] = finish_training(f, open_trainer(f, &config, &options), &sizes[1]);
    const beam_trainer_options kept = trainer_options_for(f, folder);
    beam_trainer *t = open_trainer(f, &config, &kept);
    beam_tensor input = beam_network_input(beam_trainer_get_progress(t).network, 0, 1);
    assert_int_equal(input.shape[2], SIDE);
    assert_ok(beam_trainer_epoch(t, &result, &err), err);
    beam_trainer_close(t);
    t = open_trainer(f, &config, &kept);
    assert_true(beam_trainer_get_progress(t).restored);
    models[2] = finish_training(f, t, &sizes[2]);
    assert_int_equal(sizes[1], sizes[2]);
    assert_memory_equal(models[1], models[2], sizes[1]);
    assert_true(sizes[0] != sizes[1] || memcmp(models[0], models[1], sizes[0]) != 0);
    for (int i = 0; i < 3; i++)
        free(models[i]);
}

static void test_divergence(void **state)
{
    fixture *f = *state;
    beam_epoch_result result;
    beam_error err;
    beam_training_config config = tiny_training();
    config.learning_rate = 1e30;
    config.schedule = beam_str_of("constant");
    const beam_trainer_options options = trainer_options_for(f, NULL);
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_fails(beam_trainer_epoch(t, &result, &err), BEAM_ABORTED, err,
                 "(in epoch 1): the training has diverged. Try a learning_rate below 1e+30");
    assert_non_null(strstr(err.message, "at step "));
    assert_null(strstr(err.message, "-nan"));
    assert_fails(beam_trainer_epoch(t, &result, &err), BEAM_FAILED_PRECONDITION, err,
                 "only a new trainer can go on");
    beam_trainer_close(t);
}

/* The loss may be a number all the same: a relu hides what a batch norm makes of its averages. */
static void test_weights_that_are_no_numbers(void **state)
{
    fixture *f = *state;
    beam_epoch_result result;
    beam_evaluation found;
    beam_error err = {0};
    beam_parameter p;
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, NULL);
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_ok(beam_trainer_epoch(t, &result, &err), err);
    assert_ok(beam_trainer_evaluate(t, &found, &err), err);
    assert_int_equal(beam_network_parameter(t->network, 1, &p), BEAM_OK);
    size_t bytes = beam_tensor_bytes(&p.tensor);
    float *data = malloc(bytes);
    assert_ok(beam_training_read(t->training, p.name, data, &err), err);
    data[bytes / sizeof *data - 1] = INFINITY;
    assert_ok(beam_training_write(t->training, p.name, data, &err), err);
    assert_fails(beam_trainer_evaluate(t, &found, &err), BEAM_ABORTED, err,
                 " is inf at step 6 (in epoch 1): the training has diverged.");
    assert_non_null(strstr(err.message, p.name));
    const char *path = test_path(f->folder, "model.safetensors");
    assert_fails(beam_trainer_export(t, path, BEAM_F32, &err), BEAM_ABORTED, err, p.name);
    assert_int_equal(access(path, F_OK), -1);
    free(data);
    beam_trainer_close(t);
}

/* ---- Results --------------------------------------------------------------------------------- */

/* The share of the test images that a file's weights get right, one after the other. */
static double accuracy_of(const fixture *f, const char *path, beam_precision precision)
{
    const beam_compile_options compile = {
        .struct_size = sizeof compile, .precision = precision, .max_batch = 1};
    const beam_network_options options = {
        .struct_size = sizeof options, .num_classes = CLASSES, .channels = 1, .height = SIDE};
    beam_error err = {0};
    beam_weights *w;
    beam_network *network;
    beam_model *model;
    beam_model_context *context;
    assert_ok(beam_weights_open(path, &w, &err), err);
    assert_ok(beam_network_create("small_cnn", &options, &network, &err), err);
    const beam_weight_source source = beam_weights_source(w);
    assert_ok(beam_network_bind(network, &source, &err), err);
    assert_ok(beam_device_compile(f->device, network, &compile, &model, &err), err);
    assert_ok(beam_model_context_new(model, &context, &err), err);
    int correct = 0;
    for (uint64_t i = 0; i < 2 * COUNT; i++) {
        float image[SIDE * SIDE];
        uint32_t label;
        beam_tensor input = beam_model_input(model, 0, 1), output;
        input.data = image;
        assert_ok(beam_dataset_fill(f->test, &i, 1, 0, 0, image, &label, &err), err);
        assert_ok(beam_model_run(context, &input, 1, &output, 1, &err), err);
        const float *y = output.data;
        correct += label == (y[1] > y[0] ? (y[2] > y[1] ? 2u : 1u) : (y[2] > y[0] ? 2u : 0u));
    }
    beam_model_context_free(context);
    beam_model_free(model);
    beam_network_free(network);
    beam_weights_close(w);
    return (double)correct / (2 * COUNT);
}

static void check_exported_weights(fixture *f, beam_precision precision)
{
    beam_error err = {0};
    beam_epoch_result result;
    beam_evaluation found;
    beam_training_config config = tiny_training();
    config.precision = beam_str_of(beam_precision_name(precision));
    const beam_trainer_options options = trainer_options_for(f, NULL);
    beam_trainer *t = open_trainer(f, &config, &options);
    for (int i = 0; i < EPOCHS; i++) {
        const char *path = test_path(f->folder, "w");
        assert_ok(beam_trainer_epoch(t, &result, &err), err);
        assert_ok(beam_trainer_evaluate(t, &found, &err), err);
        assert_ok(beam_trainer_export(t, path, BEAM_F32, &err), err);
        assert_true(found.accuracy == accuracy_of(f, path, precision));
    }
    beam_trainer_close(t);
}

static void test_exported_weights_are_as_accurate(void **state)
{
    check_exported_weights(*state, BEAM_PRECISION_F32);
    check_exported_weights(*state, BEAM_PRECISION_BF16);
}

static void test_export(void **state)
{
    fixture *f = *state;
    beam_error err = {0};
    beam_weights *full, *half;
    beam_tensor a, b;
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, NULL);
    const char *path = test_path(f->folder, "f32"), *small = test_path(f->folder, "bf16");
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_ok(beam_trainer_export(t, path, BEAM_F32, &err), err);
    assert_ok(beam_trainer_export(t, small, BEAM_BF16, &err), err);
    assert_ok(beam_weights_open(path, &full, &err), err);
    assert_ok(beam_weights_open(small, &half, &err), err);
    assert_int_equal(beam_weights_count(full), beam_weights_count(half));
    for (size_t i = 0; i < beam_weights_count(full); i++) {
        a = beam_weights_tensor(full, i);
        assert_ok(beam_weights_find(half, beam_weights_name(full, i), &b, &err), err);
        assert_true(a.dtype == BEAM_F32 && b.dtype == BEAM_BF16);
        size_t count = beam_tensor_bytes(&b) / 2;
        assert_int_equal(beam_tensor_bytes(&a), 4 * count);
        for (size_t k = 0; k < count; k++)
            assert_int_equal(((const uint16_t *)b.data)[k],
                             beam_f32_to_bf16(((const float *)a.data)[k]));
    }
    assert_string_equal(beam_weights_metadata(full, "network"), "small_cnn");
    assert_string_equal(beam_weights_metadata(full, "num_classes"), "3");
    assert_string_equal(beam_weights_metadata(full, "image"), "1 4 4");
    assert_string_equal(beam_weights_metadata(full, "mean"), "0.5");
    beam_weights_close(full);
    beam_weights_close(half);
    assert_fails(beam_trainer_export(t, path, BEAM_I8, &err), BEAM_INVALID_ARGUMENT, err,
                 "not as i8");
    /* Folders are made, but not where there is a file. */
    assert_ok(beam_trainer_export(t, test_path(f->folder, "new/deep/f32"), BEAM_F32, &err), err);
    assert_int_equal(access(test_path(f->folder, "new/deep/f32"), R_OK), 0);
    assert_fails(beam_trainer_export(t, test_path(f->folder, "new/deep/f32/w"), BEAM_F32, &err),
                 BEAM_ALREADY_EXISTS, err, "new/deep/f32: it is a file");
    beam_trainer_close(t);
}

static double evaluated(fixture *f, const beam_training_config *config)
{
    beam_error err = {0};
    beam_evaluation found, again;
    beam_epoch_result result;
    const beam_trainer_options options = trainer_options_for(f, NULL);
    beam_trainer *t = open_trainer(f, config, &options);
    assert_ok(beam_trainer_epoch(t, &result, &err), err);
    assert_ok(beam_trainer_evaluate(t, &found, &err), err);
    assert_ok(beam_trainer_evaluate(t, &again, &err), err);
    assert_true(found.accuracy == again.accuracy && found.plain_accuracy == again.plain_accuracy);
    if (!config->flip_average && !config->shift_average)
        assert_true(found.plain_accuracy == found.accuracy);
    beam_trainer_close(t);
    return found.accuracy;
}

/* Images of two chunks; on the reference device, which trains with one thread whatever it is told,
 * so that only evaluation differs. */
static void test_evaluation_threads_and_flips(void **state)
{
    enum { IMAGES = 210 };
    fixture *f = *state;
    beam_error err = {0};
    beam_training_config config = tiny_training();
    beam_dataset_close(f->test);
    free(f->test_records);
    f->test = random_images(IMAGES, 1, SIDE, SIDE, CLASSES, &f->test_records);
    beam_device_close(f->device);
    assert_ok(beam_device_open("reference", NULL, &f->device, &err), err);
    config.num_images = BATCH;
    for (int flips = 0; flips < 2; flips++) {
        config.flip_average = flips;
        config.num_threads = 1;
        double alone = evaluated(f, &config);
        config.num_threads = 2;
        assert_true(alone == evaluated(f, &config));
    }
    config.shift_average = true;
    double moved = evaluated(f, &config);
    config.num_threads = 1;
    assert_true(moved == evaluated(f, &config));
    /* Images that are their own mirror images: averaging changes nothing. */
    for (size_t i = 0; i < IMAGES; i++)
        for (size_t p = 0; p < SIDE * SIDE; p++)
            f->test_records[i * (1 + SIDE * SIDE) + 1 + p] = (uint8_t)(p / SIDE * 50 + i);
    config.flip_average = config.shift_average = false;
    double plain = evaluated(f, &config);
    config.flip_average = true;
    assert_true(plain == evaluated(f, &config));
    /* And images of one colour look the same wherever they are moved to. */
    for (size_t i = 0; i < IMAGES; i++)
        memset(f->test_records + i * (1 + SIDE * SIDE) + 1, (int)i, SIDE * SIDE);
    config.flip_average = false;
    plain = evaluated(f, &config);
    config.shift_average = true;
    assert_true(plain == evaluated(f, &config));
}

static void test_transfer(void **state)
{
    fixture *f = *state;
    beam_error err = {0};
    uint8_t *records;
    beam_weights *before, *after;
    beam_tensor a, b;
    beam_training_config config = tiny_training();
    beam_trainer_options options = trainer_options_for(f, NULL);
    char path[4096], other[4096];
    (void)snprintf(path, sizeof path, "%s/three-classes", f->folder);
    (void)snprintf(other, sizeof other, "%s/five-classes", f->folder);
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_ok(beam_trainer_export(t, path, BEAM_BF16, &err), err);
    beam_trainer_close(t);

    beam_dataset *five = random_images(COUNT, 1, SIDE, SIDE, 5, &records);
    options.train_data = options.test_data = five;
    config.seed++;
    config.init_weights = beam_str_of(path);
    t = open_trainer(f, &config, &options);
    assert_non_null(strstr(f->log, "starting afresh: fc\n"));
    assert_ok(beam_trainer_export(t, other, BEAM_BF16, &err), err);
    beam_trainer_close(t);
    assert_ok(beam_weights_open(path, &before, &err), err);
    assert_ok(beam_weights_open(other, &after, &err), err);
    assert_ok(beam_weights_find(before, "conv3.weight", &a, &err), err);
    assert_ok(beam_weights_find(after, "conv3.weight", &b, &err), err);
    assert_memory_equal(a.data, b.data, beam_tensor_bytes(&a));
    assert_ok(beam_weights_find(after, "fc.weight", &b, &err), err);
    assert_int_equal(b.shape[0], 5);
    beam_weights_close(before);
    beam_weights_close(after);

    config.model_name = beam_str_of("resnet18");
    assert_fails(beam_trainer_open(f->device, &config, &options, &t, &err), BEAM_INVALID_ARGUMENT,
                 err, "no layer of it fits resnet18");
    config.init_weights = beam_str_of("/nowhere.safetensors");
    assert_fails(beam_trainer_open(f->device, &config, &options, &t, &err), BEAM_NOT_FOUND, err,
                 "/nowhere.safetensors");
    beam_dataset_close(five);
    free(records);
}

/* The weights that a training of fastnet starts with are those of its seed and its images. */
static void test_whitening(void **state)
{
    enum { IMAGES = 8, SIZE = 32, PIXELS = 3 * SIZE * SIZE };
    fixture *f = *state;
    beam_error err = {0};
    uint8_t *records;
    uint64_t indices[IMAGES];
    beam_network *network;
    beam_weights *w;
    beam_training_config config = tiny_training();
    beam_trainer_options options = trainer_options_for(f, NULL);
    beam_dataset *images = random_images(IMAGES, 3, SIZE, SIZE, 10, &records);
    options.train_data = options.test_data = images;
    config.model_name = beam_str_of("fastnet");
    beam_trainer *t = open_trainer(f, &config, &options);
    const char *path = test_path(f->folder, "w");
    assert_ok(beam_trainer_export(t, path, BEAM_F32, &err), err);
    beam_trainer_close(t);

    const beam_network_options o = {
        .struct_size = sizeof o, .num_classes = 10, .channels = 3, .height = SIZE};
    float *data = malloc(IMAGES * PIXELS * sizeof *data);
    assert_non_null(data);
    for (uint64_t i = 0; i < IMAGES; i++)
        indices[i] = i;
    assert_ok(beam_dataset_fill(images, indices, IMAGES, 0, 0, data, NULL, &err), err);
    assert_ok(beam_network_create("fastnet", &o, &network, &err), err);
    assert_ok(beam_network_initialize(network, 5, &err), err);
    assert_true(beam_network_whitens(network));
    assert_ok(beam_network_whiten(network, data, IMAGES, &err), err);
    assert_ok(beam_weights_open(path, &w, &err), err);
    for (size_t i = 0; i < beam_network_num_parameters(network); i++) {
        beam_parameter p;
        beam_tensor tensor;
        assert_ok(beam_network_parameter(network, i, &p), err);
        assert_ok(beam_weights_find(w, p.name, &tensor, &err), err);
        assert_memory_equal(tensor.data, p.tensor.data, beam_tensor_bytes(&tensor));
    }
    beam_weights_close(w);
    beam_network_free(network);
    free(data);
    beam_dataset_close(images);
    free(records);
}

/* ---- Bad input ------------------------------------------------------------------------------- */

static void test_bad_configurations(void **state)
{
    fixture *f = *state;
    beam_trainer *t;
    beam_error err;
    const beam_trainer_options options = trainer_options_for(f, NULL);
#define BAD(field, value, words)                                              \
    do {                                                                      \
        beam_training_config bad_ = tiny_training();                          \
        bad_.field = (value);                                                 \
        assert_fails(beam_trainer_open(f->device, &bad_, &options, &t, &err), \
                     BEAM_INVALID_ARGUMENT, err, words);                      \
        assert_null(t);                                                       \
    } while (0)
    BAD(learning_rate, -0.1, "learning_rate is -0.1: it must be a number above 0");
    BAD(learning_rate, (double)NAN, "learning_rate");
    BAD(batch_size, 0, "batch_size is 0");
    BAD(batch_size, COUNT + 1, "batch_size is 27, and there are only 26 images");
    BAD(num_images, 3, "batch_size is 4, and there are only 3 images");
    BAD(epochs, 0, "epochs is 0");
    BAD(image_size, -1, "image_size is -1");
    BAD(model_name, beam_str_of("resnet19"), "there is no such network; there are resnet18");
    BAD(optimizer, beam_str_of("sdg"), "optimizer");
    BAD(schedule, beam_str_of("linear"), "schedule");
    BAD(precision, beam_str_of("f8"), "precision");
    BAD(augment, beam_str_of("flop"), "there is no augmentation \"flop\"");
    BAD(augment, beam_str_of("crop:4"), "too small for crop:4");
    BAD(augment, beam_str_of("window:5"), "images of 4x4 are too small for window:5");
    BAD(augment, beam_str_of("window:1"), "augment: windows of 1x1: ");
#undef BAD
}

static void test_bad_options(void **state)
{
    fixture *f = *state;
    beam_trainer *t;
    beam_error err;
    beam_training_config config = tiny_training();
    beam_trainer_options options = trainer_options_for(f, NULL);
    options.test_data = NULL;
    assert_fails(beam_trainer_open(f->device, &config, &options, &t, &err), BEAM_INVALID_ARGUMENT,
                 err, "go together");
    options = trainer_options_for(f, NULL);
    options.keep_checkpoints = -1;
    assert_fails(beam_trainer_open(f->device, &config, &options, &t, &err), BEAM_INVALID_ARGUMENT,
                 err, "keep_checkpoints is -1");
    options = trainer_options_for(f, "s3://bucket/run");
    assert_fails(beam_trainer_open(f->device, &config, &options, &t, &err), BEAM_UNIMPLEMENTED, err,
                 "s3://bucket/run");
    config.dataset = beam_str_of("/no/such/folder");
    assert_fails(beam_trainer_open(f->device, &config, NULL, &t, &err), BEAM_NOT_FOUND, err,
                 "/no/such/folder");
}

static beam_status train_one_step(fixture *f, beam_error *err)
{
    beam_trainer *t;
    beam_epoch_result result;
    beam_evaluation found;
    beam_training_config config = tiny_training();
    config.epochs = 1;
    config.num_images = config.batch_size = 1;
    beam_trainer_options options = trainer_options_for(f, test_path(f->folder, "run"));
    BEAM_TRY(beam_trainer_open(f->device, &config, &options, &t, err));
    beam_status status = BEAM_OK;
    if (beam_trainer_get_progress(t).epoch == 0)
        status = beam_trainer_epoch(t, &result, err);
    if (status == BEAM_OK)
        status = beam_trainer_evaluate(t, &found, err);
    if (status == BEAM_OK)
        status = beam_trainer_export(t, test_path(f->folder, "model"), BEAM_BF16, err);
    beam_trainer_close(t);
    return status;
}

/* What fails one time is done the next, so that going on after a failure is tried too. */
static void test_out_of_memory(void **state)
{
    fixture *f = *state;
    uint8_t *records;
    beam_dataset *whole = f->test;
    f->test = random_images(1, 1, SIDE, SIDE, CLASSES, &records);
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = train_one_step(f, &err);
        bool reached = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        if (!reached) {
            assert_ok(status, err);
            break;
        }
        if (status != BEAM_OK) {
            assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
            assert_int_not_equal(err.message[0], 0);
        }
    }
    beam_dataset_close(f->test);
    free(records);
    f->test = whole;
}

/* ---- For real -------------------------------------------------------------------------------- */

static void test_digits(void **state)
{
    fixture *f = *state;
    beam_trainer *t;
    beam_epoch_result result;
    beam_evaluation found;
    beam_error err = {0};
    const beam_training_config config = {.model_name = beam_str_of("small_cnn"),
                                         .dataset = beam_str_of("digits"),
                                         .learning_rate = 0.2,
                                         .batch_size = 32,
                                         .epochs = 8,
                                         .seed = 1};
    const beam_trainer_options options = {.struct_size = sizeof options,
                                          .checkpoint_dir = f->folder};
    assert_ok(beam_trainer_open(f->device, &config, &options, &t, &err), err);
    for (int i = 0; i < config.epochs; i++)
        assert_ok(beam_trainer_epoch(t, &result, &err), err);
    assert_ok(beam_trainer_evaluate(t, &found, &err), err);
    assert_true(found.accuracy >= 0.97);
    beam_trainer_close(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, trainer_set_up, trainer_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_epochs),
        TEST(test_evaluation_ends_when_told),
        TEST(test_same_bits_again),
        TEST(test_lookahead),
        TEST(test_image_size),
        TEST(test_window),
        TEST(test_divergence),
        TEST(test_weights_that_are_no_numbers),
        TEST(test_exported_weights_are_as_accurate),
        TEST(test_export),
        TEST(test_evaluation_threads_and_flips),
        TEST(test_transfer),
        TEST(test_whitening),
        TEST(test_bad_configurations),
        TEST(test_bad_options),
        TEST(test_out_of_memory),
        TEST(test_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
