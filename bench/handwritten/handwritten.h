/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the hand-written program share: its jobs, its threads and its memory.
 *
 * The program does the benchmarks' work with nothing but threads and arrays, so that a pipeline's
 * speed can be set against a practical limit measured in the same run.  It knows each job in
 * advance and picks the algorithm that suits it; a failure ends the program with a message. */
#ifndef BENCH_HANDWRITTEN_H
#define BENCH_HANDWRITTEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>

enum { HW_MAX_THREADS = 64 };

/* Prints "handwritten: ..." and ends the program with status 1. */
void hw_fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- Results ---------------------------------------------------------------------------------- */

/* Says whether two programs computed the same: how many results, their sum, and a sum that
 * depends on which key each belongs to. */
typedef struct hw_checksum {
    uint64_t count;
    int64_t sum;
    int64_t weighted;
} hw_checksum;

static inline void hw_checksum_add(hw_checksum *total, int64_t key, int64_t sum)
{
    total->count++;
    total->sum += sum;
    total->weighted += sum * (key % 97);
}

/* --- Threads ---------------------------------------------------------------------------------- */

typedef struct hw_team {
    int threads;
    pthread_barrier_t barrier;
    atomic_uint_fast64_t next; /* the first unit of work that nobody has taken */
    void *job;
} hw_team;

typedef struct hw_worker {
    hw_team *team;
    int index;
    hw_checksum result;
} hw_worker;

/* Runs body on every thread of a new team and returns the sum of the workers' results. */
hw_checksum hw_team_run(int threads, void *job, void (*body)(hw_worker *self));

/* Waits for the whole team; when it returns, team->next is 0 again. */
void hw_team_wait(hw_worker *self);

/* Takes the next span of at most `size` out of [0, total); false when nothing is left.  Who is
 * slowed down by another program takes fewer. */
static inline bool hw_team_take(hw_worker *self, uint64_t total, uint64_t size, uint64_t *begin,
                                uint64_t *end)
{
    *begin = atomic_fetch_add_explicit(&self->team->next, size, memory_order_relaxed);
    if (*begin >= total)
        return false;
    *end = total - *begin < size ? total : *begin + size;
    return true;
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Zeroed memory on huge pages where the system has them.  It lives until the program ends. */
void *hw_pages(size_t bytes);

void *hw_alloc(size_t bytes);

/* Hands out cache-line aligned pieces that live until the program ends.  Starts zeroed. */
typedef struct hw_arena {
    char *next, *end;
} hw_arena;

void *hw_arena_more(hw_arena *arena, size_t bytes);

/* bytes must be a multiple of 64. */
static inline void *hw_arena_take(hw_arena *arena, size_t bytes)
{
    if ((size_t)(arena->end - arena->next) < bytes)
        return hw_arena_more(arena, bytes);
    void *piece = arena->next;
    arena->next += bytes;
    return piece;
}

/* --- Jobs ------------------------------------------------------------------------------------- */

/* The numbers 0 .. count-1, each with a key: see numbers.h. */
typedef struct hw_numbers {
    uint64_t count;
    bool many_keys;
    int threads;
} hw_numbers;

typedef enum hw_map_style { HW_MAP_FUSED, HW_MAP_BATCH, HW_MAP_CALL } hw_map_style;

hw_checksum hw_group_few(const hw_numbers *numbers);
hw_checksum hw_group_many(const hw_numbers *numbers);
hw_checksum hw_combine_few(const hw_numbers *numbers);
hw_checksum hw_combine_many(const hw_numbers *numbers);
hw_checksum hw_map_chain(uint64_t count, int threads, hw_map_style style);
/* count: different words; sum: all words. */
hw_checksum hw_wordcount(const char *input, const char *output, int threads);

#endif
