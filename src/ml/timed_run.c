/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/timed_run.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

typedef enum timed_state { IDLE, GIVEN, DONE, LATE, LEFT, ENDED } timed_state;

struct beam_timed_run {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    timed_state state;
    beam_timed_batch batch; /* part, inputs and made are copies in memory of the run */
    beam_tensor *part, *made;
    void **inputs;
    beam_status status;
    beam_error error;
};

static void destroy(beam_timed_run *run)
{
    (void)pthread_cond_destroy(&run->changed);
    (void)pthread_mutex_destroy(&run->mutex);
    beam_free(run->part);
    beam_free(run->made);
    beam_free(run->inputs);
    beam_free(run);
}

static beam_status execute(beam_timed_run *run)
{
    beam_timed_batch *b = &run->batch;
    BEAM_TRY(beam_model_feed(b->context, run->part, b->num_inputs, &run->error));
    beam_device_acquire(b->device);
    int64_t began = beam_clock_ns();
    beam_status status = beam_model_execute(b->context, run->made, b->num_outputs, &run->error);
    b->nanoseconds = beam_clock_ns() - began;
    beam_device_release(b->device);
    return status;
}

/* What the one who gave up left. */
static void free_left(beam_timed_run *run)
{
    for (size_t i = 0; i < run->batch.num_inputs; i++)
        beam_free(run->inputs[i]);
    beam_model_context_free(run->batch.context);
    destroy(run);
}

static void *serve(void *arg)
{
    beam_timed_run *run = arg;
    (void)pthread_mutex_lock(&run->mutex);
    for (;;) {
        while (run->state == IDLE || run->state == DONE)
            (void)pthread_cond_wait(&run->changed, &run->mutex);
        if (run->state == ENDED)
            break;
        (void)pthread_mutex_unlock(&run->mutex);
        beam_status status = execute(run);
        (void)pthread_mutex_lock(&run->mutex);
        while (run->state == LATE) /* who gave up still reads the inputs */
            (void)pthread_cond_wait(&run->changed, &run->mutex);
        if (run->state == LEFT) {
            (void)pthread_mutex_unlock(&run->mutex);
            free_left(run);
            return NULL;
        }
        run->status = status;
        run->state = DONE;
        (void)pthread_cond_broadcast(&run->changed);
    }
    (void)pthread_mutex_unlock(&run->mutex);
    return NULL;
}

beam_timed_run *beam_timed_run_new(size_t num_inputs, size_t num_outputs)
{
    pthread_condattr_t clock;
    beam_timed_run *run = beam_calloc(1, sizeof *run);
    if (!run)
        return NULL;
    (void)pthread_mutex_init(&run->mutex, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&run->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
    run->part = beam_calloc(num_inputs, sizeof *run->part);
    run->inputs = beam_calloc(num_inputs, sizeof *run->inputs);
    run->made = beam_calloc(num_outputs, sizeof *run->made);
    if (run->part && run->inputs && run->made &&
        pthread_create(&run->thread, NULL, serve, run) == 0)
        return run;
    destroy(run);
    return NULL;
}

void beam_timed_run_free(beam_timed_run *run)
{
    if (!run)
        return;
    (void)pthread_mutex_lock(&run->mutex);
    run->state = ENDED;
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->mutex);
    (void)pthread_join(run->thread, NULL);
    destroy(run);
}

beam_status beam_timed_run_batch(beam_timed_run *run, beam_timed_batch *batch, int64_t timeout_ms,
                                 bool *late, beam_error *err)
{
    const struct timespec when = beam_clock_after(CLOCK_MONOTONIC, timeout_ms);
    *late = false;
    (void)pthread_mutex_lock(&run->mutex);
    run->batch = *batch;
    memcpy(run->part, batch->part, batch->num_inputs * sizeof *run->part);
    memcpy(run->inputs, batch->inputs, batch->num_inputs * sizeof *run->inputs);
    run->error = (beam_error){0};
    run->state = GIVEN;
    (void)pthread_cond_broadcast(&run->changed);
    int waited = 0;
    while (run->state != DONE && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&run->changed, &run->mutex, &when);
    if (run->state != DONE) {
        run->state = LATE;
        (void)pthread_mutex_unlock(&run->mutex);
        *late = true;
        return beam_error_set(err, BEAM_DEADLINE_EXCEEDED,
                              "the model did not answer within %lld ms", (long long)timeout_ms);
    }
    beam_status status = run->status;
    batch->nanoseconds = run->batch.nanoseconds;
    memcpy(batch->made, run->made, batch->num_outputs * sizeof *batch->made);
    if (status != BEAM_OK)
        status = beam_error_set(err, status, "%s", run->error.message);
    run->state = IDLE;
    (void)pthread_mutex_unlock(&run->mutex);
    return status;
}

void beam_timed_run_leave(beam_timed_run *run)
{
    (void)pthread_mutex_lock(&run->mutex);
    run->state = LEFT;
    (void)pthread_detach(run->thread);
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->mutex);
}
