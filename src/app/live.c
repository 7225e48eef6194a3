/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/live.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "net/http_server.h"

enum { LAST_LOOK = 5 }; /* seconds; pages ask once a second */

struct beam_live {
    beam_http_server *server;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t asked;
    beam_buffer json;
    bool known;        /* the json was asked for since it is what it is */
    time_t last_asked; /* 0: never */
};

static struct timespec now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t;
}

static beam_status answer(void *user, const char *path, beam_buffer *body, const char **media_type)
{
    beam_live *live = user;
    bool page = strcmp(path, "/") == 0;
    if (!page && strcmp(path, "/run.json") != 0)
        return BEAM_NOT_FOUND;
    *media_type = page ? "text/html; charset=utf-8" : "application/json";
    pthread_mutex_lock(&live->lock);
    beam_status status = page ? beam_page_html(&live->json, body)
                              : beam_buffer_append(body, live->json.data, live->json.len);
    live->known = true;
    live->last_asked = now().tv_sec;
    pthread_cond_signal(&live->asked);
    pthread_mutex_unlock(&live->lock);
    return status;
}

void beam_live_update(beam_live *live, const beam_page *page)
{
    beam_buffer json = {0};
    if (beam_page_json(page, &json, NULL) != BEAM_OK) {
        beam_buffer_free(&json); /* what is served stays as it was */
        return;
    }
    pthread_mutex_lock(&live->lock);
    beam_buffer before = live->json;
    live->json = json;
    live->known = false;
    pthread_mutex_unlock(&live->lock);
    beam_buffer_free(&before);
}

static void free_live(beam_live *live)
{
    beam_buffer_free(&live->json);
    pthread_cond_destroy(&live->asked);
    pthread_mutex_destroy(&live->lock);
    beam_free(live);
}

static bool make_locks(beam_live *live)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&live->lock, NULL) != 0)
        return false;
    bool made = pthread_condattr_init(&attributes) == 0;
    bool asked = made && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                 pthread_cond_init(&live->asked, &attributes) == 0;
    if (made)
        pthread_condattr_destroy(&attributes);
    if (!asked)
        pthread_mutex_destroy(&live->lock);
    return asked;
}

beam_status beam_live_start(const beam_page *page, uint16_t port, beam_live **out, beam_error *err)
{
    beam_live *live = beam_calloc(1, sizeof *live);
    *out = NULL;
    if (!live || !make_locks(live)) {
        beam_free(live);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to show the run");
    }
    beam_status status = beam_page_json(page, &live->json, err);
    if (status == BEAM_OK)
        status = beam_http_server_start(port, answer, live, &live->server, err);
    if (status != BEAM_OK) {
        free_live(live);
        return status;
    }
    *out = live;
    return BEAM_OK;
}

uint16_t beam_live_port(const beam_live *live)
{
    return beam_http_server_port(live->server);
}

void beam_live_stop(beam_live *live)
{
    if (!live)
        return;
    struct timespec until = now();
    pthread_mutex_lock(&live->lock);
    bool open = live->last_asked && live->last_asked + LAST_LOOK >= until.tv_sec;
    until.tv_sec += LAST_LOOK;
    while (open && !live->known &&
           pthread_cond_timedwait(&live->asked, &live->lock, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&live->lock);
    beam_http_server_stop(live->server);
    free_live(live);
}
