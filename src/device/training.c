/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* training.c - networks in training: what is the same for every kind of device. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "device/device.h"

/* As a model's; see model.c. */
static const int64_t MAX_BATCH = 1 << 20;

static const char GRADIENT[] = ".grad";

/* Of the loss at f16, as others have it: where it starts, and how many steps must have gone well
 * before it doubles. */
static const char SCALE[] = "loss_scale";
static const float FIRST_SCALE = 65536, LARGEST_SCALE = 16777216;
enum { STEPS_TO_GROW = 2000 };

/* ---- opening ---- */

static beam_status check_options(const beam_training_options *o, beam_error *err)
{
    if (o->batch_size < 1 || o->batch_size > MAX_BATCH)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "batch_size is %lld, not from 1 to %lld",
                              (long long)o->batch_size, (long long)MAX_BATCH);
    if (!(o->label_smoothing >= 0 && o->label_smoothing <= 1))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "label_smoothing is %g, not from 0 to 1",
                              (double)o->label_smoothing);
    if (!(o->batch_norm_momentum >= 0 && o->batch_norm_momentum <= 1))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "batch_norm_momentum is %g, not from 0 to 1",
                              (double)o->batch_norm_momentum);
    return beam_optimizer_check(&o->optimizer, err);
}

static beam_status check_replicas(const beam_device *device, const beam_training_options *o,
                                  beam_error *err)
{
    if (o->num_replicas > device->chips)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "num_replicas is %u, but device %s has %u chip%s (%s)",
                              o->num_replicas, device->kind, device->chips,
                              device->chips == 1 ? "" : "s", device->description);
    if (o->num_replicas > 1 && o->batch_size % o->num_replicas != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "batch_size is %lld, which %u replicas cannot share evenly",
                              (long long)o->batch_size, o->num_replicas);
    return BEAM_OK;
}

/* What the states begin with: weights, then zeros for the optimizer. */
static beam_status open_driver(beam_training *training, const beam_network *network,
                               beam_error *err)
{
    const beam_nn_training *program = training->program;
    size_t largest = 1;
    for (size_t i = 0; i < program->num_states; i++) {
        beam_tensor shape = beam_nn_shape(program->network, program->states[i].value, 1);
        size_t bytes = beam_tensor_bytes(&shape);
        largest = bytes > largest ? bytes : largest;
    }
    const float **initial = beam_calloc(program->num_states, sizeof *initial);
    float *zeros = beam_calloc(1, largest);
    beam_status status = BEAM_OK;
    if (!initial || !zeros)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    for (size_t i = 0; status == BEAM_OK && i < program->num_states; i++)
        initial[i] = i < network->num_parameters ? network->parameters[i].tensor.data : zeros;
    if (status == BEAM_OK)
        status = training->driver->train_open(training, initial, err);
    beam_free(initial);
    beam_free(zeros);
    return status;
}

beam_training *beam_training_new(beam_device *device, const beam_training_options *options)
{
    beam_training *made = beam_calloc(1, sizeof *made);
    if (!made)
        return NULL;
    beam_device_retain(device);
    made->device = device;
    made->driver = device->driver;
    made->options = *options;
    made->precision = options->precision;
    made->scaled = options->precision == BEAM_PRECISION_F16;
    made->loss_scale[0] = FIRST_SCALE;
    made->num_threads = options->num_threads ? options->num_threads : 1;
    made->num_replicas = options->num_replicas ? options->num_replicas : 1;
    made->labels = beam_calloc((size_t)options->batch_size, sizeof *made->labels);
    if (made->labels)
        return made;
    beam_training_destroy(made);
    return NULL;
}

void beam_training_destroy(beam_training *training)
{
    beam_device *device = training->device;
    beam_device_count_training(training, -(int64_t)training->state_bytes,
                               -(int64_t)training->working_bytes);
    beam_nn_training_free(training->program);
    beam_free(training->labels);
    beam_free(training);
    beam_device_close(device);
}

static beam_status check_network(const beam_device *device, const beam_network *network,
                                 beam_error *err)
{
    if (!device->driver->train_open)
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "device %s does not train",
                              device->driver->kind);
    for (size_t i = 0; network && i < network->num_parameters; i++)
        if (!network->parameters[i].tensor.data)
            return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                  "network %s: parameter %s has no weights to start from",
                                  network->name, network->parameters[i].name);
    return BEAM_OK;
}

static beam_status build(beam_training *training, const beam_network *network, beam_error *err)
{
    const beam_training_options *o = &training->options;
    beam_nn_training_options options = {.optimizer = o->optimizer,
                                        .label_smoothing = o->label_smoothing,
                                        .batch_norm_momentum = o->batch_norm_momentum,
                                        .seed = o->seed};
    BEAM_TRY(beam_nn_training_new(network, &options, &training->program, err));
    return open_driver(training, network, err);
}

beam_status beam_device_train(beam_device *device, const beam_network *network,
                              const beam_training_options *options, beam_training **training,
                              beam_error *err)
{
    *training = NULL;
    beam_training_options o = {0};
    memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    BEAM_TRY(check_options(&o, err));
    BEAM_TRY(check_replicas(device, &o, err));
    BEAM_TRY(check_network(device, network, err));
    BEAM_TRY(
        beam_precision_for(device, network ? beam_network_name(network) : "", &o.precision, err));
    if (o.precision == BEAM_PRECISION_INT8)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "int8 is for inference; train in f32, bf16 or f16 and quantize what "
                              "comes of it");
    beam_training *made = beam_training_new(device, &o);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    beam_status status = build(made, network, err);
    if (status != BEAM_OK) {
        beam_training_destroy(made);
        return beam_error_wrap(err, status, "training network %s on device %s",
                               network ? beam_network_name(network) : "", device->driver->kind);
    }
    *training = made;
    return BEAM_OK;
}

void beam_training_free(beam_training *training)
{
    if (!training)
        return;
    training->driver->train_close(training);
    beam_training_destroy(training);
}

void beam_training_get_info(const beam_training *training, beam_training_info *info)
{
    *info = (beam_training_info){
        .device = training->device,
        .precision = training->precision,
        .batch_size = training->options.batch_size,
        .num_threads = training->num_threads,
        .num_replicas = training->num_replicas,
        .steps = training->steps,
        .state_bytes = training->state_bytes,
        .working_bytes = training->working_bytes,
    };
}

/* ---- a step ---- */

static beam_status check_inputs(const beam_training *training, const beam_tensor *inputs,
                                size_t num_inputs, beam_error *err)
{
    const beam_network *network = training->program->network;
    size_t wanted = network->num_inputs - 3; /* labels, learning_rate and step come after */
    if (num_inputs != wanted)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%zu inputs, where network %s has %zu",
                              num_inputs, network->name, wanted);
    for (size_t i = 0; i < num_inputs; i++) {
        beam_tensor shape = beam_network_input(network, i, training->options.batch_size);
        if (!inputs[i].data || !beam_tensor_same_shape(&inputs[i], &shape))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "input %zu is not f32 data of network %s's shape with a batch "
                                  "of %lld",
                                  i, network->name, (long long)training->options.batch_size);
    }
    return BEAM_OK;
}

static beam_status take_labels(beam_training *training, const uint32_t *labels, beam_error *err)
{
    const beam_nn_training *program = training->program;
    uint32_t classes = (uint32_t)program->network->values[program->logits].shape[1];
    for (int64_t i = 0; i < training->options.batch_size; i++) {
        if (labels[i] >= classes)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "row %lld has label %u, but network %s has %u classes",
                                  (long long)i, labels[i], program->network->name, classes);
        training->labels[i] = (int32_t)labels[i];
    }
    return BEAM_OK;
}

/* Halves the scale when a step was skipped, and doubles it when long none was. */
static void adapt_scale(beam_training *training, bool skipped)
{
    float *scale = &training->loss_scale[0], *steps = &training->loss_scale[1];
    if (skipped) {
        *scale = *scale > 1 ? *scale / 2 : 1;
        *steps = 0;
    } else if (++*steps >= STEPS_TO_GROW) {
        *scale = *scale < LARGEST_SCALE ? *scale * 2 : LARGEST_SCALE;
        *steps = 0;
    }
}

beam_status beam_training_step(beam_training *training, const beam_tensor *inputs,
                               size_t num_inputs, const uint32_t *labels, float learning_rate,
                               beam_step_result *result, beam_error *err)
{
    BEAM_TRY(check_inputs(training, inputs, num_inputs, err));
    BEAM_TRY(take_labels(training, labels, err));
    if (!(learning_rate >= 0) || isinf(learning_rate))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the learning rate is %g; it must be 0 or more",
                              (double)learning_rate);
    if (training->steps >= INT32_MAX)
        return beam_error_set(err, BEAM_OUT_OF_RANGE, "too many steps: %llu",
                              (unsigned long long)training->steps);
    *result = (beam_step_result){0};
    training->steps++;
    uint32_t slots = training->num_threads * training->num_replicas; /* one of them is 1 */
    beam_device_take_slots(training->device, slots);
    beam_status status = training->driver->train_step(training, inputs, training->labels,
                                                      learning_rate, result, err);
    beam_device_give_slots(training->device, slots);
    if (status != BEAM_OK)
        training->steps--;
    else if (training->scaled)
        adapt_scale(training, result->skipped);
    return status;
}

void beam_training_set_steps(beam_training *training, uint64_t steps)
{
    training->steps = steps;
}

/* ---- states ---- */

size_t beam_training_num_states(const beam_training *training)
{
    return training->program->num_states + training->scaled;
}

beam_status beam_training_state(const beam_training *training, size_t index, const char **name,
                                beam_tensor *tensor)
{
    const beam_nn_training *program = training->program;
    if (index >= beam_training_num_states(training))
        return BEAM_OUT_OF_RANGE;
    if (index == program->num_states) {
        *name = SCALE;
        *tensor = (beam_tensor){.dtype = BEAM_F32, .rank = 1, .shape = {2}};
        return BEAM_OK;
    }
    *name = program->states[index].name;
    *tensor = beam_nn_shape(program->network, program->states[index].value, 1);
    return BEAM_OK;
}

/* The gradient that "NAME.grad" means, or 0. */
static uint32_t find_gradient(const beam_training *training, const char *name)
{
    const beam_nn_training *program = training->program;
    size_t length = strlen(name), end = sizeof GRADIENT - 1;
    if (!training->options.keep_gradients || length <= end ||
        strcmp(name + length - end, GRADIENT) != 0)
        return 0;
    for (size_t i = 0; i < program->network->num_parameters; i++) {
        const char *parameter = program->network->parameters[i].name;
        if (strlen(parameter) == length - end && strncmp(parameter, name, length - end) == 0)
            return program->gradients[i];
    }
    return 0;
}

static beam_status find_state(const beam_training *training, const char *name, uint32_t *value,
                              beam_error *err)
{
    const beam_nn_training *program = training->program;
    for (size_t i = 0; i < program->num_states; i++) {
        if (strcmp(program->states[i].name, name) == 0) {
            *value = program->states[i].value;
            return BEAM_OK;
        }
    }
    return beam_error_set(err, BEAM_NOT_FOUND, "network %s in training has no state \"%s\"",
                          program->network->name, name);
}

beam_status beam_training_read(beam_training *training, const char *name, float *data,
                               beam_error *err)
{
    if (training->scaled && strcmp(name, SCALE) == 0) {
        memcpy(data, training->loss_scale, sizeof training->loss_scale);
        return BEAM_OK;
    }
    uint32_t value = find_gradient(training, name);
    if (value == 0)
        BEAM_TRY(find_state(training, name, &value, err));
    return training->driver->train_read(training, value, data, err);
}

beam_status beam_training_write(beam_training *training, const char *name, const float *data,
                                beam_error *err)
{
    if (training->scaled && strcmp(name, SCALE) == 0) {
        if (!(data[0] >= 1 && data[0] <= LARGEST_SCALE && data[1] >= 0))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a %s of %g is not from 1 to %g",
                                  SCALE, (double)data[0], (double)LARGEST_SCALE);
        memcpy(training->loss_scale, data, sizeof training->loss_scale);
        return BEAM_OK;
    }
    uint32_t value = 0;
    BEAM_TRY(find_state(training, name, &value, err));
    return training->driver->train_write(training, value, data, err);
}
