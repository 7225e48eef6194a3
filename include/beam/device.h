/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* device.h - one interface to whatever runs a network: the CPU today, accelerators the same way.
 *
 *     beam_device *device;          one a process and kind
 *     beam_model *model;            a network compiled for it with its weights packed
 *     beam_model_context *context;  one a thread: what it needs to run the model
 *
 *     beam_device_open("auto", NULL, &device, &err);
 *     beam_device_compile(device, network, &(beam_compile_options){
 *         .struct_size = sizeof(beam_compile_options), .max_batch = 256}, &model, &err);
 *     beam_model_context_new(model, &context, &err);
 *     beam_device_acquire(device);
 *     beam_model_run(context, &images, 1, &logits, 1, &err);
 *     beam_device_release(device);
 *
 * Devices and models may be used from any thread at once; a context by one thread at a time.
 * A model keeps its device and a context its model alive, so they are freed in any order.
 */
#ifndef BEAM_DEVICE_H
#define BEAM_DEVICE_H

#include <beam/log.h>
#include <beam/nn.h>
#include <beam/optimizer.h>
#include <beam/status.h>
#include <beam/tensor.h>
#include <beam/weights.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_device beam_device;
typedef struct beam_model beam_model;
typedef struct beam_model_context beam_model_context;

/* ---- devices ----------------------------------------------------------------------------- */

typedef struct beam_device_options {
    size_t struct_size;
    const beam_logger *logger; /* NULL: the default; must outlive the device */
    uint32_t slots; /* 0: one a core this process may run on, or one a chip; see acquire */
} beam_device_options;

/* Opens a device by name; `options` may be NULL.
 *   "cpu"        oneDNN, one thread a context
 *   "reference"  plain C, slow and obvious: what the others are compared with
 *   "gpu", "tpu"  a PJRT plugin for it, found by its usual places and environment variables
 *                 (docs/accelerators.md); $BEAM_PJRT_OPTIONS, "name=value;...", is handed to it
 *   "pjrt:PATH"   this PJRT plugin
 *   "remote"     servers elsewhere: see beam_remote_options
 *   "auto"        a TPU if $PJRT_DEVICE is TPU, else a GPU if one shows, else the CPU; that it fell
 *                 back to the CPU is logged and told by beam_device_info.  If it is set,
 *                 $BEAM_ACCELERATOR_BACKEND is the name used instead
 * A device that is not there is BEAM_UNAVAILABLE, and the message says what was looked for, where,
 * what the plugin answered and what to do.  One process a machine owns an accelerator: if another
 * has it, BEAM_UNAVAILABLE names that.  An unknown name is BEAM_INVALID_ARGUMENT. */
BEAM_API beam_status beam_device_open(const char *name, const beam_device_options *options,
                                      beam_device **device, beam_error *err);
/* Gives up the caller's hold; NULL is allowed. */
BEAM_API void beam_device_close(beam_device *device);

typedef struct beam_device_info {
    const char *kind;        /* "cpu", "reference", "gpu", "tpu", "pjrt-cpu" or "pjrt" */
    const char *requested;   /* the name it was opened by */
    const char *description; /* for people: library, version, instruction set */
    uint32_t slots;
    uint32_t chips;   /* that one training may span; 1 where a device is not made of several */
    bool fell_back;   /* "auto" found no accelerator */
    bool native_bf16; /* the hardware multiplies bf16; otherwise it is f32 inside */
    bool native_f16;  /* and f16 */
} beam_device_info;

/* Fills *info; what it points to lives as long as the device. */
BEAM_API void beam_device_get_info(const beam_device *device, beam_device_info *info);

/* Bytes that the device holds for its models and contexts, now and at most so far. */
typedef struct beam_device_memory {
    uint64_t weight_bytes;  /* once where models on the CPU share them */
    uint64_t working_bytes; /* activations and scratch memory of contexts, compiled programs */
    uint64_t peak_bytes;    /* both together */
    /* What an accelerator itself tells of its first chip; 0: it does not tell. */
    uint64_t chip_bytes_in_use;
    uint64_t chip_bytes_limit;
} beam_device_memory;

/* Fills *memory with what holds at this moment; any thread may ask. */
BEAM_API void beam_device_get_memory(const beam_device *device, beam_device_memory *memory);

/* A lease on one slot: waits until fewer than `slots` are out.  Take it before beam_model_run
 * and give it back before doing anything else; never take a second while holding one. */
BEAM_API void beam_device_acquire(beam_device *device);
/* The same without waiting: false if none is free, or another waits for several. */
BEAM_API bool beam_device_try_acquire(beam_device *device);
BEAM_API void beam_device_release(beam_device *device);

/* ---- models ------------------------------------------------------------------------------ */

typedef enum beam_precision {
    BEAM_PRECISION_F32 = 0,  /* f32 throughout */
    BEAM_PRECISION_BF16 = 1, /* weights and activations bf16, sums f32; inputs and outputs f32 */
    BEAM_PRECISION_F16 = 2,  /* the same in f16, for GPUs that have no bf16; f32 on the CPU */
    /* Convolutions and linear layers of which it is known how large their inputs get multiply
     * integers of eight bits; the others f32.  Inference on the CPU only. */
    BEAM_PRECISION_INT8 = 3
} beam_precision;

/* "f32", "bf16", "f16", "int8". */
BEAM_API const char *beam_precision_name(beam_precision precision);
/* BEAM_INVALID_ARGUMENT names the known ones. */
BEAM_API beam_status beam_precision_parse(const char *text, beam_precision *precision,
                                          beam_error *err);

typedef struct beam_compile_options {
    size_t struct_size;
    beam_precision precision;
    int64_t max_batch; /* 1; a larger batch is refused */
    /* Batch sizes to prepare for, ascending, at most max_batch; none: max_batch alone.  The CPU
     * prepares them now and any other size when it first comes.  A device with static shapes runs
     * these and max_batch, pads what is between, and compiles all but the largest when it first
     * comes.  If none were given, it also runs max_batch / 4 and / 16: an accelerator when the
     * 64 batches before were padded to a larger one for want of them, since it compiles for long.
     */
    const int64_t *batch_sizes;
    size_t num_batch_sizes;
} beam_compile_options;

/* Compiles a finished network whose parameters all have their weights, and copies those in the
 * device's own layout: neither is needed afterwards.  `options` may be NULL.
 * BEAM_FAILED_PRECONDITION names a parameter without weights. */
BEAM_API beam_status beam_device_compile(beam_device *device, const beam_network *network,
                                         const beam_compile_options *options, beam_model **model,
                                         beam_error *err);
/* Gives up the caller's hold; NULL is allowed. */
BEAM_API void beam_model_free(beam_model *model);

/* ---- models made elsewhere: docs/howto ---- */

typedef struct beam_load_options {
    size_t struct_size;
    beam_precision precision; /* of ONNX; a StableHLO module computes in what it was exported in */
    int64_t max_batch;        /* 1; a model of fixed batch sizes may take less: beam_model_info */
    const beam_named_tensor *weights; /* arguments of a StableHLO module; ONNX has its own */
    size_t num_weights;
    /* What the arguments of a module's main are, a name a line: a weight's, or another, which is an
     * input.  NULL: the weights in their order, then the inputs. */
    const char *arguments;
    const struct beam_remote_options *remote; /* of an address; NULL: all as it says there */
    /* Asking a server is broken off soon after *stop is not 0: BEAM_CANCELLED; NULL: never. */
    const int *stop;
} beam_load_options;

/* How a server is asked that speaks the open inference protocol, version 2, over HTTP: Triton,
 * KServe, OpenVINO's model server, MLServer (docs/howto/remote-model.md).  Datatypes become f32 and
 * back; whole numbers that f32 does not hold exactly are errors.  A request that gets no answer, or
 * 408, 429, 502 and above, is sent again, after 500 once; after 429, or 503 with Retry-After,
 * nobody in this process asks for the model until that or throttle_delay_secs is over. */
typedef struct beam_remote_options {
    size_t struct_size;
    int64_t num_retries;        /* 0: 5; -1: none */
    double retry_delay_secs;    /* 1: before the first of them, doubled each time up to 60; by
                                 * chance up to half of it less */
    double throttle_delay_secs; /* 5 */
    double timeout_secs;        /* 60: of one try */
    double requests_per_second; /* of this process; 0: no limit */
    /* Where a bearer token or a whole header ("X-Api-Key: ...") stands: "env:NAME" or "file:PATH",
     * read again when it is refused.  Sent over https:// and to this machine only.  NULL: none. */
    const char *credentials;
} beam_remote_options;

/* Loads a model from a file, told by its name:
 *   .onnx         ONNX with its weights inside, run by OpenVINO, which must be installed, on the
 *                 device "cpu"
 *   .mlir, .stablehlo   a StableHLO module, text or portable bytecode, on any PJRT plugin; several
 *                 files, separated by commas, are one model exported for several batch sizes
 * or from a server, by its address, on the device "remote":
 *   http://HOST[:PORT]/v2/models/NAME[/versions/VERSION], or https://
 * Inputs and outputs are f32 with the batch first.  Where the batch size is fixed, a smaller batch
 * is padded and its rows cut.  `options` may be NULL.
 * BEAM_INVALID_ARGUMENT: not such a file, or what it takes and what it is given differ; the message
 * names the argument.  What the compiler says of a module that does not verify, with its line, is
 * the error. */
BEAM_API beam_status beam_device_load(beam_device *device, const char *path,
                                      const beam_load_options *options, beam_model **model,
                                      beam_error *err);
/* Whether this names such a file. */
BEAM_API bool beam_is_model_file(const char *path);
/* Whether this is such an address. */
BEAM_API bool beam_is_model_address(const char *path);

/* What the runs of a context took so far, of a model on a server; zeros for others. */
typedef struct beam_remote_effort {
    int64_t retries;      /* requests that were sent again */
    int64_t throttled_ms; /* waited for an overloaded server */
} beam_remote_effort;
BEAM_API void beam_model_context_effort(const beam_model_context *context,
                                        beam_remote_effort *effort);

typedef struct beam_model_info {
    beam_device *device;
    beam_precision precision; /* what is used: f32 on a CPU that cannot do bf16 */
    int64_t max_batch;
    size_t num_inputs, num_outputs;
    uint64_t weight_bytes; /* that it runs with; models may share them: see beam_device_memory */
    uint32_t num_programs; /* compiled so far, on a device with static shapes */
    bool any_batch;        /* no batch size is prepared for: padding to one gains nothing */
} beam_model_info;

/* Fills *info; what it points to lives as long as the model. */
BEAM_API void beam_model_get_info(const beam_model *model, beam_model_info *info);
/* Shape for the given batch (f32, batch first, data NULL). */
BEAM_API beam_tensor beam_model_input(const beam_model *model, size_t index, int64_t batch);
BEAM_API beam_tensor beam_model_output(const beam_model *model, size_t index, int64_t batch);

/* ---- running ----------------------------------------------------------------------------- */

/* What one thread needs to run a model: room for activations, a place in a queue.  A context is
 * used by one thread at a time and freed before its model. */
BEAM_API beam_status beam_model_context_new(beam_model *model, beam_model_context **context,
                                            beam_error *err);
BEAM_API void beam_model_context_free(beam_model_context *context);

/* Starts bringing one batch to the device: f32 inputs of one batch size between 1 and
 * max_batch, in the order of the network's.  Needs no lease.  The data must stay as it is until
 * beam_model_execute returns; the CPU reads it where it is. */
BEAM_API beam_status beam_model_feed(beam_model_context *context, const beam_tensor *inputs,
                                     size_t num_inputs, beam_error *err);
/* Runs the model on what was fed and waits for it.  outputs[i] then points into the context, f32,
 * row-major, until the next execute or the context's end; rows are those of the batch.
 * The calling thread does the work on the CPU, whatever OMP_NUM_THREADS says. */
BEAM_API beam_status beam_model_execute(beam_model_context *context, beam_tensor *outputs,
                                        size_t num_outputs, beam_error *err);
/* beam_model_feed, then beam_model_execute. */
BEAM_API beam_status beam_model_run(beam_model_context *context, const beam_tensor *inputs,
                                    size_t num_inputs, beam_tensor *outputs, size_t num_outputs,
                                    beam_error *err);

/* ---- calibration -------------------------------------------------------------------------
 * Measures what inference in int8 must know (nn.h): how large the inputs and results of a network's
 * layers get, for a sample of what it will be fed.  A few hundred examples will do.
 *
 *     beam_calibration_new(device, network, 16, &calibration, &err);
 *     beam_calibration_add(calibration, &images, 1, &err);           as often as there are batches
 *     beam_calibration_finish(calibration, network, &err);
 *     beam_weights_save_int8("resnet18-int8.safetensors", network, ...);
 *
 * Used by one thread at a time. */

typedef struct beam_calibration beam_calibration;

/* For a finished network whose parameters all have their weights, run in f32 on a device in batches
 * of at most `max_batch`.  The results of all layers are in memory at once. */
BEAM_API beam_status beam_calibration_new(beam_device *device, const beam_network *network,
                                          int64_t max_batch, beam_calibration **calibration,
                                          beam_error *err);
/* Runs one batch, as beam_model_run; takes a slot and gives it back.  BEAM_INVALID_ARGUMENT: a
 * layer gives something that is no finite number, or one above 1e18. */
BEAM_API beam_status beam_calibration_add(beam_calibration *calibration, const beam_tensor *inputs,
                                          size_t num_inputs, beam_error *err);
/* Gives `network`, the one that it was made for or another of its layers, the ranges of what was
 * added.  Those of its last layers, whose results leave it, are left out: they stay in f32, which
 * costs little and keeps most of the accuracy; so do layers that read nothing but zeros.
 * BEAM_FAILED_PRECONDITION: nothing was added. */
BEAM_API beam_status beam_calibration_finish(const beam_calibration *calibration,
                                             beam_network *network, beam_error *err);
BEAM_API void beam_calibration_free(beam_calibration *calibration);

/* ---- training ----------------------------------------------------------------------------
 * A network in training on a device: one step compiled, with the weights and what the optimizer
 * keeps beside it, on the device from step to step.
 *
 *     beam_device_train(device, network, &(beam_training_options){
 *         .struct_size = sizeof(beam_training_options), .batch_size = 128,
 *         .optimizer = {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true}},
 *         &training, &err);
 *     beam_training_step(training, &images, 1, labels, 0.1f, &step, &err);
 *
 * A beam_training may be used by one thread at a time; many may train on one device at once. */

typedef struct beam_training beam_training;

typedef struct beam_training_options {
    size_t struct_size;
    /* BF16: activations and products; weights stay f32.  F16 has small numbers only down to 6e-8:
     * the loss is scaled up before gradients are computed and these down again; see "loss_scale"
     * among the states. */
    beam_precision precision;
    int64_t batch_size; /* of every step; must be given */
    /* CPU: threads that share the work of a step, which takes as many slots; 0: 1.  Sums, hence
     * results in their last digits, depend on it and on nothing else: the same options, weights,
     * data and instruction set give the same bits. */
    uint32_t num_threads;
    beam_optimizer optimizer;
    float label_smoothing;     /* 0 to 1: that share of each target is spread over all classes */
    float batch_norm_momentum; /* 0: 0.1; the share of a batch in the running averages */
    uint64_t seed;             /* of dropout */
    bool keep_gradients;       /* beam_training_read finds NAME.grad too: for tests and study */
    /* Chips that share each batch, a part of the rows each; 0: 1.  Gradients and what batch norm
     * sees are of the whole batch, so that results are those of one chip but for the order of
     * sums, and states are the same.  At most beam_device_info.chips, and a divisor of
     * batch_size. */
    uint32_t num_replicas;
} beam_training_options;

/* Compiles one training step of a finished network with one output, the logits {classes}, whose
 * parameters all have their starting weights; those are copied.  The loss is the mean softmax
 * cross-entropy.  BEAM_INVALID_ARGUMENT for options that cannot be. */
BEAM_API beam_status beam_device_train(beam_device *device, const beam_network *network,
                                       const beam_training_options *options,
                                       beam_training **training, beam_error *err);

/* A step made elsewhere: docs/howto/own-training-jax.md. */
typedef struct beam_step_module {
    size_t struct_size;
    const char *path;     /* a StableHLO module, text or portable bytecode */
    beam_tensor images;   /* the shape of what it is fed: f32, the batch first; no data */
    uint32_t num_classes; /* labels are below it */
    /* What lasts from step to step, as it is at first: f32 or i32, copied. */
    const beam_named_tensor *states;
    size_t num_states;
    /* What main takes and gives, a name a line.  It takes every state by its name, once, images,
     * labels (i32 {batch}) and, where it wants them, learning_rate (f32 {}) and step (i32 {}, from
     * 1).  It gives states that take the place of those before, loss (f32 {}, the batch's mean)
     * and correct (i32 {}, images that it had right before the update). */
    const char *arguments, *results;
} beam_step_module;

/* Compiles the step for one chip of a PJRT device, where the states stay.  The training is like any
 * other, and its states are those of the module: beam_training_read and beam_training_write copy
 * an i32 as it is.  BEAM_INVALID_ARGUMENT: module, names and states do not fit each other; the
 * message names the argument or result.  What the compiler says of a module that does not verify,
 * with its line, is the error. */
BEAM_API beam_status beam_device_train_module(beam_device *device, const beam_step_module *module,
                                              beam_training **training, beam_error *err);
BEAM_API void beam_training_free(beam_training *training);

typedef struct beam_training_info {
    beam_device *device;
    beam_precision precision; /* what is used: f32 on a CPU that cannot do bf16 */
    int64_t batch_size;
    uint32_t num_threads; /* what is used: 1 on a device without threads of its own */
    uint32_t num_replicas;
    uint64_t steps;       /* taken so far, those before a restore included */
    uint64_t state_bytes; /* weights and what the optimizer keeps */
    uint64_t working_bytes;
} beam_training_info;

/* Fills *info; what it points to lives as long as the training. */
BEAM_API void beam_training_get_info(const beam_training *training, beam_training_info *info);

typedef struct beam_step_result {
    float loss;          /* mean over the batch, before the update; may be NaN: then stop */
    uint32_t correct;    /* rows whose largest logit is their label's */
    float gradient_norm; /* of all gradients together, before they are clipped; 0: not clipped */
    /* At f16: some gradient was too large to be a number.  States are what they were, and the loss
     * is scaled up by half as much from now on. */
    bool skipped;
} beam_step_result;

/* One step: inputs of exactly batch_size rows (f32, the network's order) and a label each, below
 * the number of classes.  Takes the slots it needs and gives them back: hold none yourself.
 * Inputs may be used again on return. */
BEAM_API beam_status beam_training_step(beam_training *training, const beam_tensor *inputs,
                                        size_t num_inputs, const uint32_t *labels,
                                        float learning_rate, beam_step_result *result,
                                        beam_error *err);

/* What lasts from step to step: the network's parameters in its order, then what the optimizer
 * keeps, "fc.weight.momentum", ".adam_m", ".adam_v", and at f16 "loss_scale" {2}: what the loss is
 * multiplied by, which doubles after 2000 steps that none was skipped of, and the number of those.
 * All f32.  Names live as long as `training`;
 * data is NULL. */
BEAM_API size_t beam_training_num_states(const beam_training *training);
BEAM_API beam_status beam_training_state(const beam_training *training, size_t index,
                                         const char **name, beam_tensor *tensor);
/* Copies a state, by name, from the device to `data` (row-major, as PyTorch lays it out), or to the
 * device.  BEAM_NOT_FOUND. */
BEAM_API beam_status beam_training_read(beam_training *training, const char *name, float *data,
                                        beam_error *err);
BEAM_API beam_status beam_training_write(beam_training *training, const char *name,
                                         const float *data, beam_error *err);
/* Continues counting from here, as after a restore. */
BEAM_API void beam_training_set_steps(beam_training *training, uint64_t steps);

#ifdef __cplusplus
}
#endif
#endif
