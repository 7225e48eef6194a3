/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - a training between two steps, as a file, and the files of one training in a
 * folder.
 *
 * A checkpoint is a safetensors file: the states, f32 or i32; a note "training", a
 * beam_checkpoint_head as JSON; and last the tensor "checksum", 8 bytes, which hash all bytes
 * before them.  It is written beside its name, synced and renamed.
 *
 *     FOLDER/checkpoint-000000001234.safetensors   after step 1234
 *     FOLDER/owner                                 who may save here: the last that took it */
#ifndef ML_CHECKPOINT_H
#define ML_CHECKPOINT_H

#include <beam/training.h>
#include <beam/weights.h>

#include "base/file.h"

/* ---- One file -------------------------------------------------------------------------------- */

#define BEAM_CHECKPOINT_HEAD_(FIELD, S)                                              \
    FIELD(S, beam_int64, version) /* of this list and of what the states mean */     \
    FIELD(S, beam_str, device)    /* its kind */                                     \
    FIELD(S, beam_int64, step)                                                       \
    FIELD(S, beam_double, epoch_loss) /* summed over the steps of the epoch begun */ \
    FIELD(S, beam_int64, epoch_correct)                                              \
    FIELD(S, beam_double, epoch_seconds)                                             \
    FIELD(S, beam_double, loss) /* mean over the last epoch done; NaN: none */       \
    FIELD(S, beam_double, seconds)                                                   \
    FIELD(S, beam_training_config, config) /* complete: see beam_training_config_complete */
BEAM_STRUCT(beam_checkpoint_head, BEAM_CHECKPOINT_HEAD_);

/* What a beam_training keeps, one state after the other. */
typedef struct beam_states {
    void *user;
    size_t count;
    beam_status (*describe)(void *user, size_t index, const char **name, beam_tensor *tensor);
    beam_status (*read)(void *user, const char *name, float *data, beam_error *err);
} beam_states;

typedef struct beam_checkpoint {
    beam_checkpoint_head head; /* strings are in `pool` */
    beam_weights *weights;     /* the states, in the mapped file */
    beam_pool *pool;
    beam_file_view view;
} beam_checkpoint;

/* Whole under its name, or not at all.  Holds one state at a time in memory. */
beam_status beam_checkpoint_write(const char *path, const beam_checkpoint_head *head,
                                  const beam_states *states, beam_error *err);
/* BEAM_DATA_LOSS: damaged, cut short or no checkpoint.  BEAM_FAILED_PRECONDITION: sound, but of
 * another version. */
beam_status beam_checkpoint_open(const char *path, beam_checkpoint *checkpoint, beam_error *err);
/* The same from memory, which must outlive it; `path` is for messages. */
beam_status beam_checkpoint_parse(const char *path, const uint8_t *data, size_t size,
                                  beam_checkpoint *checkpoint, beam_error *err);
/* A zeroed one is allowed. */
void beam_checkpoint_close(beam_checkpoint *checkpoint);

/* The checksum of a file's bytes before it. */
uint64_t beam_checkpoint_sum(const uint8_t *data, size_t size);

/* ---- A folder of them ------------------------------------------------------------------------ */

typedef struct beam_checkpoints {
    const char *folder; /* must outlive it */
    int64_t keep;       /* so many stay, the newest */
    const beam_logger *logger;
    char token[128]; /* what owner holds while it is ours */
} beam_checkpoints;

/* The newest sound one; those that are damaged are passed over with a warning.  *found is false
 * when there is none. */
beam_status beam_checkpoints_newest(const beam_checkpoints *c, beam_checkpoint *checkpoint,
                                    bool *found, beam_error *err);
/* Makes the folder and takes it: whoever had it cannot save there any more.  Clears away what a
 * process that was killed while saving left. */
beam_status beam_checkpoints_take(beam_checkpoints *c, beam_error *err);
/* Writes one, then removes those that are not among the newest, and any of a later step.
 * BEAM_FAILED_PRECONDITION: somebody else has taken the folder. */
beam_status beam_checkpoints_save(const beam_checkpoints *c, const beam_checkpoint_head *head,
                                  const beam_states *states, beam_error *err);

#endif
