/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* links.c - streams to the engine's data and state services, made when a bundle asks for one.  It
 * connects without the harness's lock, which all instructions need: an endpoint that cannot be
 * reached keeps waiting those who want that one, and fails them all at once.  A link that is lost
 * goes when another is made and nobody holds it any more: who holds it may be long at what a
 * function does, and nobody waits for that. */
#include <string.h>

#include "base/alloc.h"
#include "worker/harness.h"

static beam_link *new_link(const beam_link_kind *kind, const char *endpoint)
{
    beam_link *link = beam_calloc(1, kind->size);
    if (link && !(link->endpoint = beam_strdup(endpoint))) {
        beam_free(link);
        return NULL;
    }
    if (link)
        link->kind = kind;
    return link;
}

void beam_links_close(beam_link **all)
{
    while (*all) {
        beam_link *link = *all;
        *all = link->next;
        link->kind->close(link);
        beam_free(link->endpoint);
        beam_free(link);
    }
}

static void move(beam_link **from, beam_link **to)
{
    beam_link *link = *from;
    *from = link->next;
    link->next = *to;
    *to = link;
}

/* With the lock held: off the list, with all that is of no use and that nobody holds. */
static beam_link *take_useless(beam_link **all)
{
    beam_link *useless = NULL;
    while (*all)
        if ((*all)->connected && (*all)->lost.code != BEAM_OK && !(*all)->holders)
            move(all, &useless);
        else
            all = &(*all)->next;
    return useless;
}

/* With the lock held; NULL: there is none. */
static beam_link *find_link(beam_link *all, const char *endpoint)
{
    while (all && (all->lost.code != BEAM_OK || strcmp(all->endpoint, endpoint) != 0))
        all = all->next;
    return all;
}

/* With the lock held, but not while it connects: others find the link then, and wait for it.  It is
 * lost where it cannot be connected. */
static beam_status add_link(beam_harness *h, beam_link **all, const beam_link_kind *kind,
                            const char *endpoint, beam_link **result, beam_error *err)
{
    if (h->control.ending) /* too late for beam_links_break */
        return beam_error_set(err, BEAM_CANCELLED, "the worker ends");
    beam_link *link = new_link(kind, endpoint);
    if (!link)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stream to %s",
                              endpoint);
    beam_error why = {0};
    beam_link *useless = take_useless(all);
    link->next = *all;
    *all = link;
    pthread_mutex_unlock(&h->lock);
    beam_links_close(&useless);
    beam_status status = kind->connect(h, link, &why);
    pthread_mutex_lock(&h->lock);
    pthread_cond_broadcast(&h->changed);
    link->connected = true;
    if (status != BEAM_OK) {
        link->lost = why;
        link->lost.code = status;
    } else if (h->control.ending) {
        link->kind->cancel(link);
    }
    *result = link;
    return BEAM_OK;
}

/* With the lock held. */
static beam_status why_lost(const beam_link *link, beam_error *err)
{
    return link->lost.code == BEAM_OK
               ? BEAM_OK
               : beam_error_set(err, link->lost.code, "%s", link->lost.message);
}

beam_status beam_link_get(beam_harness *h, beam_link **all, const beam_link_kind *kind,
                          const char *endpoint, beam_link **link, beam_error *err)
{
    pthread_mutex_lock(&h->lock);
    *link = find_link(*all, endpoint);
    beam_status status = *link ? BEAM_OK : add_link(h, all, kind, endpoint, link, err);
    if (status == BEAM_OK) {
        (*link)->holders++;
        while (!(*link)->connected)
            pthread_cond_wait(&h->changed, &h->lock);
        status = why_lost(*link, err);
        (*link)->holders -= status != BEAM_OK;
    }
    pthread_mutex_unlock(&h->lock);
    return status;
}

void beam_link_release(beam_harness *h, beam_link *link)
{
    pthread_mutex_lock(&h->lock);
    link->holders--;
    pthread_mutex_unlock(&h->lock);
}

void beam_link_lose(beam_harness *h, beam_link *link, const beam_error *why)
{
    pthread_mutex_lock(&h->lock);
    if (link->lost.code == BEAM_OK)
        link->lost = *why;
    pthread_mutex_unlock(&h->lock);
}

beam_status beam_link_check(beam_harness *h, const beam_link *link, beam_error *err)
{
    pthread_mutex_lock(&h->lock);
    beam_status status = why_lost(link, err);
    pthread_mutex_unlock(&h->lock);
    return status;
}

void beam_links_break(beam_harness *h, beam_link *const *all)
{
    pthread_mutex_lock(&h->lock);
    for (beam_link *link = *all; link; link = link->next)
        if (link->connected && link->lost.code == BEAM_OK) /* or nobody waits for it any more */
            link->kind->cancel(link);
    pthread_mutex_unlock(&h->lock);
}
