/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* links.c - streams to the engine's data and state services, made when a bundle first asks for one.
 * It connects without the harness's lock, which all instructions need: an endpoint that cannot be
 * reached keeps waiting those who want that one. */
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

void beam_link_free(beam_link *link)
{
    link->kind->close(link);
    beam_free(link->endpoint);
    beam_free(link);
}

static void unlink_link(beam_link **at, const beam_link *link)
{
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
}

/* With the lock held, but not while it connects: others find the link then, and wait for it. */
static beam_status add_link(beam_harness *h, beam_link **all, const beam_link_kind *kind,
                            const char *endpoint, beam_link **result, beam_error *err)
{
    if (h->control.ending) /* too late for beam_links_break */
        return beam_error_set(err, BEAM_CANCELLED, "the worker ends");
    beam_link *link = new_link(kind, endpoint);
    if (!link)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stream to %s",
                              endpoint);
    link->next = *all;
    *all = link;
    pthread_mutex_unlock(&h->lock);
    beam_status status = kind->connect(h, link, err);
    pthread_mutex_lock(&h->lock);
    pthread_cond_broadcast(&h->changed);
    if (status != BEAM_OK) {
        unlink_link(all, link);
        beam_link_free(link);
        return status;
    }
    link->connected = true;
    if (h->control.ending)
        link->kind->cancel(link);
    *result = link;
    return BEAM_OK;
}

beam_status beam_link_get(beam_harness *h, beam_link **all, const beam_link_kind *kind,
                          const char *endpoint, beam_link **link, beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&h->lock);
    for (;;) {
        for (*link = *all; *link && strcmp((*link)->endpoint, endpoint) != 0;)
            *link = (*link)->next;
        if (!*link || (*link)->connected)
            break;
        pthread_cond_wait(&h->changed, &h->lock);
    }
    if (!*link)
        status = add_link(h, all, kind, endpoint, link, err);
    pthread_mutex_unlock(&h->lock);
    return status;
}

void beam_links_break(beam_harness *h, beam_link *const *all)
{
    pthread_mutex_lock(&h->lock);
    for (beam_link *link = *all; link; link = link->next)
        if (link->connected)
            link->kind->cancel(link);
    pthread_mutex_unlock(&h->lock);
}
