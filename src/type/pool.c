/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pool.c - the arena and the deep copy, for users' own functions. */
#include "base/alloc.h"
#include "base/arena.h"
#include "type/value.h"

struct beam_pool {
    beam_arena arena;
};

beam_pool *beam_pool_new(void)
{
    return beam_calloc(1, sizeof(beam_pool));
}

void beam_pool_free(beam_pool *pool)
{
    if (!pool)
        return;
    beam_arena_free(&pool->arena);
    beam_free(pool);
}

void beam_pool_reset(beam_pool *pool)
{
    beam_arena_reset(&pool->arena);
}

void *beam_pool_alloc(beam_pool *pool, size_t size)
{
    return beam_arena_alloc(&pool->arena, size);
}

beam_status beam_pool_copy(beam_pool *pool, const beam_type *type, const void *value, void **copy)
{
    *copy = NULL;
    void *made = beam_arena_alloc(&pool->arena, type->size);
    if (!made)
        return BEAM_RESOURCE_EXHAUSTED;
    BEAM_TRY(beam_value_copy(type, made, value, &pool->arena));
    *copy = made;
    return BEAM_OK;
}
