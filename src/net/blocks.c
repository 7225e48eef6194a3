/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/blocks.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/alloc.h"

/* Blocks that are kept though nobody needs them. */
enum { SPARE = 8 };

struct beam_blocks {
    pthread_mutex_t lock;
    beam_block *spare; /* the last that was used first */
    size_t n_spare, n_used;
    bool closed;
};

beam_blocks *beam_blocks_open(void)
{
    beam_blocks *b = beam_calloc(1, sizeof *b);
    if (b && pthread_mutex_init(&b->lock, NULL) != 0) {
        beam_free(b);
        return NULL;
    }
    return b;
}

static void free_all(beam_blocks *b)
{
    while (b->spare) {
        beam_block *block = b->spare;
        b->spare = block->next;
        beam_free(block);
    }
    pthread_mutex_destroy(&b->lock);
    beam_free(b);
}

void beam_blocks_close(beam_blocks *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    bool last = b->n_used == 0;
    pthread_mutex_unlock(&b->lock);
    if (last)
        free_all(b);
}

beam_block *beam_block_get(beam_blocks *b)
{
    pthread_mutex_lock(&b->lock);
    beam_block *block = b->spare;
    if (block) {
        b->spare = block->next;
        b->n_spare--;
    } else {
        block = beam_malloc(sizeof *block);
    }
    b->n_used += block != NULL;
    pthread_mutex_unlock(&b->lock);
    if (block) {
        block->of = b;
        block->keepers = 1;
    }
    return block;
}

void beam_block_keep(beam_block *block)
{
    (void)__atomic_add_fetch(&block->keepers, 1, __ATOMIC_RELAXED);
}

void beam_block_release(void *memory)
{
    beam_block *block = memory;
    if (!block || __atomic_sub_fetch(&block->keepers, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    beam_blocks *b = block->of;
    pthread_mutex_lock(&b->lock);
    b->n_used--;
    bool last = b->closed && b->n_used == 0;
    if (b->n_spare < SPARE) {
        block->next = b->spare;
        b->spare = block;
        b->n_spare++;
        block = NULL;
    }
    pthread_mutex_unlock(&b->lock);
    beam_free(block);
    if (last)
        free_all(b);
}
