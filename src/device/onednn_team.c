/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_team.c - oneDNN's OpenMP runtime, found where the program has loaded it: linking it would
 * fix which one that is.  Loops of our own run on its threads too, so that a training has one team
 * and not two that get in each other's way. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "device/onednn.h"

/* All NULL: there is none, and so there are no threads to hold back. */
static struct {
    int (*max_threads)(void);
    void (*set_threads)(int);
    int (*thread)(void);
    int (*threads)(void);
    /* What a compiler makes of `#pragma omp parallel` calls; its form is part of the ABI. */
    void (*parallel)(void (*work)(void *), void *context, unsigned threads, unsigned flags);
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
    if (!library)
        return;
    if (!find(library, "omp_get_max_threads", &openmp.max_threads) ||
        !find(library, "omp_set_num_threads", &openmp.set_threads) ||
        !find(library, "omp_get_thread_num", &openmp.thread) ||
        !find(library, "omp_get_num_threads", &openmp.threads) ||
        !find(library, "GOMP_parallel", &openmp.parallel))
        memset(&openmp, 0, sizeof openmp);
}

int beam_onednn_enter(unsigned threads)
{
    (void)pthread_once(&openmp_once, find_openmp);
    if (!openmp.set_threads)
        return 1;
    int before = openmp.max_threads();
    if (before != (int)threads)
        openmp.set_threads((int)threads); /* of this thread alone: OpenMP keeps the number so */
    return before;
}

void beam_onednn_leave(int before)
{
    if (openmp.set_threads && before != openmp.max_threads())
        openmp.set_threads(before);
}

unsigned beam_onednn_max_threads(void)
{
    (void)pthread_once(&openmp_once, find_openmp);
    return openmp.parallel ? 1024 : 1;
}

/* ThreadSanitizer does not see how the runtime's threads wait for each other. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(WATCHED)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define TELL(WHAT, ADDRESS) __tsan_##WHAT(ADDRESS)
#else
#define TELL(WHAT, ADDRESS) (void)(ADDRESS)
#endif

typedef struct job {
    beam_onednn_work *work;
    void *context;
    unsigned parts;
} job;

/* The runtime may give fewer threads than there are parts. */
static void run_parts(void *context)
{
    const job *j = context;
    TELL(acquire, context);
    unsigned step = (unsigned)openmp.threads();
    for (unsigned part = (unsigned)openmp.thread(); part < j->parts; part += step)
        j->work(j->context, part, j->parts);
    TELL(release, context);
}

void beam_onednn_parallel(unsigned parts, beam_onednn_work *work, void *context)
{
    job j = {work, context, parts};
    if (parts > 1 && openmp.parallel) {
        TELL(release, &j);
        openmp.parallel(run_parts, &j, parts, 0);
        TELL(acquire, &j);
        return;
    }
    for (unsigned part = 0; part < parts; part++)
        work(context, part, parts);
}
