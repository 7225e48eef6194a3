/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* coder.h - values to Beam's standard coder formats and back.
 *
 * The formats are those of beam_runner_api.proto's StandardCoders and the schema's row coder;
 * the type says which (see beam_kind).  Encoding trusts the value, decoding trusts nothing:
 * lengths and counts are held against the bytes left, text against UTF-8, memory against the
 * arena's limit, and the depth of recursion is that of the type.
 */
#ifndef TYPE_CODER_H
#define TYPE_CODER_H

#include <beam/type.h>

#include "base/arena.h"
#include "base/buffer.h"

typedef enum beam_coder_context {
    BEAM_NESTED = 0, /* more bytes may follow: text and bytes begin with their length */
    BEAM_OUTER = 1   /* the value is all the bytes there are */
} beam_coder_context;

/* Appends the value. On failure `out` is as it was. Errors: RESOURCE_EXHAUSTED, that of an
 * iterable's reader, INVALID_ARGUMENT for a tensor that cannot be. */
beam_status beam_encode(const beam_type *type, beam_coder_context context, const void *value,
                        beam_buffer *out, beam_error *err);

/* Reads one value into `value` (type->size bytes); what it points to is in the arena.  With
 * BEAM_OUTER all bytes must be used.  On failure the reader is where it was.  Errors:
 * OUT_OF_RANGE when bytes are missing, DATA_LOSS for bytes that no value has,
 * RESOURCE_EXHAUSTED. */
beam_status beam_decode(const beam_type *type, beam_coder_context context, beam_reader *reader,
                        void *value, beam_arena *arena, beam_error *err);

/* The end of an iterable that an engine keeps and hands out by token (state_backed_iterable).
 * A decoded iterable of this kind has ops == &beam_iterable_tail_ops and this at `source`;
 * it can be encoded and copied; reading it gives the prefix, then FAILED_PRECONDITION. */
typedef struct beam_iterable_tail {
    const beam_type *element;
    const void *prefix; /* n values side by side that came with the element itself */
    uint64_t n;
    beam_bytes token;
} beam_iterable_tail;
extern const beam_iterable_ops beam_iterable_tail_ops;

/* Decoding with more say. */
typedef struct beam_decoder {
    beam_arena *arena;
    beam_error *err; /* may be NULL */
    /* Text and bytes point into the reader's bytes, which then must live as long. */
    bool borrow;
    /* Text is not held against UTF-8: the bytes come from this program's own values. */
    bool any_text;
    /* Makes a readable iterable of a state-backed one; NULL: it stays as described above.
     * `tail` lives in the arena. */
    beam_status (*open_tail)(void *user, const beam_iterable_tail *tail, beam_iterable *values,
                             beam_error *err);
    void *user;
} beam_decoder;

beam_status beam_decode_with(const beam_decoder *decoder, const beam_type *type,
                             beam_coder_context context, beam_reader *reader, void *value);

#endif
