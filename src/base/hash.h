/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* hash.h - a fast 64-bit hash of bytes (XXH3).  The same on every little-endian machine. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t beam_hash64(const void *data, size_t len, uint64_t seed);

#endif
