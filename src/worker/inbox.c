/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/inbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/spill_file.h"

/* Bundles whose data may come late; bytes that a piece, and each span of one, needs besides its
 * own; seconds that a stream waits for a bundle that takes nothing. */
enum { PAST = 4096, OVERHEAD = 64, SPAN = 64, PATIENCE = 1 };

/* Pieces wait in memory, and behind them in the file. */
struct beam_inbox {
    beam_inboxes *all;
    char *instruction;
    pthread_cond_t changed;
    beam_chunk *first, **end;
    int fd; /* -1: no file yet */
    uint64_t read_at, write_at;
    uint64_t taken; /* pieces */
    bool opened;    /* by its bundle */
    bool starved;   /* its bundle waits for data */
    bool stuck;     /* its bundle has taken nothing for a while */
    bool closed;
    size_t writers;        /* streams that wait for room in it, and would not find it gone */
    beam_inbox_feed feeds; /* that it needs */
    beam_error broken;
};

/* A piece in the file: this, the transform and the bytes. */
typedef struct spilled {
    uint64_t size;
    uint32_t transform;
    bool ends, is_last;
} spilled;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle's data");
}

void beam_chunk_free(beam_chunk *chunk)
{
    if (!chunk)
        return;
    beam_free(chunk->transform);
    beam_spans_free(&chunk->bytes);
    beam_free(chunk);
}

static size_t weight(const beam_chunk *chunk)
{
    return chunk->bytes.size + OVERHEAD + chunk->bytes.n * SPAN;
}

/* ---- All of them ------------------------------------------------------------------------- */

beam_status beam_inboxes_open(beam_inboxes *all, beam_error *err)
{
    *all = (beam_inboxes){.held = 0};
    if (pthread_mutex_init(&all->lock, NULL) != 0)
        return no_memory(err);
    if (pthread_cond_init(&all->room, NULL) == 0)
        return BEAM_OK;
    pthread_mutex_destroy(&all->lock);
    return no_memory(err);
}

static beam_inbox *new_inbox(beam_inboxes *all, const char *instruction)
{
    beam_inbox *inbox = beam_calloc(1, sizeof *inbox);
    if (!inbox)
        return NULL;
    inbox->all = all;
    inbox->fd = -1;
    inbox->end = &inbox->first;
    inbox->broken = all->broken;
    inbox->instruction = beam_strdup(instruction);
    if (!inbox->instruction || pthread_cond_init(&inbox->changed, NULL) != 0) {
        beam_free(inbox->instruction);
        beam_free(inbox);
        return NULL;
    }
    return inbox;
}

static void empty_inbox(beam_inbox *inbox)
{
    while (inbox->first) {
        beam_chunk *chunk = inbox->first;
        inbox->first = chunk->next;
        inbox->all->held -= weight(chunk);
        beam_chunk_free(chunk);
    }
    inbox->end = &inbox->first;
    if (inbox->fd >= 0)
        (void)close(inbox->fd);
    inbox->fd = -1;
    inbox->read_at = inbox->write_at = 0;
}

static void free_inbox(beam_inbox *inbox)
{
    empty_inbox(inbox);
    pthread_cond_destroy(&inbox->changed);
    beam_free(inbox->instruction);
    beam_free(inbox);
}

/* With the lock held. */
static beam_inbox *find_or_make(beam_inboxes *all, const char *instruction)
{
    beam_inbox *inbox = beam_map_get(&all->open, instruction);
    if (inbox)
        return inbox;
    inbox = new_inbox(all, instruction);
    if (inbox && beam_map_set(&all->open, instruction, inbox) != BEAM_OK) {
        free_inbox(inbox);
        inbox = NULL;
    }
    return inbox;
}

beam_inbox_feed beam_inbox_new_feed(beam_inboxes *all)
{
    pthread_mutex_lock(&all->lock);
    beam_inbox_feed feed = (beam_inbox_feed)1 << all->feeds++ % 64;
    pthread_mutex_unlock(&all->lock);
    return feed;
}

/* With the lock held.  Nobody may ever come for what its bundle has not begun to read. */
static void break_inbox(beam_inbox *inbox, const beam_error *why)
{
    if (inbox->broken.code == BEAM_OK)
        inbox->broken = *why;
    if (!inbox->opened)
        empty_inbox(inbox);
    pthread_cond_broadcast(&inbox->changed);
}

void beam_inboxes_break(beam_inboxes *all, beam_inbox_feed feeds, const beam_error *why)
{
    size_t at = 0;
    const beam_map_entry *entry;
    pthread_mutex_lock(&all->lock);
    if (feeds == BEAM_INBOX_ALL_FEEDS && all->broken.code == BEAM_OK)
        all->broken = *why;
    while ((entry = beam_map_next(&all->open, &at))) {
        beam_inbox *inbox = entry->value;
        if (inbox->feeds & feeds || feeds == BEAM_INBOX_ALL_FEEDS)
            break_inbox(inbox, why);
    }
    pthread_cond_broadcast(&all->room);
    pthread_mutex_unlock(&all->lock);
}

void beam_inboxes_close(beam_inboxes *all)
{
    size_t at = 0;
    const beam_map_entry *entry;
    while ((entry = beam_map_next(&all->open, &at)))
        free_inbox(entry->value);
    beam_map_free(&all->open);
    for (size_t i = 0; all->past_ring && i < PAST; i++)
        beam_free(all->past_ring[i]);
    beam_free(all->past_ring);
    beam_map_free(&all->past);
    pthread_cond_destroy(&all->room);
    pthread_mutex_destroy(&all->lock);
}

/* ---- A bundle's side --------------------------------------------------------------------- */

beam_inbox *beam_inbox_open(beam_inboxes *all, const char *instruction)
{
    pthread_mutex_lock(&all->lock);
    beam_inbox *inbox = find_or_make(all, instruction);
    if (inbox)
        inbox->opened = true;
    if (inbox && beam_map_has(&all->past, instruction))
        (void)beam_error_set(&inbox->broken, BEAM_ALREADY_EXISTS,
                             "there was a bundle of this instruction, whose data are past");
    pthread_mutex_unlock(&all->lock);
    return inbox;
}

void beam_inbox_read(beam_inbox *inbox, beam_inbox_feed feed)
{
    pthread_mutex_lock(&inbox->all->lock);
    inbox->feeds |= feed;
    pthread_mutex_unlock(&inbox->all->lock);
}

static bool in_file(const beam_inbox *inbox)
{
    return inbox->read_at < inbox->write_at;
}

/* The next piece in the file; only its bundle reads, and a stream writes behind it meanwhile. */
static beam_status read_spilled(int fd, uint64_t at, beam_chunk **chunk, uint64_t *after,
                                beam_error *err)
{
    spilled head;
    void *bytes = NULL;
    BEAM_TRY(beam_spill_file_read(fd, at, &head, sizeof head, err));
    beam_chunk *made = beam_calloc(1, sizeof *made);
    if (made) {
        made->transform = beam_calloc(1, head.transform + 1);
        made->ends = head.ends;
        made->is_last = head.is_last;
    }
    beam_status status = made && made->transform ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    if (status == BEAM_OK)
        status = beam_spans_new(head.size, &made->bytes, &bytes);
    if (status != BEAM_OK)
        (void)no_memory(err);
    at += sizeof head;
    if (status == BEAM_OK)
        status = beam_spill_file_read(fd, at, made->transform, head.transform, err);
    at += head.transform;
    if (status == BEAM_OK)
        status = beam_spill_file_read(fd, at, bytes, head.size, err);
    *after = at + head.size;
    if (status == BEAM_OK)
        *chunk = made;
    else
        beam_chunk_free(made);
    return status;
}

/* With the lock held, which it gives up meanwhile. */
static beam_status take_spilled(beam_inbox *inbox, beam_chunk **chunk, beam_error *err)
{
    uint64_t after = 0;
    pthread_mutex_unlock(&inbox->all->lock);
    beam_status status = read_spilled(inbox->fd, inbox->read_at, chunk, &after, err);
    pthread_mutex_lock(&inbox->all->lock);
    if (status != BEAM_OK)
        return status;
    inbox->read_at = after;
    if (!in_file(inbox)) { /* what was read gives its room back */
        inbox->read_at = inbox->write_at = 0;
        if (ftruncate(inbox->fd, 0) != 0)
            return beam_error_set(err, BEAM_UNKNOWN, "a temporary file cannot be emptied");
    }
    return BEAM_OK;
}

static void sate(beam_inbox *inbox)
{
    inbox->all->starved -= inbox->starved;
    inbox->starved = false;
}

static void wait_for_data(beam_inbox *inbox)
{
    beam_inboxes *all = inbox->all;
    inbox->starved = true;
    all->starved++;
    pthread_cond_broadcast(&all->room);
    while (!inbox->first && !in_file(inbox) && inbox->broken.code == BEAM_OK)
        pthread_cond_wait(&inbox->changed, &all->lock);
    sate(inbox);
}

beam_status beam_inbox_take(beam_inbox *inbox, beam_chunk **chunk, beam_error *err)
{
    beam_inboxes *all = inbox->all;
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&all->lock);
    if (!inbox->first && !in_file(inbox) && inbox->broken.code == BEAM_OK)
        wait_for_data(inbox);
    *chunk = inbox->first;
    if (*chunk) {
        inbox->first = (*chunk)->next;
        if (!inbox->first)
            inbox->end = &inbox->first;
        all->held -= weight(*chunk);
    } else if (in_file(inbox)) {
        status = take_spilled(inbox, chunk, err);
    } else {
        status = beam_error_set(err, inbox->broken.code, "%s", inbox->broken.message);
    }
    inbox->taken++;
    inbox->stuck = false;
    pthread_cond_broadcast(&all->room);
    pthread_mutex_unlock(&all->lock);
    return status;
}

/* With the lock held: data that still come for the bundle are known to be late. */
static void remember(beam_inboxes *all, const char *instruction)
{
    if (!all->past_ring && !(all->past_ring = beam_calloc(PAST, sizeof *all->past_ring)))
        return; /* late data then open an inbox that nobody reads, until the worker ends */
    char **place = &all->past_ring[all->past_at++ % PAST];
    if (*place)
        (void)beam_map_remove(&all->past, *place);
    beam_free(*place);
    *place = beam_strdup(instruction);
    if (*place)
        (void)beam_map_set(&all->past, *place, *place); /* see above */
}

void beam_inbox_close(beam_inbox *inbox)
{
    beam_inboxes *all = inbox->all;
    pthread_mutex_lock(&all->lock);
    (void)beam_map_remove(&all->open, inbox->instruction);
    remember(all, inbox->instruction);
    inbox->closed = true;
    pthread_cond_broadcast(&all->room);
    while (inbox->writers)
        pthread_cond_wait(&inbox->changed, &all->lock);
    free_inbox(inbox);
    pthread_mutex_unlock(&all->lock);
}

/* ---- A stream's side --------------------------------------------------------------------- */

static bool full(const beam_inboxes *all)
{
    return all->held >= BEAM_INBOX_MEMORY;
}

/* With the lock held: until there is room, or reason to go on without. */
static void wait_for_room(beam_inbox *inbox)
{
    beam_inboxes *all = inbox->all;
    inbox->writers++;
    while (full(all) && inbox->opened && !inbox->stuck && !all->starved && !inbox->closed &&
           inbox->broken.code == BEAM_OK) {
        struct timespec until;
        uint64_t taken = inbox->taken;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE;
        int number = pthread_cond_timedwait(&all->room, &all->lock, &until);
        inbox->stuck = number != 0 && taken == inbox->taken;
    }
    inbox->writers--;
    pthread_cond_broadcast(&inbox->changed); /* for who closes it */
}

static beam_status spill(beam_inbox *inbox, const beam_chunk *chunk, beam_error *err)
{
    const char *temp = getenv("TMPDIR");
    const spilled head = {chunk->bytes.size, (uint32_t)strlen(chunk->transform), chunk->ends,
                          chunk->is_last};
    if (inbox->fd < 0)
        BEAM_TRY(beam_spill_file_open(temp && *temp ? temp : "/tmp", &inbox->fd, err));
    uint64_t at = inbox->write_at;
    BEAM_TRY(beam_spill_file_write(inbox->fd, at, &head, sizeof head, err));
    at += sizeof head;
    BEAM_TRY(beam_spill_file_write(inbox->fd, at, chunk->transform, head.transform, err));
    at += head.transform;
    for (size_t i = 0; i < chunk->bytes.n; i++) {
        const beam_bytes *span = &chunk->bytes.all[i];
        BEAM_TRY(beam_spill_file_write(inbox->fd, at, span->at, span->len, err));
        at += span->len;
    }
    inbox->write_at = at;
    inbox->all->spilled += chunk->bytes.size;
    return BEAM_OK;
}

/* With the lock held.  A bundle whose data find no place fails, and no other. */
static void deliver(beam_inbox *inbox, beam_chunk *chunk)
{
    beam_inboxes *all = inbox->all;
    beam_error err = {0};
    if (inbox->broken.code != BEAM_OK) { /* a piece is missing */
        beam_chunk_free(chunk);
    } else if (in_file(inbox) || (full(all) && !inbox->starved)) {
        if (spill(inbox, chunk, &err) != BEAM_OK)
            inbox->broken = err;
        beam_chunk_free(chunk);
    } else {
        *inbox->end = chunk;
        inbox->end = &chunk->next;
        all->held += weight(chunk);
    }
    sate(inbox); /* or more than the limit would come before it wakes */
    pthread_cond_broadcast(&inbox->changed);
}

beam_status beam_inbox_put(beam_inboxes *all, beam_inbox_feed feed, const char *instruction,
                           beam_chunk *chunk, beam_error *err)
{
    pthread_mutex_lock(&all->lock);
    bool late = beam_map_has(&all->past, instruction);
    beam_inbox *inbox = late ? NULL : find_or_make(all, instruction);
    bool wanted = false;
    if (inbox) {
        inbox->feeds |= feed;
        wait_for_room(inbox);
        wanted = !inbox->closed;
        if (wanted)
            deliver(inbox, chunk);
    }
    pthread_mutex_unlock(&all->lock);
    if (!wanted)
        beam_chunk_free(chunk);
    return late || inbox ? BEAM_OK : no_memory(err);
}
