/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* key.h - canonical key images: bytes that are equal if and only if two keys' encoded bytes
 * are.  No padding, text by content, doubles by bits; cheaper to make than the encoding where
 * the type allows.  Only for types for which beam_type_is_deterministic holds; images are for
 * one process (or two of the same machine type), never for an engine. */
#ifndef TYPE_KEY_H
#define TYPE_KEY_H

#include <beam/type.h>

#include "base/arena.h"
#include "base/buffer.h"

typedef enum beam_key_kind {
    BEAM_KEY_SCALAR64 = 0, /* int64, double, timestamp: the image is the value's 8 bytes */
    BEAM_KEY_FIXED,        /* every image has `size` bytes */
    BEAM_KEY_STRING,       /* text or bytes: the image is the content */
    BEAM_KEY_GENERAL       /* images differ in length */
} beam_key_kind;

typedef struct beam_key_shape {
    beam_key_kind kind;
    size_t size; /* of an image; 0 where that differs */
} beam_key_shape;

beam_key_shape beam_key_shape_of(const beam_type *type);

/* Appends the image; on failure (RESOURCE_EXHAUSTED) `out` is as it was. */
beam_status beam_key_image(const beam_type *type, const void *key, beam_buffer *out);

/* The key of an image. Text and bytes point into the image where that is possible, else into
 * the arena. Errors: DATA_LOSS for bytes that are no image, RESOURCE_EXHAUSTED. */
beam_status beam_key_from_image(const beam_type *type, const void *image, size_t len, void *key,
                                beam_arena *arena);

/* A hash of 8 image bytes, and of any number: good in all bits. For 8 bytes both agree. */
static inline uint64_t beam_key_hash64(uint64_t image)
{
    __uint128_t product =
        (__uint128_t)(image ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    product = (__uint128_t)folded * UINT64_C(0xa0761d6478bd642f);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
uint64_t beam_key_hash(const void *image, size_t len);

#endif
