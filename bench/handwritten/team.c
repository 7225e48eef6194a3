/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Threads and memory. */
#include "handwritten.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void hw_fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("handwritten: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

typedef struct start {
    hw_worker worker;
    void (*body)(hw_worker *self);
    pthread_t thread;
} start;

static void *thread_main(void *argument)
{
    start *s = argument;
    s->body(&s->worker);
    return NULL;
}

hw_checksum hw_team_run(int threads, void *job, void (*body)(hw_worker *self))
{
    hw_team team = {.threads = threads, .job = job};
    start starts[HW_MAX_THREADS];
    if (pthread_barrier_init(&team.barrier, NULL, (unsigned)threads))
        hw_fatal("cannot make a barrier");
    for (int i = 0; i < threads; i++) {
        starts[i] = (start){.worker = {.team = &team, .index = i}, .body = body};
        if (pthread_create(&starts[i].thread, NULL, thread_main, &starts[i]))
            hw_fatal("cannot start thread %d", i);
    }
    hw_checksum total = {0};
    for (int i = 0; i < threads; i++) {
        pthread_join(starts[i].thread, NULL);
        total.count += starts[i].worker.result.count;
        total.sum += starts[i].worker.result.sum;
        total.weighted += starts[i].worker.result.weighted;
    }
    pthread_barrier_destroy(&team.barrier);
    return total;
}

void hw_team_wait(hw_worker *self)
{
    if (pthread_barrier_wait(&self->team->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        atomic_store(&self->team->next, 0);
    pthread_barrier_wait(&self->team->barrier);
}

void *hw_pages(size_t bytes)
{
    const size_t huge = (size_t)2 << 20;
    bytes = (bytes + huge - 1) / huge * huge;
    char *p = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        hw_fatal("out of memory for %zu bytes", bytes);
    p += (huge - (uintptr_t)p % huge) % huge;
    /* A kernel without huge pages is only slower. */
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

void *hw_alloc(size_t bytes)
{
    void *p = malloc(bytes);
    if (!p)
        hw_fatal("out of memory for %zu bytes", bytes);
    return p;
}

void *hw_arena_more(hw_arena *arena, size_t bytes)
{
    const size_t piece = (size_t)32 << 20;
    size_t size = bytes > piece ? bytes : piece;
    arena->next = hw_pages(size);
    arena->end = arena->next + size;
    void *p = arena->next;
    arena->next += bytes;
    return p;
}
