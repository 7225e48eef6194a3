/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer_setup.c - from a configuration to data, a network with weights and a training step. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/trainer.h"

/* ---- Data ------------------------------------------------------------------------------------ */

static beam_status open_shared(beam_trainer *t, const char *split, beam_shared_dataset *shared,
                               beam_error *err)
{
    const beam_training_config *c = &t->config;
    return beam_dataset_share(c->dataset.at, split, c->data_dir.len ? c->data_dir.at : NULL,
                              t->options.logger, shared, err);
}

static beam_status check_pair(const beam_dataset_info *train, const beam_dataset_info *test,
                              beam_error *err)
{
    if (train->num_classes == test->num_classes && train->channels == test->channels)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "images to train on have %u channels and %u classes, those to test on "
                          "%u and %u",
                          train->channels, train->num_classes, test->channels, test->num_classes);
}

beam_status beam_trainer_open_data(beam_trainer *t, beam_error *err)
{
    enum { SIZE = 224 }; /* of images that have sizes of their own */
    t->train = t->options.train_data;
    t->test = t->options.test_data;
    if (!t->train) {
        BEAM_TRY(open_shared(t, "train", &t->shared_train, err));
        BEAM_TRY(open_shared(t, "test", &t->shared_test, err));
        t->train = t->shared_train.dataset;
        t->test = t->shared_test.dataset;
    }
    const beam_dataset_info *info = beam_dataset_get_info(t->train);
    uint32_t size = t->config.image_size ? (uint32_t)t->config.image_size : SIZE;
    bool own = !t->config.image_size && info->height && info->width;
    t->height = own ? info->height : size;
    t->width = own ? info->width : size;
    t->train_height = t->height;
    t->train_width = t->width;
    BEAM_TRY(beam_augment_parse(t->config.augment.at, &t->augment, err));
    BEAM_TRY(beam_augment_window(&t->augment, &t->train_height, &t->train_width, err));
    uint64_t given = (uint64_t)t->config.num_images;
    uint64_t images = given && given < info->count ? given : info->count;
    if ((uint64_t)t->config.batch_size > images)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "batch_size is %lld, and there are only %llu images to train on",
                              (long long)t->config.batch_size, (unsigned long long)images);
    t->steps_per_epoch = images / (uint64_t)t->config.batch_size;
    return check_pair(info, beam_dataset_get_info(t->test), err);
}

/* ---- The network ----------------------------------------------------------------------------- */

static beam_status make_network(const beam_trainer *t, uint32_t height, uint32_t width,
                                beam_network **network, beam_error *err)
{
    const beam_dataset_info *info = beam_dataset_get_info(t->train);
    const beam_network_options options = {.struct_size = sizeof options,
                                          .num_classes = info->num_classes,
                                          .channels = info->channels,
                                          .height = height,
                                          .width = width,
                                          .cifar_stem = t->config.cifar_stem};
    return beam_network_create(t->config.model_name.at, &options, network, err);
}

beam_status beam_trainer_make_network(const beam_trainer *t, beam_network **network,
                                      beam_error *err)
{
    return t->module.file ? beam_trainer_module_network(t, network, err)
                          : make_network(t, t->height, t->width, network, err);
}

/* Weights to start from: a file's where a layer of it fits, else those of `fresh`. */
typedef struct transfer {
    const beam_network *fresh;
    const beam_weights *file;
    size_t taken, left;
    char names[400]; /* of layers that start afresh */
} transfer;

static bool fits(const transfer *x, const beam_parameter *p)
{
    beam_tensor tensor;
    return beam_weights_find(x->file, p->name, &tensor, NULL) == BEAM_OK &&
           tensor.rank == p->tensor.rank &&
           memcmp(tensor.shape, p->tensor.shape, tensor.rank * sizeof *tensor.shape) == 0;
}

/* "layer1.0.conv1" of "layer1.0.conv1.weight". */
static size_t layer_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

static bool layer_fits(const transfer *x, const char *name)
{
    beam_parameter p;
    size_t len = layer_length(name);
    for (size_t i = 0; beam_network_parameter(x->fresh, i, &p) == BEAM_OK; i++)
        if (layer_length(p.name) == len && strncmp(p.name, name, len) == 0 && !fits(x, &p))
            return false;
    return true;
}

static void note_layer(transfer *x, const char *name)
{
    size_t len = layer_length(name), at = strlen(x->names);
    if (at >= len && strncmp(x->names + at - len, name, len) == 0)
        return; /* the layer of the parameter before */
    (void)snprintf(x->names + at, sizeof x->names - at, "%s%.*s", at ? ", " : "", (int)len, name);
}

static beam_status fresh_parameter(const beam_network *network, const char *name,
                                   beam_tensor *tensor)
{
    beam_parameter p;
    for (size_t i = 0; beam_network_parameter(network, i, &p) == BEAM_OK; i++) {
        if (strcmp(p.name, name) != 0)
            continue;
        *tensor = p.tensor;
        return BEAM_OK;
    }
    return BEAM_NOT_FOUND;
}

static beam_status look_up(void *user, const char *name, beam_tensor *tensor, beam_error *err)
{
    transfer *x = user;
    if (layer_fits(x, name)) {
        x->taken++;
        return beam_weights_find(x->file, name, tensor, err);
    }
    x->left++;
    note_layer(x, name);
    return fresh_parameter(x->fresh, name, tensor);
}

static beam_status transfer_weights(const beam_trainer *t, transfer *x, beam_network *network,
                                    beam_error *err)
{
    const char *from = t->config.init_weights.at;
    const beam_weight_source source = {.user = x, .lookup = look_up};
    beam_status status = beam_network_bind(network, &source, err);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "init_weights %s", from);
    if (!x->taken)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "init_weights %s: no layer of it fits %s",
                              from, t->config.model_name.at);
    if (x->left)
        BEAM_LOG(t->options.logger, BEAM_LOG_NOTICE,
                 "init_weights %s: %zu of %zu tensors are taken; not there, or of another shape, "
                 "and so starting afresh: %s",
                 from, x->taken, x->taken + x->left, x->names);
    return BEAM_OK;
}

/* ---- The step -------------------------------------------------------------------------------- */

static beam_status set_options(const beam_trainer *t, beam_training_options *o, beam_error *err)
{
    const beam_training_config *c = &t->config;
    *o = (beam_training_options){.struct_size = sizeof *o,
                                 .batch_size = c->batch_size,
                                 .num_threads = (uint32_t)c->num_threads,
                                 .num_replicas = (uint32_t)c->num_replicas,
                                 .label_smoothing =
                                     c->label_smoothing > 0 ? (float)c->label_smoothing : 0,
                                 .seed = (uint64_t)c->seed};
    o->optimizer = (beam_optimizer){
        .struct_size = sizeof o->optimizer,
        .weight_decay = c->weight_decay > 0 ? (float)c->weight_decay : 0,
        .max_gradient_norm = (float)c->max_gradient_norm,
        .bias_lr_factor = (float)c->bias_lr_factor,
    };
    BEAM_TRY(beam_precision_parse(c->precision.at, &o->precision, err));
    BEAM_TRY(beam_optimizer_parse(c->optimizer.at, &o->optimizer.kind, err));
    if (c->momentum > 0) {
        o->optimizer.momentum = (float)c->momentum;
        o->optimizer.nesterov = true;
    }
    return BEAM_OK;
}

/* A network for windows of images, which borrows `whole`'s weights. */
static beam_status make_windowed(const beam_trainer *t, const beam_network *whole,
                                 beam_network **network, beam_error *err)
{
    beam_parameter p;
    beam_status status = make_network(t, t->train_height, t->train_width, network, err);
    for (size_t i = 0; status == BEAM_OK && beam_network_parameter(whole, i, &p) == BEAM_OK; i++)
        status = beam_network_set_parameter(*network, p.name, &p.tensor, err);
    return status == BEAM_OK ? status
                             : beam_error_wrap(err, status, "augment: windows of %ux%u",
                                               t->train_height, t->train_width);
}

static beam_status train_on_device(beam_trainer *t, const beam_network *network, beam_error *err)
{
    beam_training_options options;
    beam_network *windowed = NULL;
    BEAM_TRY(set_options(t, &options, err));
    beam_status status = t->augment.window ? make_windowed(t, network, &windowed, err) : BEAM_OK;
    if (status == BEAM_OK)
        status = beam_device_train(t->device, windowed ? windowed : network, &options, &t->training,
                                   err);
    beam_network_free(windowed);
    BEAM_TRY(status);
    if (t->config.lookahead <= 0)
        return BEAM_OK;
    return beam_lookahead_open(&t->lookahead, t->training, beam_network_num_parameters(network),
                               err);
}

/* The weights of a network that starts from nothing. */
static beam_status make_weights(const beam_trainer *t, beam_network *network, beam_error *err)
{
    enum { MOST_IMAGES = 2000, MOST_BYTES = 1 << 26 };
    BEAM_TRY(beam_network_initialize(network, (uint64_t)t->config.seed, err));
    if (!beam_network_whitens(network))
        return BEAM_OK;
    beam_tensor one = beam_network_input(network, 0, 1);
    uint64_t images = t->steps_per_epoch * (uint64_t)t->config.batch_size;
    size_t count = images < MOST_IMAGES ? (size_t)images : MOST_IMAGES;
    if (count > MOST_BYTES / beam_tensor_bytes(&one)) /* large images have patches enough */
        count = MOST_BYTES / beam_tensor_bytes(&one) + 1;
    float *pixels = beam_malloc(count * beam_tensor_bytes(&one));
    uint64_t *indices = beam_malloc(count * sizeof *indices);
    beam_status status = pixels && indices ? BEAM_OK : beam_trainer_no_memory(err);
    for (size_t i = 0; status == BEAM_OK && i < count; i++)
        indices[i] = i;
    if (status == BEAM_OK)
        status =
            beam_dataset_fill(t->train, indices, count, t->height, t->width, pixels, NULL, err);
    if (status == BEAM_OK)
        status = beam_network_whiten(network, pixels, count, err);
    beam_free(pixels);
    beam_free(indices);
    return status;
}

/* A new network's weights, or those of config.init_weights. */
static beam_status begin_afresh(beam_trainer *t, beam_network *network, beam_error *err)
{
    const beam_download_options download = {.struct_size = sizeof download,
                                            .logger = t->options.logger};
    transfer x = {0};
    beam_network *fresh = NULL;
    beam_weights *file = NULL;
    char *path = NULL;
    if (!t->config.init_weights.len) {
        BEAM_TRY(make_weights(t, network, err));
        return train_on_device(t, network, err);
    }
    BEAM_TRY(beam_weights_locate(t->config.init_weights.at, &download, &path, err));
    beam_status status = beam_weights_open(path, &file, err);
    beam_weights_path_free(path);
    if (status == BEAM_OK)
        status = beam_trainer_make_network(t, &fresh, err);
    if (status == BEAM_OK)
        status = make_weights(t, fresh, err);
    if (status == BEAM_OK) {
        x.fresh = fresh;
        x.file = file;
        status = transfer_weights(t, &x, network, err);
    }
    if (status == BEAM_OK) /* copies what `network` borrowed from the two */
        status = train_on_device(t, network, err);
    beam_network_free(fresh);
    beam_weights_close(file);
    return status;
}

/* A state of the checkpoint, checked against the shape that it must have. */
static beam_status find_state(const beam_trainer *t, const beam_checkpoint *c, const char *name,
                              const beam_tensor *wanted, beam_tensor *saved, beam_error *err)
{
    beam_status status = beam_weights_find(c->weights, name, saved, NULL);
    if (status == BEAM_OK && beam_tensor_same_shape(saved, wanted))
        return BEAM_OK;
    return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                          "%s: the checkpoint of step %lld %s %s: another version of libbeam wrote "
                          "it. Train into another folder, or remove this one",
                          t->checkpoints.folder, (long long)c->head.step,
                          status == BEAM_OK ? "has another shape of" : "has no", name);
}

static beam_status write_state(beam_trainer *t, const beam_checkpoint *c, size_t index,
                               beam_error *err)
{
    const char *name;
    beam_tensor wanted, saved;
    BEAM_TRY(beam_training_state(t->training, index, &name, &wanted));
    BEAM_TRY(find_state(t, c, name, &wanted, &saved, err));
    BEAM_TRY(beam_training_write(t->training, name, saved.data, err));
    if (index >= t->lookahead.count)
        return BEAM_OK;
    BEAM_TRY(find_state(t, c, t->lookahead.names[index], &wanted, &saved, err));
    memcpy(t->lookahead.weights[index], saved.data, beam_tensor_bytes(&wanted));
    return BEAM_OK;
}

static beam_status write_states(beam_trainer *t, const beam_checkpoint *c, beam_error *err)
{
    for (size_t i = 0; i < beam_training_num_states(t->training); i++)
        BEAM_TRY(write_state(t, c, i, err));
    beam_training_set_steps(t->training, t->step);
    return BEAM_OK;
}

static beam_status begin_again(beam_trainer *t, const beam_checkpoint *c, beam_network *network,
                               beam_error *err)
{
    beam_weight_source source = beam_weights_source(c->weights);
    source.name = NULL; /* there is more in a checkpoint than weights */
    beam_status status = beam_network_bind(network, &source, err);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "the checkpoint in %s", t->checkpoints.folder);
    BEAM_TRY(train_on_device(t, network, err));
    return write_states(t, c, err);
}

/* That the classifier cannot be run is to be known before the training. */
static beam_status begin_module(beam_trainer *t, const beam_checkpoint *c, beam_error *err)
{
    beam_model *model;
    BEAM_TRY(beam_trainer_train_module(t, err));
    BEAM_TRY(beam_trainer_model(t, 1, &model, err));
    beam_model_free(model);
    return c ? write_states(t, c, err) : BEAM_OK;
}

beam_status beam_trainer_begin(beam_trainer *t, const beam_checkpoint *checkpoint, beam_error *err)
{
    beam_network *network;
    t->schedule = (beam_schedule){.struct_size = sizeof t->schedule};
    BEAM_TRY(beam_schedule_parse(t->config.schedule.at, &t->schedule.kind, err));
    if (t->module.file)
        return begin_module(t, checkpoint, err);
    BEAM_TRY(beam_trainer_make_network(t, &network, err));
    beam_status status =
        checkpoint ? begin_again(t, checkpoint, network, err) : begin_afresh(t, network, err);
    beam_network_free(network);
    return status;
}
