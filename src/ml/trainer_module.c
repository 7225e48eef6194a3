/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer_module.c - training steps made elsewhere.  config.model_name names the step's module and,
 * behind a comma, those of the classifier that it trains; config.init_weights is the file of the
 * states to start from, whose notes say what main takes and gives.  The classifier's weights are
 * some of the states. */
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "ml/trainer.h"
#include "nn/network.h"

/* ---- Files ----------------------------------------------------------------------------------- */

/* Where a file lies: with the pipeline's program, or as named. */
static beam_status locate(beam_trainer *t, const char *name, const char **path, beam_error *err)
{
    char *found = NULL;
    BEAM_TRY(beam_weights_locate(name, NULL, &found, err));
    size_t size = strlen(found) + 1;
    char *copy = beam_pool_alloc(t->pool, size);
    if (copy)
        memcpy(copy, found, size);
    beam_weights_path_free(found);
    *path = copy;
    return copy ? BEAM_OK : beam_trainer_no_memory(err);
}

/* The first name is the step's, the others are the classifier's. */
static beam_status locate_all(beam_trainer *t, char *names, beam_error *err)
{
    beam_buffer rest = {0};
    char *at = NULL;
    beam_status status = locate(t, strtok_r(names, ",", &at), &t->module.step, err);
    for (char *name; status == BEAM_OK && (name = strtok_r(NULL, ",", &at));) {
        const char *path;
        status = locate(t, name, &path, err);
        if (status == BEAM_OK &&
            beam_buffer_printf(&rest, "%s%s", rest.len ? "," : "", path) != BEAM_OK)
            status = beam_trainer_no_memory(err);
    }
    char *copy = status == BEAM_OK ? beam_pool_alloc(t->pool, rest.len + 1) : NULL;
    if (copy) {
        memcpy(copy, rest.data, rest.len);
        copy[rest.len] = '\0';
        t->module.classifier = copy;
    }
    beam_buffer_free(&rest);
    return status == BEAM_OK && !copy ? beam_trainer_no_memory(err) : status;
}

static beam_status find_note(const beam_trainer *t, const char *key, const char **note,
                             beam_error *err)
{
    *note = beam_weights_metadata(t->module.file, key);
    if (*note)
        return BEAM_OK;
    return beam_error_set(
        err, BEAM_INVALID_ARGUMENT,
        "init_weights %s has no note \"%s\": docs/howto/own-training-jax.md tells "
        "how a training step is exported",
        t->config.init_weights.at, key);
}

beam_status beam_trainer_open_module(beam_trainer *t, beam_error *err)
{
    const char *path;
    char *names = beam_strdup(t->config.model_name.at);
    beam_status status = names ? locate_all(t, names, err) : beam_trainer_no_memory(err);
    beam_free(names);
    BEAM_TRY(status);
    BEAM_TRY(locate(t, t->config.init_weights.at, &path, err));
    BEAM_TRY(beam_weights_open(path, &t->module.file, err));
    BEAM_TRY(find_note(t, "step_arguments", &t->module.step_arguments, err));
    BEAM_TRY(find_note(t, "step_results", &t->module.step_results, err));
    return find_note(t, "arguments", &t->module.arguments, err);
}

/* ---- The classifier -------------------------------------------------------------------------- */

/* An argument of the classifier's that is a state is one of its weights. */
static beam_status add_weight(const beam_trainer *t, beam_network *network, const char *name,
                              size_t len, size_t *inputs, beam_error *err)
{
    char copy[256];
    beam_nn_parameter p = {.name = copy, .trainable = true};
    if (len >= sizeof copy)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a state's name is %zu bytes long", len);
    memcpy(copy, name, len);
    copy[len] = '\0';
    if (beam_weights_find(t->module.file, copy, &p.tensor, NULL) != BEAM_OK) {
        ++*inputs;
        return BEAM_OK;
    }
    if (p.tensor.dtype != BEAM_F32)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "state %s is %s; the classifier's weights must be f32", copy,
                              beam_dtype_name(p.tensor.dtype));
    (void)beam_nn_copy_parameter(network, &p);
    return BEAM_OK;
}

static beam_status add_weights(const beam_trainer *t, beam_network *network, beam_error *err)
{
    size_t inputs = 0;
    for (const char *at = t->module.arguments; *at;) {
        size_t len = strcspn(at, "\n");
        BEAM_TRY(add_weight(t, network, at, len, &inputs, err));
        at += len + (at[len] == '\n');
    }
    if (inputs == 1)
        return BEAM_OK;
    return beam_error_set(
        err, BEAM_INVALID_ARGUMENT,
        "the note \"arguments\" of %s has %zu names that are no state's: one, the "
        "images', must be",
        t->config.init_weights.at, inputs);
}

beam_status beam_trainer_module_network(const beam_trainer *t, beam_network **network,
                                        beam_error *err)
{
    const beam_dataset_info *info = beam_dataset_get_info(t->train);
    const int64_t image[] = {info->channels, t->height, t->width};
    const beam_nn_value logits = {.kind = BEAM_VALUE_COMPUTED,
                                  .dtype = BEAM_F32,
                                  .rank = 2,
                                  .shape = {BEAM_NN_BATCH, info->num_classes}};
    *network = NULL;
    beam_network *net = beam_network_new(t->module.step);
    if (!net)
        return beam_trainer_no_memory(err);
    (void)beam_nn_input(net, "images", 3, image);
    beam_status status = add_weights(t, net, err);
    beam_value output = beam_nn_add_value(net, "logits", &logits);
    if (status == BEAM_OK)
        status = beam_network_finish(net, &output, 1, err);
    if (status == BEAM_OK)
        *network = net;
    else
        beam_network_free(net);
    return status;
}

static beam_status check_classifier(const beam_trainer *t, const beam_model *model, beam_error *err)
{
    beam_tensor image = beam_network_input(t->network, 0, 1);
    beam_tensor logits = beam_network_output(t->network, 0, 1);
    beam_tensor takes = beam_model_input(model, 0, 1), gives = beam_model_output(model, 0, 1);
    if (beam_tensor_same_shape(&image, &takes) && beam_tensor_same_shape(&logits, &gives))
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "the classifier %s must take images {%lld, %lld, %lld} and give %lld "
                          "numbers for each",
                          t->module.classifier, (long long)image.shape[1],
                          (long long)image.shape[2], (long long)image.shape[3],
                          (long long)logits.shape[1]);
}

beam_status beam_trainer_load_classifier(const beam_trainer *t, const beam_named_tensor *weights,
                                         size_t n, int64_t max_batch, beam_model **model,
                                         beam_error *err)
{
    const beam_load_options options = {.struct_size = sizeof options,
                                       .max_batch = max_batch,
                                       .weights = weights,
                                       .num_weights = n,
                                       .arguments = t->module.arguments};
    BEAM_TRY(beam_device_load(t->device, t->module.classifier, &options, model, err));
    beam_status status = check_classifier(t, *model, err);
    if (status != BEAM_OK) {
        beam_model_free(*model);
        *model = NULL;
    }
    return status;
}

/* ---- The step -------------------------------------------------------------------------------- */

beam_status beam_trainer_train_module(beam_trainer *t, beam_error *err)
{
    const beam_dataset_info *info = beam_dataset_get_info(t->train);
    const beam_weights *file = t->module.file;
    beam_step_module step = {.struct_size = sizeof step,
                             .path = t->module.step,
                             .num_classes = info->num_classes,
                             .num_states = beam_weights_count(file),
                             .arguments = t->module.step_arguments,
                             .results = t->module.step_results};
    step.images = (beam_tensor){
        .dtype = BEAM_F32,
        .rank = 4,
        .shape = {t->config.batch_size, info->channels, t->train_height, t->train_width}};
    beam_named_tensor *states = beam_calloc(step.num_states, sizeof *states);
    if (!states)
        return beam_trainer_no_memory(err);
    for (size_t i = 0; i < step.num_states; i++)
        states[i] = (beam_named_tensor){beam_weights_name(file, i), beam_weights_tensor(file, i)};
    step.states = states;
    beam_status status = beam_device_train_module(t->device, &step, &t->training, err);
    beam_free(states);
    return status;
}
