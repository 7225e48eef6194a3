/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* elements.h - the messages that bring and take the data of bundles.
 *
 * protobuf-c would copy the data out of a message and into one.  Here a message is read where it
 * lies, and written as what comes before its data. */
#ifndef WORKER_ELEMENTS_H
#define WORKER_ELEMENTS_H

#include "base/buffer.h"
#include "worker/inbox.h"

typedef struct beam_piece {
    char *instruction;
    beam_chunk *chunk;
    size_t from; /* where its bytes begin in the message */
} beam_piece;

typedef struct beam_pieces {
    beam_piece *all;
    size_t n, capacity;
} beam_pieces;

/* The pieces of an Elements message, in order, into zeroed *pieces, which is to be freed whatever
 * is returned.  A piece that is most of a large message takes it over, others are copied.
 * Timers are skipped: no function of libbeam sets any. */
beam_status beam_elements_read(beam_spans *message, beam_pieces *pieces, beam_error *err);
void beam_pieces_free(beam_pieces *pieces);

/* Appends what comes before the `bytes` bytes of data in an Elements message of one piece. */
beam_status beam_elements_head(beam_buffer *head, const char *instruction, const char *transform,
                               size_t bytes, bool is_last);

#endif
