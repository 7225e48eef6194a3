/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* arena.c - blocks double from 4 KiB to 8 MiB, so small arenas stay small and large ones
 * rarely ask the heap; large blocks sit on huge pages, which halves the cost of first use. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 8 << 20, HUGE_PAGE = 2 << 20 };

struct beam_arena_block {
    beam_arena_block *older;
    void *memory; /* what it lies in, which is freed */
    size_t size;  /* payload bytes */
    _Alignas(16) char data[];
};

/* A block of `size` bytes, header included.  A large one begins where a huge page does, in memory
 * that is larger by as much as that may take, and is not touched there: until glibc 2.38 aligned
 * memory that was freed is not found again for more of the same size, and piles up. */
static beam_arena_block *new_block(size_t size)
{
    const size_t spare = size < HUGE_PAGE ? 0 : HUGE_PAGE;
    char *memory = beam_malloc(size + spare);
    if (!memory)
        return NULL;
    char *begin = memory + (spare ? -(uintptr_t)memory % HUGE_PAGE : 0);
    if (spare)
        (void)madvise(begin, size, MADV_HUGEPAGE); /* a wish: small pages work too */
    beam_arena_block *block = (beam_arena_block *)(void *)begin;
    block->memory = memory;
    return block;
}

void *beam_arena_slow_(beam_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (size + 15) & ~(size_t)15;
    /* With its header a power of two, and so whole pages, or whole huge ones. */
    size_t block_size = FIRST_BLOCK;
    while (block_size < arena->total && block_size < LARGEST_BLOCK)
        block_size *= 2;
    block_size -= sizeof(beam_arena_block);
    if (block_size < rounded)
        block_size = rounded;
    if (arena->limit && arena->total + block_size > arena->limit) {
        block_size = rounded;
        if (arena->total + block_size > arena->limit)
            return NULL;
    }
    beam_arena_block *block = new_block(sizeof *block + block_size);
    if (!block)
        return NULL;
    block->older = arena->newest;
    block->size = block_size;
    arena->newest = block;
    arena->total += block_size;
    arena->at = block->data + rounded;
    arena->end = block->data + block_size;
    return block->data;
}

void *beam_arena_calloc(beam_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    void *p = beam_arena_alloc(arena, count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

int beam_arena_grow(beam_arena *arena, void **items, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = beam_arena_calloc(arena, wanted, size);
    if (!grown)
        return -1;
    if (n)
        memcpy(grown, *items, n * size);
    *items = grown;
    *capacity = wanted;
    return 0;
}

void *beam_arena_copy(beam_arena *arena, const void *data, size_t size)
{
    void *p = beam_arena_alloc(arena, size);
    if (p && size)
        memcpy(p, data, size);
    return p;
}

char *beam_arena_strndup(beam_arena *arena, const char *text, size_t len)
{
    char *copy = beam_arena_alloc(arena, len + 1);
    if (copy) {
        if (len)
            memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *beam_arena_strdup(beam_arena *arena, const char *text)
{
    return beam_arena_strndup(arena, text, strlen(text));
}

char *beam_arena_printf(beam_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : beam_arena_alloc(arena, (size_t)len + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    return text;
}

beam_arena_mark beam_arena_save(const beam_arena *arena)
{
    return (beam_arena_mark){.block = arena->newest, .at = arena->at};
}

static void drop_newest(beam_arena *arena)
{
    beam_arena_block *block = arena->newest;
    arena->newest = block->older;
    arena->total -= block->size;
    beam_free(block->memory);
}

void beam_arena_restore(beam_arena *arena, beam_arena_mark mark)
{
    while (arena->newest != mark.block)
        drop_newest(arena);
    arena->at = mark.at;
    arena->end = arena->newest ? arena->newest->data + arena->newest->size : NULL;
}

void beam_arena_reset(beam_arena *arena)
{
    while (arena->newest && arena->newest->older)
        drop_newest(arena);
    arena->at = arena->newest ? arena->newest->data : NULL;
    arena->end = arena->newest ? arena->newest->data + arena->newest->size : NULL;
}

void beam_arena_free(beam_arena *arena)
{
    while (arena->newest)
        drop_newest(arena);
    arena->at = arena->end = NULL;
}
