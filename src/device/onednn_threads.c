/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_threads.c - oneDNN's threads are those of an OpenMP runtime, libgomp.  It is found where
 * the program has loaded it: linking it would fix which one that is. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "device/onednn.h"

/* All NULL: there is none, and so there are no threads to hold back, nor to use. */
static struct {
    int (*max_threads)(void);
    void (*set_threads)(int);
    int (*thread)(void), (*team)(void);
    void (*parallel)(void (*work)(void *), void *data, unsigned threads, unsigned flags);
} openmp;
static pthread_once_t openmp_once = PTHREAD_ONCE_INIT;

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static void find_openmp(void)
{
    void *library = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (library && find(library, "omp_get_max_threads", &openmp.max_threads) &&
        find(library, "omp_get_thread_num", &openmp.thread) &&
        find(library, "omp_get_num_threads", &openmp.team) &&
        find(library, "GOMP_parallel", &openmp.parallel))
        (void)find(library, "omp_set_num_threads", &openmp.set_threads);
}

int beam_onednn_enter(uint32_t threads)
{
    (void)pthread_once(&openmp_once, find_openmp);
    if (!openmp.set_threads)
        return 0;
    int before = openmp.max_threads();
    if (before == (int)threads)
        return 0;
    openmp.set_threads((int)threads); /* of this thread alone: OpenMP keeps the number a thread */
    return before;
}

void beam_onednn_leave(int before)
{
    if (before != 0)
        openmp.set_threads(before);
}

typedef struct parallel_work {
    void (*work)(void *context, uint32_t part);
    void *context;
    uint32_t parts;
} parallel_work;

/* The runtime may have fewer threads to give than were asked for. */
static void run_thread(void *data)
{
    const parallel_work *w = data;
    int team = openmp.team();
    for (uint32_t part = (uint32_t)openmp.thread(); part < w->parts; part += (uint32_t)team)
        w->work(w->context, part);
}

void beam_onednn_parallel(uint32_t parts, void (*work)(void *context, uint32_t part), void *context)
{
    parallel_work w = {work, context, parts};
    (void)pthread_once(&openmp_once, find_openmp);
    if (parts > 1 && openmp.set_threads) {
        openmp.parallel(run_thread, &w, parts, 0);
        return;
    }
    for (uint32_t part = 0; part < parts; part++)
        work(context, part);
}
