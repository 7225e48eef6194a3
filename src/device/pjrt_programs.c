/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_programs.c - a model's programs: shapes are static, so that there is one a batch size, and
 * which sizes are worth one is what this file decides. */
#include "base/alloc.h"
#include "device/pjrt.h"

/* An accelerator's compiler takes seconds or minutes, a padded batch a millisecond more than its
 * own: the odd batch at the end of a bundle is not worth a program.  XLA for the CPU compiles in
 * the time of a few batches. */
enum { PATIENCE = 64 };

/* The sizes asked for, and the largest; when none was asked for, quarters of the largest beside it:
 * a batch is padded to four times its size at most, once there are programs. */
void beam_pjrt_choose_buckets(beam_pjrt_model *state, const beam_compile_options *options)
{
    size_t n = options->num_batch_sizes;
    int64_t most = options->max_batch;
    if (n == 1 && options->batch_sizes[0] == most) {
        int64_t sizes[3] = {most};
        size_t count = 1;
        while (count < 3 && sizes[count - 1] >= 8) {
            sizes[count] = sizes[count - 1] / 4;
            count++;
        }
        while (count > 0)
            state->buckets[state->num_buckets++] = sizes[--count];
        state->patience = state->client->platform == BEAM_PJRT_CPU ? 0 : PATIENCE;
        return;
    }
    size_t skip = n > BEAM_PJRT_MAX_BUCKETS - 1 ? n - (BEAM_PJRT_MAX_BUCKETS - 1) : 0;
    for (size_t i = skip; i < n; i++)
        state->buckets[state->num_buckets++] = options->batch_sizes[i];
    if (n == 0 || options->batch_sizes[n - 1] < most)
        state->buckets[state->num_buckets++] = most;
}

size_t beam_pjrt_bucket(beam_pjrt_model *state, beam_pjrt_replica *replica, int64_t rows)
{
    size_t last = state->num_buckets - 1, bucket = 0;
    while (state->buckets[bucket] < rows)
        bucket++;
    (void)pthread_mutex_lock(&state->mutex);
    if (!replica->programs[bucket] && !replica->compiling[bucket] && bucket < last &&
        replica->padded[bucket] < state->patience)
        replica->padded[bucket]++;
    else if (!replica->compiling[bucket])
        last = bucket;
    while (bucket < last && !replica->programs[bucket])
        bucket++;
    (void)pthread_mutex_unlock(&state->mutex);
    return bucket;
}

void beam_pjrt_short_buckets(beam_pjrt_model *state)
{
    (void)pthread_mutex_lock(&state->mutex);
    state->patience = 0;
    (void)pthread_mutex_unlock(&state->mutex);
}

static beam_status compile(beam_pjrt_model *state, const beam_pjrt_replica *replica, int64_t batch,
                           PJRT_LoadedExecutable **program, beam_error *err)
{
    beam_lowering how = state->how;
    how.batch = batch;
    int64_t id;
    beam_buffer text = {0};
    beam_status status = beam_pjrt_device_id(state->client, replica->device, &id, err);
    if (status == BEAM_OK)
        status = beam_lower(state->model->network, &how, &state->main, &text, err);
    if (status == BEAM_OK)
        status = beam_pjrt_compile(state->client, text.data, text.len,
                                   &(beam_pjrt_target){.device_ids = &id}, program, err);
    beam_buffer_free(&text);
    return status == BEAM_OK
               ? BEAM_OK
               : beam_error_wrap(err, status, "for batches of %lld", (long long)batch);
}

/* With the lock held, but not while it compiles: others run what there is. */
static beam_status add(beam_pjrt_model *state, beam_pjrt_replica *replica, size_t bucket,
                       beam_error *err)
{
    PJRT_LoadedExecutable *program = NULL;
    beam_pjrt_memory memory = {0};
    replica->compiling[bucket] = true;
    (void)pthread_mutex_unlock(&state->mutex);
    beam_status status = compile(state, replica, state->buckets[bucket], &program, err);
    if (status == BEAM_OK)
        beam_pjrt_loaded_memory(state->client->api, program, &memory);
    (void)pthread_mutex_lock(&state->mutex);
    replica->compiling[bucket] = false;
    replica->programs[bucket] = program;
    (void)pthread_cond_broadcast(&state->compiled);
    if (status != BEAM_OK)
        return status;
    state->program_bytes += memory.code + memory.temporary;
    beam_device_count_working(state->model->device, memory.code + memory.temporary);
    atomic_fetch_add(&state->model->programs, 1);
    return BEAM_OK;
}

beam_status beam_pjrt_program(beam_pjrt_model *state, beam_pjrt_replica *replica, size_t bucket,
                              PJRT_LoadedExecutable **program, beam_error *err)
{
    beam_status status = BEAM_OK;
    (void)pthread_mutex_lock(&state->mutex);
    while (replica->compiling[bucket])
        (void)pthread_cond_wait(&state->compiled, &state->mutex);
    if (!replica->programs[bucket])
        status = add(state, replica, bucket, err);
    *program = replica->programs[bucket];
    (void)pthread_mutex_unlock(&state->mutex);
    return status;
}

PJRT_LoadedExecutable *beam_pjrt_known_program(beam_pjrt_model *state,
                                               const beam_pjrt_replica *replica, size_t bucket)
{
    (void)pthread_mutex_lock(&state->mutex);
    PJRT_LoadedExecutable *program = replica->programs[bucket];
    (void)pthread_mutex_unlock(&state->mutex);
    return program;
}
