/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt.h - inside the device that PJRT plugins make: a client, models with their weights on each
 * chip, and contexts that feed and run them. */
#ifndef DEVICE_PJRT_H
#define DEVICE_PJRT_H

#include "device/device.h"
#include "device/pjrt_compile.h"
#include "device/stablehlo.h"

/* Weights on a chip, of one or several models (pjrt_share.c). */
typedef struct beam_pjrt_shared beam_pjrt_shared;

typedef struct beam_pjrt_device {
    beam_pjrt_client *client;
    pthread_mutex_t mutex; /* guards `shared` */
    beam_pjrt_shared *shared;
    atomic_uint contexts; /* made so far: they go round the chips */
} beam_pjrt_device;

enum { BEAM_PJRT_MAX_BUCKETS = 16 };

/* A model on one chip. */
typedef struct beam_pjrt_replica {
    size_t device;         /* in the client's list */
    PJRT_Buffer **weights; /* those of `shared` */
    beam_pjrt_shared **shared;
    /* One a bucket, guarded by the model's mutex: */
    PJRT_LoadedExecutable *programs[BEAM_PJRT_MAX_BUCKETS]; /* NULL: not compiled yet */
    bool compiling[BEAM_PJRT_MAX_BUCKETS];                  /* by some thread */
    uint32_t padded[BEAM_PJRT_MAX_BUCKETS]; /* batches that went to a larger one instead */
} beam_pjrt_replica;

typedef struct beam_pjrt_model {
    beam_model *model;
    beam_pjrt_client *client;
    beam_lowering how;
    beam_hlo_main main;                     /* the network's inputs, then its parameters */
    int64_t buckets[BEAM_PJRT_MAX_BUCKETS]; /* batch sizes, ascending */
    size_t num_buckets;
    uint32_t patience; /* so many batches are padded before a smaller program is compiled */
    beam_pjrt_replica *replicas; /* one a chip in use */
    size_t num_replicas;
    pthread_mutex_t mutex; /* guards programs */
    pthread_cond_t compiled;
    int64_t program_bytes;
} beam_pjrt_model;

/* A copy of an array on a chip, on its way when this returns: `data` must stay until `done` has
 * been waited for. */
beam_status beam_pjrt_upload(const beam_pjrt_client *client, size_t device, const void *data,
                             const beam_hlo_value *shape, PJRT_Event **done, PJRT_Buffer **buffer,
                             beam_error *err);
/* Puts a copy of an array, once it is there, in the place of the buffer at `place` (NULL: none). */
beam_status beam_pjrt_replace(const beam_pjrt_client *client, size_t device, const void *data,
                              const beam_hlo_value *shape, PJRT_Buffer **place, beam_error *err);
/* A buffer's numbers, row-major, once they are there. */
beam_status beam_pjrt_download(const PJRT_Api *api, PJRT_Buffer *buffer, uint32_t rank, void *data,
                               size_t size, PJRT_Event **done, beam_error *err);
/* The results of a network's run: starts all copies to `outputs`, then waits for each.  The results
 * are freed whatever happens; `returned` has room for an event each, and is NULLs before and after.
 */
beam_status beam_pjrt_fetch(const PJRT_Api *api, const beam_network *network, int64_t batch,
                            PJRT_Buffer **results, PJRT_Event **returned, float *const *outputs,
                            beam_error *err);

/* Wraps BEAM_RESOURCE_EXHAUSTED: what running the program with so many rows takes, what the device
 * has, and how many rows it would have room for. */
beam_status beam_pjrt_short_of_memory(const beam_pjrt_client *client, size_t device,
                                      PJRT_LoadedExecutable *program, const char *network,
                                      int64_t batch, beam_error *err);

/* pjrt_programs.c: which batch sizes there are programs for. */
void beam_pjrt_choose_buckets(beam_pjrt_model *state, const beam_compile_options *options);
/* The bucket that a batch of so many rows goes to: the smallest that holds it, or while that has no
 * program and is not worth one yet, a larger one. */
size_t beam_pjrt_bucket(beam_pjrt_model *state, beam_pjrt_replica *replica, int64_t rows);
/* Memory was short: padding to larger ones is over. */
void beam_pjrt_short_buckets(beam_pjrt_model *state);
/* The program for the bucket on a replica, compiled if this is the first time. */
beam_status beam_pjrt_program(beam_pjrt_model *state, beam_pjrt_replica *replica, size_t bucket,
                              PJRT_LoadedExecutable **program, beam_error *err);

/* The same if it has been compiled, else NULL. */
PJRT_LoadedExecutable *beam_pjrt_known_program(beam_pjrt_model *state,
                                               const beam_pjrt_replica *replica, size_t bucket);

/* pjrt_share.c: an array on a chip, which may be there already: nobody may write to it or give it
 * away.  The device counts it once, and models that have it each for itself, from here on until
 * they are freed. */
beam_status beam_pjrt_share_join(beam_model *model, size_t chip, const void *data, size_t bytes,
                                 const beam_hlo_value *shape, beam_pjrt_shared **shared,
                                 beam_error *err);
PJRT_Buffer *beam_pjrt_share_buffer(const beam_pjrt_shared *shared);
/* NULL: nothing. */
void beam_pjrt_share_leave(beam_device *device, beam_pjrt_shared *shared);

/* pjrt_context.c */
beam_status beam_pjrt_context_open(beam_model_context *context, beam_error *err);
void beam_pjrt_context_close(beam_model_context *context);
beam_status beam_pjrt_feed(beam_model_context *context, beam_error *err);
beam_status beam_pjrt_execute(beam_model_context *context, beam_tensor *outputs, beam_error *err);

/* pjrt_train.c */
beam_status beam_pjrt_train_open(beam_training *training, const float *const *initial,
                                 beam_error *err);
void beam_pjrt_train_close(beam_training *training);
beam_status beam_pjrt_train_step(beam_training *training, const beam_tensor *inputs,
                                 const int32_t *labels, float learning_rate,
                                 beam_step_result *result, beam_error *err);
beam_status beam_pjrt_train_read(beam_training *training, uint32_t value, float *data,
                                 beam_error *err);
beam_status beam_pjrt_train_write(beam_training *training, uint32_t value, const float *data,
                                  beam_error *err);

#endif
