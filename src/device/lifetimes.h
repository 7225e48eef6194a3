/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* lifetimes.h - one block of memory for all activations: those that are never needed at the
 * same time share a place. */
#ifndef DEVICE_LIFETIMES_H
#define DEVICE_LIFETIMES_H

#include <stddef.h>
#include <stdint.h>

typedef struct beam_lifetime {
    size_t size;
    uint32_t first, last; /* the steps that use it first and last */
    size_t offset;        /* found: a multiple of BEAM_LIFETIME_ALIGNMENT */
} beam_lifetime;

enum { BEAM_LIFETIME_ALIGNMENT = 64 };

/* Gives each item its offset; returns the bytes that the whole needs. */
size_t beam_lifetimes_place(beam_lifetime *items, size_t count);

#endif
