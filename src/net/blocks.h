/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* blocks.h - memory that what a connection brings is read into, and used again, while the caches
 * still have it, once nothing that lies in it is needed any more. */
#ifndef NET_BLOCKS_H
#define NET_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum { BEAM_BLOCK_BYTES = 128 << 10 };

typedef struct beam_blocks beam_blocks;

typedef struct beam_block {
    beam_blocks *of;
    struct beam_block *next; /* while it is unused */
    size_t keepers;
    uint8_t bytes[BEAM_BLOCK_BYTES];
} beam_block;

/* NULL: no memory. */
beam_blocks *beam_blocks_open(void);
/* Its blocks may be released afterwards.  NULL is fine. */
void beam_blocks_close(beam_blocks *blocks);

/* One with one keeper; NULL: no memory.  The calls below may come from any thread. */
beam_block *beam_block_get(beam_blocks *blocks);
void beam_block_keep(beam_block *block);
/* NULL is fine. */
void beam_block_release(void *block);

#endif
