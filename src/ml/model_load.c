/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/model_load.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/buffer.h"

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

/* A note's numbers, n of them between least and most; a note that says anything else says nothing,
 * as one that is not there. */
static bool read_note(const beam_weights *weights, const char *key, size_t n, double least,
                      double most, double *numbers)
{
    const char *at = beam_weights_metadata(weights, key);
    for (size_t i = 0; i < n; i++) {
        char *end;
        numbers[i] = at ? strtod(at, &end) : 0;
        if (!at || end == at || !(numbers[i] >= least && numbers[i] <= most))
            return false;
        at = end;
    }
    return *at == '\0';
}

/* The known network that the notes name, as static text. */
static const char *noted_network(const beam_weights *weights)
{
    const char *noted = beam_weights_metadata(weights, "network"), *known;
    for (size_t i = 0; noted && (known = beam_network_known(i)); i++)
        if (strcmp(known, noted) == 0)
            return known;
    return NULL;
}

static void take_pixels(beam_model_spec *spec, const beam_weights *weights, size_t channels)
{
    double scale, mean[3] = {0}, deviation[3] = {1, 1, 1};
    if (spec->pixels.scale > 0 || !read_note(weights, "scale", 1, 1e-6, 1e6, &scale) ||
        !read_note(weights, "mean", channels, -1e6, 1e6, mean) ||
        !read_note(weights, "deviation", channels, 1e-6, 1e6, deviation))
        return;
    spec->pixels = (beam_normalization){
        (float)scale,        (float)mean[0],      (float)mean[1],     (float)mean[2],
        (float)deviation[0], (float)deviation[1], (float)deviation[2]};
}

static void take_notes(beam_model_spec *spec, const beam_weights *weights)
{
    enum { LARGEST = 4096, MOST_CLASSES = 1 << 20 };
    const char *stem = beam_weights_metadata(weights, "cifar_stem");
    double image[3], classes;
    if (!spec->network.len && noted_network(weights))
        spec->network = beam_str_of(noted_network(weights));
    if (!spec->num_classes && read_note(weights, "num_classes", 1, 1, MOST_CLASSES, &classes))
        spec->num_classes = (int64_t)classes;
    if (stem && strcmp(stem, "true") == 0)
        spec->cifar_stem = true;
    if (!read_note(weights, "image", 3, 1, LARGEST, image) || (image[0] != 1 && image[0] != 3))
        return;
    take_pixels(spec, weights, (size_t)image[0]);
    if (!spec->channels)
        spec->channels = (int64_t)image[0];
    if (!spec->height && !spec->width) {
        spec->height = (int64_t)image[1];
        spec->width = (int64_t)image[2];
    }
}

void beam_spec_complete(beam_model_spec *spec, const beam_weights *weights)
{
    if (weights)
        take_notes(spec, weights);
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

/* A handler's network is ours whatever became of it. */
static beam_status made(beam_status status, beam_network **network, beam_error *err)
{
    if (status == BEAM_OK && !*network)
        return beam_error_set(err, BEAM_INTERNAL, "the handler's make_network made no network");
    if (status == BEAM_OK)
        return BEAM_OK;
    beam_network_free(*network);
    *network = NULL;
    return status;
}

static beam_status make_network(const beam_model_request *request, const beam_model_spec *spec,
                                beam_network **network, beam_error *err)
{
    *network = NULL;
    if (request->make_network)
        return made(request->make_network(spec, network, err), network, err);
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

static beam_status compile(const beam_model_request *request, const beam_network *network,
                           beam_device *device, beam_model **model, beam_error *err)
{
    beam_spec_text name;
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = request->max_batch};
    BEAM_TRY(beam_spec_field(request->spec->precision, "precision", "f32", &name, err));
    BEAM_TRY(beam_precision_parse(name.text, &options.precision, err));
    return beam_device_compile(device, network, &options, model, err);
}

/* ---- models made elsewhere ---- */

/* A classifier must tell as many classes apart as is taken for granted. */
static beam_status check_classes(const beam_model_spec *spec, const beam_model *model,
                                 beam_error *err)
{
    beam_tensor output = beam_model_output(model, 0, 1);
    int64_t classes = output.shape[output.rank - 1];
    if (spec->num_classes == 0 || (output.rank == 2 && classes == spec->num_classes))
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "model %.*s gives %lld numbers for an example, and %lld classes were "
                          "expected",
                          (int)spec->network.len, spec->network.at, (long long)classes,
                          (long long)spec->num_classes);
}

/* Where the files lie that a spec names as its network: with the pipeline's program, or as named.
 */
static beam_status locate_files(const beam_model_spec *spec, beam_buffer *paths, beam_error *err)
{
    beam_spec_text names;
    char *rest = NULL;
    BEAM_TRY(beam_spec_field(spec->network, "network", "", &names, err));
    for (char *name = strtok_r(names.text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        char *path = NULL;
        BEAM_TRY(beam_weights_locate(name, NULL, &path, err));
        beam_status status = beam_buffer_printf(paths, "%s%s", paths->len ? "," : "", path);
        beam_weights_path_free(path);
        if (status != BEAM_OK)
            return beam_error_set(err, status, "no memory for a path");
    }
    return BEAM_OK;
}

/* Loads the file that the spec names as its network, with the weights for its arguments. */
static beam_status load_file(const beam_model_spec *spec, int64_t max_batch,
                             const beam_weights *weights, beam_device *device, beam_model **model,
                             beam_error *err)
{
    beam_buffer paths = {0};
    beam_spec_text precision;
    beam_load_options options = {.struct_size = sizeof options, .max_batch = max_batch};
    BEAM_TRY(beam_spec_field(spec->precision, "precision", "f32", &precision, err));
    BEAM_TRY(beam_precision_parse(precision.text, &options.precision, err));
    options.num_weights = weights ? beam_weights_count(weights) : 0;
    beam_named_tensor *named = beam_calloc(options.num_weights, sizeof *named);
    if (!named)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a list of weights");
    for (size_t i = 0; i < options.num_weights; i++)
        named[i] =
            (beam_named_tensor){beam_weights_name(weights, i), beam_weights_tensor(weights, i)};
    options.weights = named;
    options.arguments = weights ? beam_weights_metadata(weights, "arguments") : NULL;
    beam_status status = locate_files(spec, &paths, err);
    if (status == BEAM_OK)
        status = beam_device_load(device, (const char *)paths.data, &options, model, err);
    beam_free(named);
    beam_buffer_free(&paths);
    return status;
}

bool beam_spec_is_file(const beam_model_spec *spec)
{
    beam_spec_text path;
    return beam_spec_field(spec->network, "network", "", &path, NULL) == BEAM_OK &&
           beam_is_model_file(path.text);
}

/* ---- loading ---- */

beam_status beam_spec_network(const beam_model_request *request, const beam_model_spec *spec,
                              const beam_weights *weights, beam_network **network, beam_error *err)
{
    BEAM_TRY(make_network(request, spec, network, err));
    beam_status status = give_weights(request, weights, *network, err);
    if (status == BEAM_OK)
        return BEAM_OK;
    beam_network_free(*network);
    *network = NULL;
    return status;
}

/* A network of ours: made, given its weights, compiled. */
static beam_status load_network(const beam_model_request *request, const beam_model_spec *spec,
                                const beam_weights *weights, beam_device *device,
                                beam_model **model, beam_error *err)
{
    beam_network *network = NULL;
    BEAM_TRY(beam_spec_network(request, spec, weights, &network, err));
    beam_status status = compile(request, network, device, model, err);
    beam_network_free(network);
    return status;
}

/* A model made elsewhere: a file's or a server's. */
static beam_status load_foreign(const beam_model_request *request, const beam_weights *weights,
                                beam_device *device, beam_model **model, beam_error *err)
{
    beam_status status =
        beam_spec_is_address(request->spec)
            ? beam_model_load_address(request, device, model, err)
            : load_file(request->spec, request->max_batch, weights, device, model, err);
    if (status == BEAM_OK)
        status = check_classes(request->spec, *model, err);
    if (status != BEAM_OK) {
        beam_model_free(*model);
        *model = NULL;
    }
    return status;
}

uint64_t beam_model_estimate(const beam_model_request *request)
{
    beam_weights *weights = NULL;
    uint64_t bytes = 0;
    const beam_download_options download = {.struct_size = sizeof download,
                                            .logger = request->logger};
    if (beam_spec_open_weights(request->spec, &download, &weights, NULL) != BEAM_OK)
        return 0; /* loading will say why */
    for (size_t i = 0; weights && i < beam_weights_count(weights); i++) {
        beam_tensor tensor = beam_weights_tensor(weights, i);
        bytes += beam_tensor_bytes(&tensor);
    }
    beam_weights_close(weights);
    return bytes;
}

static void tell(const beam_model_request *request, const beam_model *model, double read,
                 double compiled)
{
    beam_model_info info;
    beam_device_info where;
    beam_model_get_info(model, &info);
    beam_device_get_info(info.device, &where);
    beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                   "%.*s is on device %s in %s: weights read in %.3f s, compiled and packed "
                   "(%.1f MB) in %.3f s",
                   (int)request->spec->network.len, request->spec->network.at, where.kind,
                   beam_precision_name(info.precision), read, (double)info.weight_bytes / 1e6,
                   compiled);
}

beam_status beam_model_load(const beam_model_request *request, beam_device *device,
                            beam_model **model, beam_error *err)
{
    beam_model_spec spec = *request->spec;
    beam_weights *weights = NULL;
    double began = beam_clock_seconds();
    beam_download_options download = {.struct_size = sizeof download, .logger = request->logger};
    const char *none = beam_spec_is_file(&spec) ? "its own" : "random";
    *model = NULL;
    if (beam_spec_is_address(&spec))
        return load_foreign(request, NULL, device, model, err);
    beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                   "loading %.*s, weights %.*s", (int)spec.network.len, spec.network.at,
                   (int)(spec.weights.len ? spec.weights.len : strlen(none)),
                   spec.weights.len ? spec.weights.at : none);
    beam_status status = beam_spec_open_weights(&spec, &download, &weights, err);
    double read = beam_clock_seconds();
    if (status == BEAM_OK && beam_spec_is_file(&spec)) {
        status = load_foreign(request, weights, device, model, err);
    } else if (status == BEAM_OK) {
        beam_spec_complete(&spec, weights);
        status = load_network(request, &spec, weights, device, model, err);
    }
    if (status == BEAM_OK)
        tell(request, *model, read - began, beam_clock_seconds() - read);
    beam_weights_close(weights);
    return status;
}
