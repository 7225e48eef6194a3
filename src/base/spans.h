/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* spans.h - bytes that lie in several places, in order: a message as a network brings it. */
#ifndef BASE_SPANS_H
#define BASE_SPANS_H

#include <beam/type.h>

typedef struct beam_spans {
    beam_bytes *all; /* beam_free frees it */
    size_t n;
    size_t size;  /* of all together */
    void *memory; /* what they lie in, where it is not the same; and what frees it */
    void (*free)(void *memory);
} beam_spans;

/* One span of fresh memory; its bytes are *bytes. */
beam_status beam_spans_new(size_t size, beam_spans *spans, void **bytes);
void beam_spans_free(beam_spans *spans);
/* Copies all of them. */
void beam_spans_copy(const beam_spans *spans, void *to);

#endif
