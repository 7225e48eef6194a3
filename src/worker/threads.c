/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/threads.h"

#include <string.h>

beam_status beam_threads_open(beam_threads *all, beam_error *err)
{
    *all = (beam_threads){.end = NULL};
    if (pthread_mutex_init(&all->lock, NULL) != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for threads");
    if (pthread_cond_init(&all->changed, NULL) != 0) {
        pthread_mutex_destroy(&all->lock);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for threads");
    }
    all->end = &all->first;
    return BEAM_OK;
}

/* With the lock held: the next task, once there is one; NULL: the thread is one too many. */
static beam_task *next_task(beam_threads *all)
{
    if (!all->first && (all->stopping || all->idle == BEAM_THREADS_IDLE))
        return NULL;
    all->idle++;
    while (!all->first && !all->stopping)
        pthread_cond_wait(&all->changed, &all->lock);
    all->idle--;
    beam_task *task = all->first;
    if (!task)
        return NULL;
    all->first = task->next;
    if (!all->first)
        all->end = &all->first;
    all->waiting--;
    return task;
}

static void *run_tasks(void *user)
{
    beam_threads *all = user;
    beam_task *task;
    pthread_mutex_lock(&all->lock);
    while ((task = next_task(all))) {
        pthread_mutex_unlock(&all->lock);
        task->work(task);
        pthread_mutex_lock(&all->lock);
    }
    all->threads--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* With the lock held. */
static beam_status begin_thread(beam_threads *all, beam_error *err)
{
    pthread_t thread;
    pthread_attr_t detached;
    if (all->threads == BEAM_THREADS_MOST)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "the worker runs %d instructions at once, and no more",
                              BEAM_THREADS_MOST);
    int number = pthread_attr_init(&detached);
    if (number == 0) {
        (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        number = pthread_create(&thread, &detached, run_tasks, all);
        (void)pthread_attr_destroy(&detached);
    }
    if (number != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread for an instruction: %s",
                              strerror(number));
    all->threads++;
    all->begun++;
    return BEAM_OK;
}

beam_status beam_threads_run(beam_threads *all, beam_task *task, beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&all->lock);
    if (all->idle <= all->waiting)
        status = begin_thread(all, err);
    if (status == BEAM_OK) {
        task->next = NULL;
        *all->end = task;
        all->end = &task->next;
        all->waiting++;
        pthread_cond_signal(&all->changed); /* all who wait are idle threads */
    }
    pthread_mutex_unlock(&all->lock);
    return status;
}

void beam_threads_count(beam_threads *all, size_t *threads, size_t *begun)
{
    pthread_mutex_lock(&all->lock);
    *threads = all->threads;
    *begun = all->begun;
    pthread_mutex_unlock(&all->lock);
}

void beam_threads_close(beam_threads *all)
{
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->changed);
    while (all->threads)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
}
