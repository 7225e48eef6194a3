/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* device.h - what a kind of device implements.  The common part (device.c, model.c) checks
 * arguments, counts references, leases and memory; a driver compiles and runs. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <beam/device.h>
#include <pthread.h>
#include <stdatomic.h>

#include "nn/training.h"

/* Every function returns with nothing half made when it fails.  `feed` may be NULL: then
 * execute finds the caller's inputs in context->inputs and reads them where they are. */
typedef struct beam_device_driver {
    const char *kind;
    bool int8; /* it runs models in int8 */
    /* Sets device->state, description and native_bf16; kind if it is not always the driver's, and
     * slots if they are no number of cores (0: nobody asked for a number). */
    beam_status (*open)(beam_device *device, beam_error *err);
    void (*close)(beam_device *device);
    /* Bytes in use and there in all on the device itself; NULL: it has no memory of its own. */
    void (*memory)(const beam_device *device, uint64_t *in_use, uint64_t *limit);
    /* model->network is a copy without weights; those are `parameters`, in its order.  Sets
     * model->state, and lowers model->precision if it must. */
    beam_status (*compile)(beam_model *model, const beam_nn_parameter *parameters,
                           const beam_compile_options *options, beam_error *err);
    void (*discard)(beam_model *model);
    beam_status (*context_open)(beam_model_context *context, beam_error *err);
    void (*context_close)(beam_model_context *context);
    beam_status (*feed)(beam_model_context *context, beam_error *err);
    /* Sets outputs[i].data; shapes are filled in already. */
    beam_status (*execute)(beam_model_context *context, beam_tensor *outputs, beam_error *err);
    /* See beam_model_context_effort; NULL: there is none. */
    void (*effort)(const beam_model_context *context, beam_remote_effort *effort);

    /* Training; NULL: this device does not.  Compiles training->program, whose parameters and
     * states start as `initial` (one a state, row-major f32).  Sets training->state, lowers
     * precision (of bf16) and num_threads if it must, and counts memory. */
    beam_status (*train_open)(beam_training *training, const float *const *initial,
                              beam_error *err);
    void (*train_close)(beam_training *training);
    /* Inputs and labels are checked; training->steps is the number of this step, from 1. */
    beam_status (*train_step)(beam_training *training, const beam_tensor *inputs,
                              const int32_t *labels, float learning_rate, beam_step_result *result,
                              beam_error *err);
    /* A value of the program that lasts (a state's, or a kept gradient): row-major f32. */
    beam_status (*train_read)(beam_training *training, uint32_t value, float *data,
                              beam_error *err);
    beam_status (*train_write)(beam_training *training, uint32_t value, const float *data,
                               beam_error *err);
} beam_device_driver;

extern const beam_device_driver beam_reference_driver;
extern const beam_device_driver beam_onednn_driver;
extern const beam_device_driver beam_pjrt_driver;
extern const beam_device_driver beam_remote_driver;

struct beam_device {
    const beam_device_driver *driver;
    atomic_uint references;
    const beam_logger *logger;
    char *requested, *override; /* $BEAM_ACCELERATOR_BACKEND */
    const char *backend;        /* the name that `requested` came to: "tpu" for "auto" */
    const char *kind;
    char description[160];
    bool fell_back, native_bf16, native_f16;
    void *state;

    pthread_mutex_t mutex; /* guards what follows, but for slots */
    pthread_cond_t slot_freed;
    uint32_t slots, free_slots;
    uint64_t asked, served; /* places in the line of those who wait, and those of them served */
    uint32_t wide_waiting;  /* of those who wait: for more than one slot */
    uint32_t chips;         /* that one training may span */

    atomic_llong weight_bytes, working_bytes, held_bytes /* their sum */, peak_bytes;
};

struct beam_model {
    beam_device *device;
    const beam_device_driver *driver; /* the device's, or that of models made elsewhere */
    atomic_uint references;
    beam_network *network;
    beam_precision precision;
    int64_t max_batch;
    atomic_llong weight_bytes;
    atomic_uint programs; /* compiled so far, on devices with static shapes */
    void *state;
};

struct beam_model_context {
    beam_model *model;
    beam_tensor *inputs; /* as fed */
    int64_t batch;       /* 0: nothing fed */
    const int *stop;     /* see beam_model_context_stop */
    void *state;
};

struct beam_training {
    beam_device *device;
    const beam_device_driver *driver; /* the device's, or that of steps made elsewhere */
    beam_nn_training *program;
    beam_training_options options;
    beam_precision precision;
    uint32_t num_threads;
    uint32_t num_replicas;
    uint64_t steps;
    int32_t *labels; /* of the step, converted */
    bool scaled;     /* at f16: the loss is multiplied, and an endless gradient skips the step */
    /* What by, and for how many steps it has been that without one skipped. */
    float loss_scale[2];
    uint64_t state_bytes, working_bytes;
    void *state;
};

/* Without a program yet, which its maker gives it; `options` are checked.  NULL: no memory. */
beam_training *beam_training_new(beam_device *device, const beam_training_options *options);
/* The part that all kinds of training share: after the driver's train_close. */
void beam_training_destroy(beam_training *training);

/* Makes a precision that was asked for the one that a device computes in, where f16 is concerned:
 * f32 where it does not know that, and a warning.  BEAM_INVALID_ARGUMENT if it is none,
 * BEAM_UNIMPLEMENTED for int8 where a device lacks it. */
beam_status beam_precision_for(const beam_device *device, const char *network,
                               beam_precision *precision, beam_error *err);

/* Accounts for memory taken (or given back: negative) for weights and for running. */
void beam_device_count_weights(beam_model *model, int64_t bytes);
/* Of weights that another model has taken memory for. */
void beam_device_count_known(beam_model *model, int64_t bytes);
/* Of weights that two models count and the device holds once: negative when they come to be so,
 * positive before one of both counts them as given back. */
void beam_device_count_shared(beam_device *device, int64_t bytes);
void beam_device_count_working(beam_device *device, int64_t bytes);

void beam_device_count_training(beam_training *training, int64_t state_bytes,
                                int64_t working_bytes);

/* Several slots at once, or all where there are fewer, so that two who want several cannot each
 * hold what the other waits for.  Who comes later for one slot does not pass who waits for several.
 */
void beam_device_take_slots(beam_device *device, uint32_t slots);
void beam_device_give_slots(beam_device *device, uint32_t slots);

void beam_device_retain(beam_device *device);

#endif
