/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that is given back all at once, or back to a mark.  Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct beam_arena_block beam_arena_block;

/* A zeroed arena is empty and ready. */
typedef struct beam_arena {
    char *at, *end;           /* free bytes of the newest block */
    beam_arena_block *newest; /* blocks, newest first */
    size_t total;             /* bytes held in blocks */
    size_t limit;             /* refuse to hold more than this; 0: no limit */
} beam_arena;

typedef struct beam_arena_mark {
    beam_arena_block *block;
    char *at;
} beam_arena_mark;

void *beam_arena_slow_(beam_arena *arena, size_t size);

/* `size` bytes aligned to 16, uninitialised; NULL when memory or the limit is reached. */
static inline void *beam_arena_alloc(beam_arena *arena, size_t size)
{
    size_t rounded = (size + !size + 15) & ~(size_t)15; /* 0 bytes have an address too */
    if (rounded >= size && rounded <= (size_t)(arena->end - arena->at)) {
        void *p = arena->at;
        arena->at += rounded;
        return p;
    }
    return beam_arena_slow_(arena, size);
}

void *beam_arena_calloc(beam_arena *arena, size_t count, size_t size);
/* As beam_grow, of items in the arena, of which there are n: what they lay in stays its. 0, or -1.
 */
int beam_arena_grow(beam_arena *arena, void **items, size_t n, size_t *capacity, size_t size);
void *beam_arena_copy(beam_arena *arena, const void *data, size_t size);
char *beam_arena_strdup(beam_arena *arena, const char *text);
char *beam_arena_strndup(beam_arena *arena, const char *text, size_t len);
char *beam_arena_printf(beam_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

beam_arena_mark beam_arena_save(const beam_arena *arena);
/* Gives back all that was allocated since the mark. */
void beam_arena_restore(beam_arena *arena, beam_arena_mark mark);
/* Empties the arena but keeps its first block for the next use. */
void beam_arena_reset(beam_arena *arena);
void beam_arena_free(beam_arena *arena);

#endif
