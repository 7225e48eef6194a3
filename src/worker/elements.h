/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* elements.h - the messages that bring and take the data of bundles.
 *
 * protobuf-c would copy the data out of a message that is all there, and into one.  Here a message
 * is read while it comes, and written as what comes before its data. */
#ifndef WORKER_ELEMENTS_H
#define WORKER_ELEMENTS_H

#include "base/buffer.h"
#include "worker/inbox.h"

/* Where a message comes from, of `size` bytes.  Nobody asks for more than there are. */
typedef struct beam_elements_source {
    size_t size;
    /* Copies the next bytes. */
    beam_status (*read)(void *user, void *to, size_t size, beam_error *err);
    /* Some of the next `most` bytes, at least one, where they lie; the caller's. */
    beam_status (*take)(void *user, size_t most, beam_spans *part, beam_error *err);
    void *user;
} beam_elements_source;

/* One that is in memory, and what is left of it: that is its user. */
beam_elements_source beam_elements_in_memory(beam_reader *message);

/* What becomes of a chunk, which is taken over. */
typedef beam_status beam_elements_sink(void *user, const char *instruction, beam_chunk *chunk,
                                       beam_error *err);

/* Reads an Elements message to its end: each piece becomes one chunk or more, in order, as they
 * come.  Timers are skipped: no function of libbeam sets any.  DATA_LOSS: it is none, which may
 * be seen when chunks of it are gone already. */
beam_status beam_elements_read(const beam_elements_source *source, beam_elements_sink *put,
                               void *user, beam_error *err);

/* Appends what comes before the `bytes` bytes of data in an Elements message of one piece. */
beam_status beam_elements_head(beam_buffer *head, const char *instruction, const char *transform,
                               size_t bytes, bool is_last);

#endif
