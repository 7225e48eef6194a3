/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/model_load.h"

#include <string.h>
#include <time.h>

static const uint64_t SEED = 1; /* of weights that nobody gave */

beam_status beam_spec_field(beam_str field, const char *what, const char *otherwise,
                            beam_spec_text *text, beam_error *err)
{
    size_t len = field.len ? field.len : strlen(otherwise);
    if (len >= sizeof text->text || (field.len && memchr(field.at, '\0', field.len)))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the model's %s is no name: %zu bytes, at most %zu and no NUL", what,
                              len, sizeof text->text - 1);
    memcpy(text->text, field.len ? field.at : otherwise, len);
    text->text[len] = '\0';
    return BEAM_OK;
}

beam_status beam_spec_open_weights(const beam_model_spec *spec,
                                   const beam_download_options *download, beam_weights **weights,
                                   beam_error *err)
{
    beam_spec_text name;
    char *path = NULL;
    *weights = NULL;
    if (!spec->weights.len)
        return BEAM_OK;
    BEAM_TRY(beam_spec_field(spec->weights, "weights", "", &name, err));
    BEAM_TRY(beam_weights_locate(name.text, download, &path, err));
    beam_status status = beam_weights_open(path, weights, err);
    beam_weights_path_free(path);
    return status;
}

/* The shape of a tensor; of rank 0 when there is none. */
static beam_tensor shape_of(const beam_weights *weights, const char *name)
{
    beam_tensor tensor = {0};
    if (!weights || beam_weights_find(weights, name, &tensor, NULL) != BEAM_OK)
        tensor.rank = 0;
    return tensor;
}

void beam_spec_complete(beam_model_spec *spec, const beam_weights *weights)
{
    beam_tensor fc = shape_of(weights, "fc.weight"), conv = shape_of(weights, "conv1.weight");
    if (!spec->num_classes && fc.rank == 2)
        spec->num_classes = fc.shape[0];
    if (conv.rank == 4) {
        if (!spec->channels)
            spec->channels = conv.shape[1];
        if (conv.shape[2] == 3) /* the other networks know no stem */
            spec->cifar_stem = true;
    }
}

static beam_status make_network(const beam_model_request *request, const beam_model_spec *spec,
                                beam_network **network, beam_error *err)
{
    if (request->make_network)
        return request->make_network(spec, network, err);
    beam_spec_text name;
    BEAM_TRY(beam_spec_field(spec->network, "network", "", &name, err));
    const beam_network_options options = {.struct_size = sizeof options,
                                          .num_classes = spec->num_classes,
                                          .channels = spec->channels,
                                          .height = spec->height,
                                          .width = spec->width,
                                          .cifar_stem = spec->cifar_stem};
    return beam_network_create(name.text, &options, network, err);
}

static beam_status give_weights(const beam_model_request *request, const beam_weights *weights,
                                beam_network *network, beam_error *err)
{
    const beam_model_spec *spec = request->spec;
    if (!weights) {
        beam_log_write(request->logger, BEAM_LOG_WARNING, __FILE__, __LINE__, request->transform,
                       "no weights given: %s has random ones and its results mean nothing",
                       beam_network_name(network));
        return beam_network_initialize(network, SEED, err);
    }
    beam_weight_source source = beam_weights_source(weights);
    beam_status status = beam_network_bind(network, &source, err);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "weights %.*s", (int)spec->weights.len,
                               spec->weights.at);
    return BEAM_OK;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static beam_status compile(const beam_model_request *request, const beam_network *network,
                           beam_device *device, beam_model **model, beam_error *err)
{
    beam_spec_text name;
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = request->max_batch};
    BEAM_TRY(beam_spec_field(request->spec->precision, "precision", "f32", &name, err));
    BEAM_TRY(beam_precision_parse(name.text, &options.precision, err));
    return beam_device_compile(device, network, &options, model, err);
}

beam_status beam_model_load(const beam_model_request *request, beam_device *device,
                            beam_model **model, beam_error *err)
{
    beam_model_spec spec = *request->spec;
    beam_weights *weights = NULL;
    beam_network *network = NULL;
    double began = now();
    beam_download_options download = {.struct_size = sizeof download, .logger = request->logger};
    *model = NULL;
    beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                   "loading %.*s, weights %.*s", (int)spec.network.len, spec.network.at,
                   (int)(spec.weights.len ? spec.weights.len : 6),
                   spec.weights.len ? spec.weights.at : "random");
    beam_status status = beam_spec_open_weights(&spec, &download, &weights, err);
    if (status == BEAM_OK) {
        beam_spec_complete(&spec, weights);
        status = make_network(request, &spec, &network, err);
    }
    if (status == BEAM_OK)
        status = give_weights(request, weights, network, err);
    double bound = now();
    if (status == BEAM_OK)
        status = compile(request, network, device, model, err);
    if (status == BEAM_OK) {
        beam_model_info info;
        beam_device_info where;
        beam_model_get_info(*model, &info);
        beam_device_get_info(device, &where);
        beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                       "%s is on device %s in %s: weights read in %.3f s, compiled and packed "
                       "(%.1f MB) in %.3f s",
                       beam_network_name(network), where.kind, beam_precision_name(info.precision),
                       bound - began, (double)info.weight_bytes / 1e6, now() - bound);
    }
    beam_network_free(network);
    beam_weights_close(weights);
    return status;
}
