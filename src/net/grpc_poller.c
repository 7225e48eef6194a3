/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_poller.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

static struct {
    pthread_mutex_t lock;
    size_t users;
    grpc_completion_queue *queue;
    pthread_t thread;
} poller = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The thread -------------------------------------------------------------------------- */

/* Once the lock is given back, the operation may be gone. */
static void set_done(beam_grpc_operation *operation, bool well)
{
    pthread_mutex_lock(&operation->lock);
    operation->done = true;
    operation->well = well;
    pthread_cond_broadcast(&operation->changed);
    pthread_mutex_unlock(&operation->lock);
}

static void *poll_all(void *user)
{
    grpc_completion_queue *queue = user;
    grpc_event event;
    while ((event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL))
               .type != GRPC_QUEUE_SHUTDOWN)
        if (event.type == GRPC_OP_COMPLETE)
            set_done(event.tag, event.success);
    return NULL;
}

static void free_queue(void)
{
    grpc_completion_queue_destroy(poller.queue);
    poller.queue = NULL;
}

static beam_status start(beam_error *err)
{
    poller.queue = grpc_completion_queue_create_for_next(NULL);
    if (!poller.queue)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for remote calls");
    int number = beam_thread_start(&poller.thread, poll_all, poller.queue);
    if (number == 0)
        return BEAM_OK;
    grpc_completion_queue_shutdown(poller.queue);
    free_queue();
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread for remote calls: %s",
                          strerror(number));
}

beam_status beam_grpc_poller_open(beam_error *err)
{
    pthread_mutex_lock(&poller.lock);
    beam_status status = poller.users ? BEAM_OK : start(err);
    poller.users += status == BEAM_OK;
    pthread_mutex_unlock(&poller.lock);
    return status;
}

void beam_grpc_poller_close(void)
{
    pthread_mutex_lock(&poller.lock);
    if (--poller.users == 0) {
        grpc_completion_queue_shutdown(poller.queue);
        (void)pthread_join(poller.thread, NULL);
        free_queue();
    }
    pthread_mutex_unlock(&poller.lock);
}

grpc_completion_queue *beam_grpc_poller_queue(void)
{
    return poller.queue; /* stays what it is for whoever has it open */
}

/* ---- Operations -------------------------------------------------------------------------- */

beam_status beam_grpc_operation_init(beam_grpc_operation *operation)
{
    pthread_condattr_t attributes;
    *operation = (beam_grpc_operation){.begun = false};
    if (pthread_condattr_init(&attributes) != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&operation->changed, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    if (!made)
        return BEAM_RESOURCE_EXHAUSTED;
    if (pthread_mutex_init(&operation->lock, NULL) == 0)
        return BEAM_OK;
    (void)pthread_cond_destroy(&operation->changed);
    return BEAM_RESOURCE_EXHAUSTED;
}

void beam_grpc_operation_destroy(beam_grpc_operation *operation)
{
    (void)pthread_cond_destroy(&operation->changed);
    (void)pthread_mutex_destroy(&operation->lock);
}

/* What is done at once, as most writes are, is caught before the other thread would be woken for
 * it; it may be another operation than this one. */
bool beam_grpc_operation_begin(beam_grpc_operation *operation, grpc_call *call, const grpc_op *ops,
                               size_t n)
{
    grpc_completion_queue *queue = beam_grpc_poller_queue();
    void *tag;
    int well;
    if (operation->begun)
        return false;
    pthread_mutex_lock(&operation->lock);
    operation->done = false;
    pthread_mutex_unlock(&operation->lock);
    grpc_completion_queue_thread_local_cache_init(queue);
    operation->begun = grpc_call_start_batch(call, ops, n, operation, NULL) == GRPC_CALL_OK;
    if (grpc_completion_queue_thread_local_cache_flush(queue, &tag, &well))
        set_done(tag, well);
    return operation->begun;
}

bool beam_grpc_operation_wait(beam_grpc_operation *operation, int timeout_ms, bool *well)
{
    int number = 0;
    const struct timespec until = beam_clock_after(CLOCK_MONOTONIC, timeout_ms);
    pthread_mutex_lock(&operation->lock);
    while (!operation->done && number == 0)
        number = timeout_ms ? pthread_cond_timedwait(&operation->changed, &operation->lock, &until)
                            : pthread_cond_wait(&operation->changed, &operation->lock);
    bool done = operation->done;
    *well = done && operation->well;
    pthread_mutex_unlock(&operation->lock);
    return done;
}

bool beam_grpc_operation_finish(beam_grpc_operation *operation, int timeout_ms, bool *well)
{
    bool done = beam_grpc_operation_wait(operation, timeout_ms, well);
    if (done)
        operation->begun = false;
    return done;
}
