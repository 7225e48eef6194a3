/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/quantize.h"

#include <string.h>

#include "base/alloc.h"
#include "ml/model_load.h"
#include "ml/weights_file.h"

enum { BATCH = 16 };

typedef struct quantizing {
    const beam_quantize_options *options;
    beam_dataset *dataset;
    beam_classifier classifier;
    beam_weights *weights;
    beam_network *network;
    beam_device *device;
    uint64_t count;    /* images of the sample */
    float *images;     /* a batch */
    uint32_t *classes; /* one an image, as f32 has it */
} quantizing;

static void close(quantizing *q)
{
    beam_free(q->images);
    beam_free(q->classes);
    beam_device_close(q->device);
    beam_network_free(q->network);
    beam_weights_close(q->weights);
    beam_dataset_close(q->dataset);
}

/* ---- what is quantized, and the sample ---- */

static beam_status open_model(quantizing *q, beam_error *err)
{
    beam_spec_text device;
    beam_model_spec *spec = &q->classifier.model;
    const beam_model_request request = {.spec = spec};
    BEAM_TRY(beam_choose_classifier(beam_dataset_get_info(q->dataset), &q->options->classifier,
                                    &q->classifier, err));
    if (beam_spec_is_file(spec))
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "%.*s: only networks made with libbeam are quantized",
                              (int)spec->network.len, spec->network.at);
    BEAM_TRY(beam_spec_open_weights(spec, NULL, &q->weights, err));
    BEAM_TRY(beam_spec_network(&request, spec, q->weights, &q->network, err));
    BEAM_TRY(beam_spec_field(spec->device, "device", "cpu", &device, err));
    return beam_device_open(device.text, NULL, &q->device, err);
}

/* Training images, but of a folder that is not split all there are. */
static beam_status open_dataset(quantizing *q, beam_error *err)
{
    const beam_quantize_options *o = q->options;
    beam_dataset_options data = {
        .struct_size = sizeof data, .split = o->split, .data_dir = o->data_dir};
    BEAM_TRY(beam_dataset_open(o->dataset, &data, &q->dataset, err));
    if (o->split || strcmp(beam_dataset_get_info(q->dataset)->split, "all") == 0)
        return BEAM_OK;
    beam_dataset_close(q->dataset);
    data.split = "train";
    return beam_dataset_open(o->dataset, &data, &q->dataset, err); /* NULL where that fails */
}

static beam_status open(quantizing *q, beam_error *err)
{
    const beam_quantize_options *o = q->options;
    BEAM_TRY(open_dataset(q, err));
    const beam_dataset_info *info = beam_dataset_get_info(q->dataset);
    BEAM_TRY(open_model(q, err));
    beam_tensor input = beam_network_input(q->network, 0, BATCH);
    if (input.rank != 4 || input.shape[1] != info->channels)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "images of %s have %u channels, and the model reads %lld", info->name,
                              info->channels, (long long)(input.rank == 4 ? input.shape[1] : 0));
    q->count = info->count < o->num_images ? info->count : o->num_images;
    if (q->count == 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "no images to calibrate with");
    q->images = beam_malloc(beam_tensor_bytes(&input));
    q->classes = beam_calloc(q->count, sizeof *q->classes);
    if (!q->images || !q->classes)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a sample");
    return BEAM_OK;
}

/* From the data set's normalisation to the model's. */
static void normalize(const quantizing *q, const beam_tensor *images)
{
    const beam_dataset_info *info = beam_dataset_get_info(q->dataset);
    const beam_normalization *n = &q->classifier.model.pixels;
    const float mean[] = {n->mean_r, n->mean_g, n->mean_b};
    const float deviation[] = {n->deviation_r, n->deviation_g, n->deviation_b};
    size_t points = (size_t)(images->shape[2] * images->shape[3]);
    size_t channels = (size_t)images->shape[1], planes = (size_t)images->shape[0] * channels;
    for (size_t p = 0; p < planes; p++) {
        size_t c = p % channels;
        float factor = n->scale / info->scale;
        for (size_t i = 0; i < points; i++) {
            float *x = &q->images[p * points + i];
            *x = ((*x * info->deviation[c] + info->mean[c]) * factor - mean[c]) / deviation[c];
        }
    }
}

/* The sample's images from `first` on, spread over all there are: folders come class by class. */
static beam_status fill(const quantizing *q, uint64_t first, beam_tensor *images, beam_error *err)
{
    uint64_t indices[BATCH], total = beam_dataset_get_info(q->dataset)->count;
    size_t n = q->count - first < BATCH ? (size_t)(q->count - first) : BATCH;
    for (size_t i = 0; i < n; i++)
        indices[i] = (uint64_t)((double)(first + i) * ((double)total / (double)q->count));
    *images = beam_network_input(q->network, 0, (int64_t)n);
    BEAM_TRY(beam_dataset_fill(q->dataset, indices, n, (uint32_t)images->shape[2],
                               (uint32_t)images->shape[3], q->images, NULL, err));
    normalize(q, images);
    images->data = q->images;
    return BEAM_OK;
}

static beam_status calibrate(const quantizing *q, beam_error *err)
{
    beam_calibration *calibration;
    BEAM_TRY(beam_calibration_new(q->device, q->network, BATCH, &calibration, err));
    beam_status status = BEAM_OK;
    for (uint64_t first = 0; first < q->count && status == BEAM_OK; first += BATCH) {
        beam_tensor images;
        status = fill(q, first, &images, err);
        if (status == BEAM_OK)
            status = beam_calibration_add(calibration, &images, 1, err);
    }
    if (status == BEAM_OK)
        status = beam_calibration_finish(calibration, q->network, err);
    beam_calibration_free(calibration);
    return status;
}

/* ---- what comes of it ---- */

static uint32_t class_of(const beam_tensor *logits, size_t row)
{
    size_t classes = (size_t)logits->shape[1];
    const beam_tensor one = {.dtype = BEAM_F32,
                             .rank = 1,
                             .shape = {logits->shape[1]},
                             .data = (const float *)logits->data + row * classes};
    return (uint32_t)beam_argmax(&one);
}

/* Runs the sample; counts how many classes are those in q->classes, and puts its own there. */
static beam_status classify(const quantizing *q, beam_model *model, uint64_t *agreeing,
                            beam_error *err)
{
    beam_model_context *context;
    BEAM_TRY(beam_model_context_new(model, &context, err));
    beam_status status = BEAM_OK;
    *agreeing = 0;
    for (uint64_t first = 0; first < q->count && status == BEAM_OK; first += BATCH) {
        beam_tensor images, logits;
        status = fill(q, first, &images, err);
        if (status == BEAM_OK)
            status = beam_model_run(context, &images, 1, &logits, 1, err);
        for (int64_t i = 0; status == BEAM_OK && i < images.shape[0]; i++) {
            uint32_t *before = &q->classes[first + (uint64_t)i], now = class_of(&logits, (size_t)i);
            *agreeing += now == *before;
            *before = now;
        }
    }
    beam_model_context_free(context);
    return status;
}

static beam_status compare(const quantizing *q, beam_quantize_result *result, beam_error *err)
{
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = BATCH};
    beam_status status = BEAM_OK;
    result->num_images = q->count;
    for (int i = 0; i < 2 && status == BEAM_OK; i++) {
        beam_model *model = NULL;
        options.precision = i ? BEAM_PRECISION_INT8 : BEAM_PRECISION_F32;
        status = beam_device_compile(q->device, q->network, &options, &model, err);
        if (status == BEAM_OK)
            status = classify(q, model, &result->agreeing, err);
        beam_model_free(model);
    }
    return status;
}

/* The notes are those of the weights that it was made from, and which network they are of. */
static beam_status save(const quantizing *q, beam_error *err)
{
    const beam_weights *w = q->weights;
    size_t n = w ? w->num_notes : 0;
    beam_weights_note *notes = beam_malloc((n + 1) * sizeof *notes);
    if (!notes)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for notes");
    if (n > 0)
        memcpy(notes, w->notes, n * sizeof *notes);
    if (!w || !beam_weights_metadata(w, "network"))
        notes[n++] = (beam_weights_note){"network", beam_network_name(q->network)};
    beam_status status = beam_weights_save_int8(q->options->output, q->network, notes, n, err);
    beam_free(notes);
    return status;
}

beam_status beam_quantize(const beam_quantize_options *options, beam_quantize_result *result,
                          beam_error *err)
{
    quantizing q = {.options = options};
    beam_status status = open(&q, err);
    if (status == BEAM_OK)
        status = calibrate(&q, err);
    if (status == BEAM_OK)
        status = compare(&q, result, err);
    if (status == BEAM_OK)
        status = save(&q, err);
    close(&q);
    return status;
}
