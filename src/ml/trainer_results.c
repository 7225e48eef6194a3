/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer_results.c - what a training has come to: its accuracy on the test images, and its weights
 * as a file. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/trainer.h"

/* ---- The weights as they are now ------------------------------------------------------------- */

/* The network with its weights, which lie in one piece of memory. */
typedef struct snapshot {
    beam_network *network;
    float *data;
    size_t count; /* of parameters */
} snapshot;

static void snapshot_free(snapshot *s)
{
    beam_network_free(s->network);
    beam_free(s->data);
}

/* A loss that is a number does not say that all weights are: a relu may hide them. */
static beam_status check_finite(const beam_trainer *t, const beam_parameter *p, const float *data,
                                beam_error *err)
{
    size_t n = beam_tensor_bytes(&p->tensor) / sizeof *data;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(data[i]))
            return beam_trainer_diverged(t, p->name, (double)data[i], err);
    return BEAM_OK;
}

static beam_status give_weights(const beam_trainer *t, snapshot *s, beam_error *err)
{
    float *at = s->data;
    for (size_t i = 0; i < s->count; i++) {
        beam_parameter p;
        BEAM_TRY(beam_network_parameter(s->network, i, &p));
        BEAM_TRY(beam_training_read(t->training, p.name, at, err));
        BEAM_TRY(check_finite(t, &p, at, err));
        p.tensor.data = at;
        BEAM_TRY(beam_network_set_parameter(s->network, p.name, &p.tensor, err));
        at += beam_tensor_bytes(&p.tensor) / sizeof *at;
    }
    return BEAM_OK;
}

static beam_status snapshot_make(const beam_trainer *t, snapshot *s, beam_error *err)
{
    size_t bytes = 0;
    *s = (snapshot){0};
    BEAM_TRY(beam_trainer_make_network(t, &s->network, err));
    s->count = beam_network_num_parameters(s->network);
    for (size_t i = 0; i < s->count; i++) {
        beam_parameter p;
        beam_status status = beam_network_parameter(s->network, i, &p);
        bytes += status == BEAM_OK ? beam_tensor_bytes(&p.tensor) : 0;
    }
    s->data = beam_aligned_alloc(64, bytes);
    beam_status status = s->data ? give_weights(t, s, err) : beam_trainer_no_memory(err);
    if (status != BEAM_OK)
        snapshot_free(s);
    return status;
}

/* The parameters, in a list to free. */
static beam_named_tensor *list_of(const snapshot *s)
{
    beam_named_tensor *list = beam_calloc(s->count, sizeof *list);
    for (size_t i = 0; list && i < s->count; i++) {
        beam_parameter p;
        if (beam_network_parameter(s->network, i, &p) == BEAM_OK)
            list[i] = (beam_named_tensor){p.name, p.tensor};
    }
    return list;
}

beam_status beam_trainer_model(const beam_trainer *t, int64_t max_batch, beam_model **model,
                               beam_error *err)
{
    snapshot s;
    beam_training_info training;
    beam_training_get_info(t->training, &training);
    const beam_compile_options options = {
        .struct_size = sizeof options, .precision = training.precision, .max_batch = max_batch};
    BEAM_TRY(snapshot_make(t, &s, err));
    if (!t->module.file) {
        beam_status status = beam_device_compile(t->device, s.network, &options, model, err);
        snapshot_free(&s); /* the model has its own copy */
        return status;
    }
    beam_named_tensor *weights = list_of(&s);
    beam_status status =
        weights ? beam_trainer_load_classifier(t, weights, s.count, max_batch, model, err)
                : beam_trainer_no_memory(err);
    beam_free(weights);
    snapshot_free(&s);
    return status;
}

/* ---- Accuracy -------------------------------------------------------------------------------- */

/* The test images in chunks, which threads take one after the other.  A chunk is the same whoever
 * takes it, and so is its outcome. */
typedef struct evaluation {
    const beam_trainer *t;
    beam_model *model;
    uint64_t images, chunk;
    size_t pixels; /* of an image, all channels */
    uint32_t classes;
    _Atomic uint64_t next, correct, plain;
    _Atomic bool failed;
} evaluation;

/* What one thread has to itself. */
typedef struct evaluator {
    evaluation *e;
    beam_model_context *context;
    float *images, *view, *logits;
    uint32_t *labels;
    uint64_t *indices;
    pthread_t thread;
    bool calling, started; /* the thread that asked for the evaluation; another that runs */
    beam_status status;
    beam_error error;
} evaluator;

static void mirror(float *images, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++) {
        float *row = images + r * width;
        for (size_t x = 0; x < width / 2; x++) {
            float moved = row[x];
            row[x] = row[width - 1 - x];
            row[width - 1 - x] = moved;
        }
    }
}

/* v->images moved by `by` pixels down and right, the outermost but one repeated at the edge. */
static void make_view(const evaluator *v, size_t n, int by)
{
    const beam_trainer *t = v->e->t;
    const int64_t height = t->height, width = t->width;
    for (size_t plane = 0; plane < n * v->e->pixels / ((size_t)t->height * t->width); plane++)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                int64_t at = (int64_t)plane * height;
                int64_t row = beam_reflect(y - by, t->height),
                        column = beam_reflect(x - by, t->width);
                v->view[(at + y) * width + x] = v->images[(at + row) * width + column];
            }
}

/* Adds `weight` times the logits of the n images in v->view. */
static beam_status add_logits(evaluator *v, size_t n, float weight, beam_error *err)
{
    const evaluation *e = v->e;
    beam_tensor input = beam_model_input(e->model, 0, (int64_t)n), output;
    input.data = v->view;
    beam_device_acquire(e->t->device);
    beam_status status = beam_model_run(v->context, &input, 1, &output, 1, err);
    beam_device_release(e->t->device);
    const float *from = output.data;
    for (size_t i = 0; status == BEAM_OK && i < n * e->classes; i++)
        v->logits[i] += weight * from[i];
    return status;
}

static beam_status add_mirrored(evaluator *v, size_t n, float weight, beam_error *err)
{
    const beam_trainer *t = v->e->t;
    if (!t->config.flip_average)
        return BEAM_OK;
    mirror(v->view, n * v->e->pixels / t->width, t->width);
    return add_logits(v, n, weight, err);
}

static uint64_t count_correct(const evaluator *v, size_t n)
{
    uint64_t correct = 0;
    uint32_t classes = v->e->classes;
    for (size_t i = 0; i < n; i++) {
        const float *row = v->logits + i * classes;
        uint32_t best = 0;
        for (uint32_t k = 1; k < classes; k++)
            if (row[k] > row[best])
                best = k;
        correct += best == v->labels[i];
    }
    return correct;
}

static beam_status evaluate_chunk(evaluator *v, uint64_t from, beam_error *err)
{
    evaluation *e = v->e;
    const beam_trainer *t = e->t;
    size_t n = (size_t)(e->images - from < e->chunk ? e->images - from : e->chunk);
    for (size_t i = 0; i < n; i++)
        v->indices[i] = from + i;
    memset(v->logits, 0, n * e->classes * sizeof *v->logits);
    BEAM_TRY(
        beam_dataset_fill(t->test, v->indices, n, t->height, t->width, v->images, v->labels, err));
    make_view(v, n, 0);
    BEAM_TRY(add_logits(v, n, 2, err));
    atomic_fetch_add(&e->plain, count_correct(v, n));
    BEAM_TRY(add_mirrored(v, n, 2, err));
    for (int by = -1; t->config.shift_average && by <= 1; by += 2) {
        make_view(v, n, by);
        BEAM_TRY(add_logits(v, n, 1, err));
        BEAM_TRY(add_mirrored(v, n, 1, err));
    }
    atomic_fetch_add(&e->correct, count_correct(v, n));
    return BEAM_OK;
}

/* Whether to go on, which is asked on the calling thread. */
static beam_status ask(evaluator *v, uint64_t images)
{
    const beam_trainer_options *o = &v->e->t->options;
    beam_status status = v->calling && o->on_evaluate ? o->on_evaluate(o->user, images) : BEAM_OK;
    if (status != BEAM_OK)
        (void)beam_error_set(&v->error, status, "ended by on_evaluate");
    return status;
}

static void *evaluate_chunks(void *user)
{
    evaluator *v = user;
    evaluation *e = v->e;
    while (v->status == BEAM_OK && !atomic_load(&e->failed)) {
        uint64_t from = atomic_fetch_add(&e->next, e->chunk);
        if (from >= e->images)
            break;
        v->status = ask(v, from);
        if (v->status == BEAM_OK)
            v->status = evaluate_chunk(v, from, &v->error);
        if (v->status != BEAM_OK)
            atomic_store(&e->failed, true);
    }
    return NULL;
}

static beam_status evaluator_make(evaluator *v, evaluation *e, beam_error *err)
{
    v->e = e;
    v->images = beam_aligned_alloc(64, e->chunk * e->pixels * sizeof *v->images);
    v->view = beam_aligned_alloc(64, e->chunk * e->pixels * sizeof *v->view);
    v->logits = beam_malloc(e->chunk * e->classes * sizeof *v->logits);
    v->labels = beam_malloc(e->chunk * sizeof *v->labels);
    v->indices = beam_malloc(e->chunk * sizeof *v->indices);
    if (!v->images || !v->view || !v->logits || !v->labels || !v->indices)
        return beam_trainer_no_memory(err);
    return beam_model_context_new(e->model, &v->context, err);
}

static void evaluator_free(evaluator *v)
{
    beam_model_context_free(v->context);
    beam_free(v->images);
    beam_free(v->view);
    beam_free(v->logits);
    beam_free(v->labels);
    beam_free(v->indices);
}

/* The first evaluator works on the calling thread; where another finds no thread, there are fewer.
 */
static beam_status run_evaluators(evaluator *all, size_t n, beam_error *err)
{
    beam_status status = BEAM_OK;
    for (size_t i = 1; i < n; i++)
        all[i].started = pthread_create(&all[i].thread, NULL, evaluate_chunks, &all[i]) == 0;
    all[0].calling = true;
    (void)evaluate_chunks(&all[0]);
    for (size_t i = 1; i < n; i++)
        if (all[i].started)
            (void)pthread_join(all[i].thread, NULL);
    for (size_t i = 0; status == BEAM_OK && i < n; i++)
        if (all[i].status != BEAM_OK)
            status = beam_error_set(err, all[i].status, "%s", all[i].error.message);
    return status;
}

static beam_status evaluate_model(evaluation *e, size_t threads, beam_error *err)
{
    size_t made = 0;
    evaluator *all = beam_calloc(threads, sizeof *all);
    beam_status status = all ? BEAM_OK : beam_trainer_no_memory(err);
    while (status == BEAM_OK && made < threads)
        status = evaluator_make(&all[made++], e, err);
    if (status == BEAM_OK)
        status = run_evaluators(all, threads, err);
    for (size_t i = 0; i < made; i++)
        evaluator_free(&all[i]);
    beam_free(all);
    return status;
}

beam_status beam_trainer_evaluate(beam_trainer *t, beam_evaluation *found, beam_error *err)
{
    enum { LARGEST = 200, FLOATS = 1 << 21 }; /* 10,000 images are 50 chunks of 200 */
    const beam_dataset_info *info = beam_dataset_get_info(t->test);
    evaluation e = {.t = t,
                    .images = info->count,
                    .pixels = (size_t)info->channels * t->height * t->width,
                    .classes = info->num_classes};
    e.chunk = e.pixels < FLOATS ? FLOATS / e.pixels : 1;
    if (e.chunk > LARGEST)
        e.chunk = LARGEST;
    BEAM_TRY(beam_trainer_model(t, (int64_t)e.chunk, &e.model, err));
    beam_model_info model;
    beam_model_get_info(e.model, &model);
    e.chunk = (uint64_t)model.max_batch; /* less, of a classifier made elsewhere */
    uint64_t chunks = (e.images + e.chunk - 1) / e.chunk;
    uint64_t threads =
        (uint64_t)t->config.num_threads < chunks ? (uint64_t)t->config.num_threads : chunks;
    beam_status status = evaluate_model(&e, (size_t)threads, err);
    beam_model_free(e.model);
    if (status == BEAM_OK)
        *found =
            (beam_evaluation){.accuracy = (double)atomic_load(&e.correct) / (double)e.images,
                              .plain_accuracy = (double)atomic_load(&e.plain) / (double)e.images};
    return status;
}

/* ---- The file -------------------------------------------------------------------------------- */

enum { NOTE_SIZE = 160 };

static void write_numbers(char text[NOTE_SIZE], const float *numbers, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n && len < NOTE_SIZE; i++)
        len += (size_t)snprintf(text + len, NOTE_SIZE - len, "%s%.9g", i ? " " : "",
                                (double)numbers[i]);
    for (char *comma = text; (comma = strchr(comma, ','));) /* of a locale that somebody set */
        *comma = '.';
}

static beam_status save_tensors(const beam_trainer *t, const char *path,
                                const beam_named_tensor *tensors, size_t n, beam_error *err)
{
    const beam_dataset_info *info = beam_dataset_get_info(t->train);
    char shape[NOTE_SIZE], classes[NOTE_SIZE], scale[NOTE_SIZE], mean[NOTE_SIZE],
        deviation[NOTE_SIZE];
    (void)snprintf(shape, sizeof shape, "%u %u %u", info->channels, t->height, t->width);
    (void)snprintf(classes, sizeof classes, "%u", info->num_classes);
    write_numbers(scale, &info->scale, 1);
    write_numbers(mean, info->mean, info->channels);
    write_numbers(deviation, info->deviation, info->channels);
    bool ours = !t->module.file;
    const char *stem = t->config.cifar_stem ? "true" : "false";
    const beam_weights_note notes[] = {
        {"format", "pt"}, /* names and layouts are PyTorch's */
        {ours ? "network" : "arguments", ours ? t->config.model_name.at : t->module.arguments},
        {"cifar_stem", stem},
        {"num_classes", classes},
        {"image", shape}, /* channels, height, width */
        {"scale", scale}, /* (pixel * scale - mean) / deviation */
        {"mean", mean},
        {"deviation", deviation},
        {"dataset", info->name},
        {"training", t->config_json}};
    return beam_weights_save_safetensors(path, tensors, n, notes, sizeof notes / sizeof *notes,
                                         err);
}

/* Rounded in place: bf16 takes half the room. */
static void round_to_bf16(beam_named_tensor *tensors, size_t n, float *data)
{
    for (size_t i = 0; i < n; i++) {
        beam_tensor *tensor = &tensors[i].tensor;
        float *from = data;
        size_t count = beam_tensor_bytes(tensor) / sizeof *from;
        uint16_t *to = (uint16_t *)(void *)data;
        for (size_t k = 0; k < count; k++) {
            uint16_t rounded = beam_f32_to_bf16(from[k]);
            memcpy(&to[k], &rounded, sizeof rounded);
        }
        tensor->dtype = BEAM_BF16;
        data += count;
    }
}

beam_status beam_trainer_export(beam_trainer *t, const char *path, beam_dtype dtype,
                                beam_error *err)
{
    snapshot s;
    if (dtype != BEAM_F32 && dtype != BEAM_BF16)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "weights are exported as f32 or bf16, not "
                              "as %s",
                              beam_dtype_name(dtype));
    if (dtype == BEAM_BF16 && t->module.file)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the weights of a model made elsewhere are what its modules take: "
                              "they are exported as f32");
    BEAM_TRY(snapshot_make(t, &s, err));
    beam_named_tensor *tensors = list_of(&s);
    beam_status status = tensors ? BEAM_OK : beam_trainer_no_memory(err);
    if (status == BEAM_OK && dtype == BEAM_BF16)
        round_to_bf16(tensors, s.count, s.data);
    if (status == BEAM_OK)
        status = beam_fs_make_folder_of(path, err); /* no work is lost for want of one */
    if (status == BEAM_OK)
        status = save_tensors(t, path, tensors, s.count, err);
    beam_free(tensors);
    snapshot_free(&s);
    return status;
}
