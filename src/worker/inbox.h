/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inbox.h - where the data of bundles wait, between the streams that bring them and the bundles
 * that take them.
 *
 * All that waits in memory has one limit.  Past it a stream waits, and with it the engine, as long
 * as the bundle that it brings data for goes on and no other is in want of data; else what it
 * brings goes to a file without a name in $TMPDIR or /tmp.  So no bundle, slow, stuck or not begun,
 * keeps another's data back, and a bundle may be larger than memory. */
#ifndef WORKER_INBOX_H
#define WORKER_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/spans.h"

/* Bytes that may wait in memory. */
enum { BEAM_INBOX_MEMORY = 64 << 20 };

/* Data of one source of one bundle: a piece that the engine sent, or a part of one. */
typedef struct beam_chunk {
    struct beam_chunk *next;
    char *transform;
    beam_spans bytes;
    bool ends; /* the piece; or else the next of that transform goes on with it */
    bool is_last;
} beam_chunk;

void beam_chunk_free(beam_chunk *chunk); /* NULL is fine */

typedef struct beam_inbox beam_inbox;

/* Those of a worker. */
typedef struct beam_inboxes {
    pthread_mutex_t lock;
    pthread_cond_t room;
    beam_map open;    /* by instruction */
    beam_map past;    /* instructions that have ended, of which data may still come */
    char **past_ring; /* the same, the oldest at past_at */
    size_t past_at;
    unsigned feeds;    /* that were told apart so far */
    size_t held;       /* bytes in memory */
    size_t starved;    /* bundles that wait for data and have none */
    uint64_t spilled;  /* bytes that went to files so far */
    beam_error broken; /* why no more data come at all; code BEAM_OK: they do */
} beam_inboxes;

beam_status beam_inboxes_open(beam_inboxes *all, beam_error *err);
/* Once no bundle and no stream uses them. */
void beam_inboxes_close(beam_inboxes *all);

/* A stream that brings data, or several: a bit each.  There are 64, used again and again: whoever
 * breaks the 64th after another breaks that one too, should it still be there. */
typedef uint64_t beam_inbox_feed;
#define BEAM_INBOX_ALL_FEEDS UINT64_MAX

beam_inbox_feed beam_inbox_new_feed(beam_inboxes *all);
/* Every bundle that reads one of the feeds, or that such a one has brought data for, fails when it
 * wants more; and every stream that waits for room for it goes on. */
void beam_inboxes_break(beam_inboxes *all, beam_inbox_feed feeds, const beam_error *why);

/* Where a bundle's data come in, from here until it is closed, as what has come before.  To take
 * any fails where there was one of that instruction: what comes for that is late.  NULL: no memory.
 */
beam_inbox *beam_inbox_open(beam_inboxes *all, const char *instruction);
/* The bundle needs that feed. */
void beam_inbox_read(beam_inbox *inbox, beam_inbox_feed feed);
/* The next piece, which the caller frees.  Waits. */
beam_status beam_inbox_take(beam_inbox *inbox, beam_chunk **chunk, beam_error *err);
/* What still comes for the bundle is thrown away. */
void beam_inbox_close(beam_inbox *inbox);

/* The feed brings a piece, which is taken over; it may come before its bundle has opened the inbox.
 */
beam_status beam_inbox_put(beam_inboxes *all, beam_inbox_feed feed, const char *instruction,
                           beam_chunk *chunk, beam_error *err);

#endif
