/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* classifier.c - which model suits a data set, and what its classes have to do with the data
 * set's. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/model_load.h"

enum { IMAGENET_CLASSES = 1000, IMAGENET_SIZE = 224 };
static const char imagenet_cifar10[] = "imagenet-cifar10";

/* What torchvision's ImageNet models are fed. */
static const beam_normalization imagenet_pixels = {1 / 255.0f, 0.485f, 0.456f, 0.406f,
                                                   0.229f,     0.224f, 0.225f};

static bool is_cifar10(const beam_dataset_info *dataset)
{
    return dataset->num_classes == 10 && strcmp(dataset->class_names[0], "airplane") == 0 &&
           strcmp(dataset->class_names[9], "truck") == 0;
}

/* The known weights that are called NETWORK-data, NULL when there are none. */
static const char *find_known(const char *network, const char *data)
{
    size_t len = strlen(network);
    const char *known;
    for (size_t i = 0; (known = beam_weights_known(i)) != NULL; i++)
        if (strncmp(known, network, len) == 0 && known[len] == '-' &&
            strcmp(known + len + 1, data) == 0)
            return known;
    return NULL;
}

/* The known weights for a network and data set, NULL when there are none. */
static const char *known_weights(const beam_dataset_info *dataset, const char *network)
{
    if (strcmp(dataset->name, "digits") == 0)
        return strcmp(network, "small_cnn") == 0 ? "digits" : NULL;
    const char *own = is_cifar10(dataset) ? find_known(network, "cifar10") : NULL;
    return own ? own : find_known(network, "imagenet");
}

static void unrelated(beam_classifier *c, const char *why)
{
    c->can_be_scored = false;
    (void)snprintf(c->reason, sizeof c->reason, "%s", why);
}

static void compare_classes(const beam_dataset_info *dataset, beam_classifier *c)
{
    const beam_model_spec *model = &c->model;
    char why[sizeof c->reason];
    if (model->channels != dataset->channels) {
        (void)snprintf(why, sizeof why,
                       "the model was made for images of %lld channels and those of %s have %u",
                       (long long)model->channels, dataset->name, dataset->channels);
        unrelated(c, why);
    } else if (model->num_classes == dataset->num_classes) {
        c->can_be_scored = true;
    } else if (model->num_classes == IMAGENET_CLASSES && is_cifar10(dataset)) {
        c->can_be_scored = true;
        c->model.class_map = beam_str_of(imagenet_cifar10);
    } else {
        (void)snprintf(why, sizeof why, "the model tells %lld classes apart, and %s has %u others",
                       (long long)model->num_classes, dataset->name, dataset->num_classes);
        unrelated(c, why);
    }
}

/* Grey has one mean and deviation, for each channel of a model that wants three. */
static beam_normalization pixels_of(const beam_dataset_info *dataset)
{
    const uint32_t green = dataset->channels > 1 ? 1 : 0, blue = 2 * green;
    return (beam_normalization){dataset->scale,          dataset->mean[0],
                                dataset->mean[green],    dataset->mean[blue],
                                dataset->deviation[0],   dataset->deviation[green],
                                dataset->deviation[blue]};
}

/* What the weights' notes did not tell. */
static void set_input(const beam_dataset_info *dataset, int64_t image_size, beam_model_spec *model)
{
    bool imagenet = model->num_classes == IMAGENET_CLASSES;
    bool own = !imagenet && dataset->height && dataset->width;
    if (!(model->pixels.scale > 0))
        model->pixels = imagenet ? imagenet_pixels : pixels_of(dataset);
    if (image_size) {
        model->height = model->width = image_size;
    } else if (!model->height) {
        model->height = own ? dataset->height : IMAGENET_SIZE;
        model->width = own ? dataset->width : IMAGENET_SIZE;
    }
}

/* Weights that nobody named: those known to suit, fetched if need be. */
static beam_status default_weights(const beam_dataset_info *dataset, const char *network,
                                   const beam_classifier_options *o, beam_classifier *c,
                                   beam_error *err)
{
    beam_error why = {0};
    const char *known = known_weights(dataset, network);
    char *path = NULL;
    beam_status status = BEAM_NOT_FOUND;
    if (known)
        status = beam_weights_locate(known, NULL, &path, &why);
    else
        (void)snprintf(why.message, sizeof why.message, "no weights of %s for %s are known",
                       network, dataset->name);
    beam_weights_path_free(path);
    if (status == BEAM_OK) {
        c->model.weights = beam_str_of(known);
        return BEAM_OK;
    }
    if (!o->untrained_allowed || !known)
        return beam_error_set(err, status,
                              "%s. Give the weights: a .pth or .safetensors file with %s's tensors",
                              why.message, network);
    char words[sizeof c->reason];
    (void)snprintf(words, sizeof words, "the model is not trained: %.400s", why.message);
    unrelated(c, words);
    return BEAM_OK;
}

/* Builds the network once, so that weights of another one are told of now. */
static beam_status try_weights(const beam_model_spec *model, const beam_weights *weights,
                               beam_error *err)
{
    beam_spec_text name;
    beam_network *network = NULL;
    const beam_network_options options = {.struct_size = sizeof options,
                                          .num_classes = model->num_classes,
                                          .channels = model->channels,
                                          .height = model->height,
                                          .width = model->width,
                                          .cifar_stem = model->cifar_stem};
    BEAM_TRY(beam_spec_field(model->network, "network", "", &name, err));
    BEAM_TRY(beam_network_create(name.text, &options, &network, err));
    beam_status status = BEAM_OK;
    if (weights) {
        beam_weight_source source = beam_weights_source(weights);
        status = beam_network_bind(network, &source, err);
        if (status != BEAM_OK)
            status = beam_error_wrap(err, status, "weights %.*s", (int)model->weights.len,
                                     model->weights.at);
    }
    beam_network_free(network);
    return status;
}

static const char *default_network(const beam_dataset_info *dataset)
{
    return strcmp(dataset->name, "digits") == 0 ? "small_cnn" : "resnet18";
}

/* Whether it comes as it is, from a file or a server. */
static bool is_foreign(const beam_model_spec *spec)
{
    return beam_spec_is_file(spec) || beam_spec_is_address(spec);
}

/* What a model's file or server tells of it once it is loaded.  A device that is elsewhere, with a
 * worker, cannot be asked: then the model is taken for one of the data set's classes. */
static beam_status look_into_model(beam_model_spec *spec, beam_error *err)
{
    beam_spec_text name;
    beam_device *device = NULL;
    beam_model *model = NULL;
    const beam_model_request request = {.spec = spec, .max_batch = 1};
    const beam_device_options quiet = {.struct_size = sizeof quiet};
    BEAM_TRY(beam_spec_device(spec, &name, err));
    if (beam_device_open(name.text, &quiet, &device, NULL) != BEAM_OK)
        return BEAM_OK;
    beam_status status = beam_model_load(&request, device, &model, err);
    if (status == BEAM_OK) {
        beam_tensor input = beam_model_input(model, 0, 1), output = beam_model_output(model, 0, 1);
        spec->num_classes = output.shape[output.rank - 1];
        if (input.rank == 4) {
            spec->channels = input.shape[1];
            spec->height = input.shape[2];
            spec->width = input.shape[3];
        }
    }
    beam_model_free(model);
    beam_device_close(device);
    return status;
}

static beam_status look_into(const beam_dataset_info *dataset, const beam_classifier_options *o,
                             beam_classifier *c, beam_error *err)
{
    beam_weights *weights = NULL;
    bool foreign = is_foreign(&c->model);
    if (foreign)
        BEAM_TRY(look_into_model(&c->model, err));
    BEAM_TRY(beam_spec_open_weights(&c->model, NULL, &weights, err));
    beam_spec_complete(&c->model, weights);
    if (!c->model.network.len)
        c->model.network = beam_str_of(default_network(dataset));
    if (!c->model.num_classes)
        c->model.num_classes = dataset->num_classes;
    if (!c->model.channels)
        c->model.channels = dataset->channels;
    if (weights || foreign)
        compare_classes(dataset, c);
    set_input(dataset, o->image_size, &c->model);
    beam_status status = foreign ? BEAM_OK : try_weights(&c->model, weights, err);
    beam_weights_close(weights);
    return status;
}

/* A name that nobody knows is told of before weights are looked for. */
static beam_status check_name(const char *network, beam_error *err)
{
    char known[256] = "";
    const char *name;
    if (beam_is_model_file(network) || beam_is_model_address(network))
        return BEAM_OK;
    for (size_t i = 0; (name = beam_network_known(i)) != NULL; i++) {
        size_t at = strlen(known);
        if (strcmp(name, network) == 0)
            return BEAM_OK;
        (void)snprintf(known + at, sizeof known - at, "%s, ", name);
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "there is no model \"%s\"; known are %sfiles that end in .onnx, .mlir or "
                          ".stablehlo, and addresses of servers' models, http://...",
                          network, known);
}

beam_status beam_choose_classifier(const beam_dataset_info *dataset,
                                   const beam_classifier_options *options,
                                   beam_classifier *classifier, beam_error *err)
{
    beam_classifier_options o = {0};
    beam_classifier *c = classifier;
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    *c = (beam_classifier){0};
    if (o.network)
        BEAM_TRY(check_name(o.network, err));
    c->model.network = beam_str_of(o.network ? o.network : "");
    c->model.device = beam_str_of(o.device ? o.device : "");
    c->model.precision = beam_str_of(o.precision ? o.precision : "");
    if (o.weights && *o.weights)
        c->model.weights = beam_str_of(o.weights);
    else if (!is_foreign(&c->model))
        BEAM_TRY(
            default_weights(dataset, o.network ? o.network : default_network(dataset), &o, c, err));
    return look_into(dataset, &o, c, err);
}

/* ---- Results -------------------------------------------------------------------------------- */

int64_t beam_argmax(const beam_tensor *values)
{
    const float *at = values->data;
    int64_t n = 1, best = 0;
    for (uint32_t i = 0; i < values->rank; i++)
        n *= values->shape[i];
    for (int64_t i = 1; i < n; i++)
        if (at[i] > at[best])
            best = i;
    return best;
}

int64_t beam_predicted_class(const beam_ctx *ctx, const beam_tensor *logits)
{
    beam_str map = beam_inference_spec(ctx)->class_map;
    if (logits->rank == 1 && logits->shape[0] == IMAGENET_CLASSES &&
        beam_str_equal(map, beam_str_of(imagenet_cifar10)))
        return beam_imagenet_logits_to_cifar10(logits->data, NULL);
    return beam_argmax(logits);
}
