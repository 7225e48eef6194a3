/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/wait.h"

/* How long an address may take to answer. */
enum { PATIENCE_MS = 20000, MOST_HOST = 255, MOST_PORT = 63 };

/* "host:port" or "[host]:port"; the port points into the endpoint. */
static bool take_apart(const char *endpoint, char host[MOST_HOST + 1], const char **port)
{
    const char *colon = strrchr(endpoint, ':'), *from = endpoint;
    if (!colon || colon == endpoint || !colon[1] || strlen(colon + 1) > MOST_PORT)
        return false;
    size_t len = (size_t)(colon - endpoint);
    if (*from == '[' && colon[-1] == ']') {
        from++;
        len -= 2;
    }
    if (len == 0 || len > MOST_HOST)
        return false;
    memcpy(host, from, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

/* ---- Addresses --------------------------------------------------------------------------- */

static int find_addresses(const char *host, const char *port, int flags, struct addrinfo **all)
{
    const struct addrinfo wanted = {
        .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC, .ai_flags = flags};
    *all = NULL;
    return getaddrinfo(host, port, &wanted, all);
}

/* Nothing breaks getaddrinfo off, which may wait long for a name server.  So a thread calls it, and
 * when nobody wants its answer any more it is left alone with this. */
typedef struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char host[MOST_HOST + 1], port[MOST_PORT + 1];
    struct addrinfo *all;
    int number;
    bool done, left;
} lookup;

static void free_lookup(lookup *l)
{
    if (l->all)
        freeaddrinfo(l->all);
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    beam_free(l);
}

static void *look_up(void *user)
{
    lookup *l = user;
    struct addrinfo *all;
    int number = find_addresses(l->host, l->port, 0, &all);
    pthread_mutex_lock(&l->lock);
    l->all = all;
    l->number = number;
    l->done = true;
    bool left = l->left;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (left)
        free_lookup(l);
    return NULL;
}

/* NULL: no memory, or no thread. */
static lookup *begin_lookup(const char *host, const char *port, pthread_t *thread)
{
    lookup *l = beam_calloc(1, sizeof *l);
    if (!l)
        return NULL;
    if (pthread_mutex_init(&l->lock, NULL) != 0 || pthread_cond_init(&l->changed, NULL) != 0) {
        beam_free(l); /* what was initialised holds no memory */
        return NULL;
    }
    (void)snprintf(l->host, sizeof l->host, "%s", host);
    (void)snprintf(l->port, sizeof l->port, "%s", port);
    if (beam_thread_start(thread, look_up, l) == 0)
        return l;
    free_lookup(l);
    return NULL;
}

/* False: not before the wish to stop, and the lookup is the thread's. */
static bool wait_for_lookup(lookup *l, const int *stop)
{
    pthread_mutex_lock(&l->lock);
    while (!l->done && !beam_wait_stopped(stop)) {
        const struct timespec until = beam_clock_after(CLOCK_REALTIME, BEAM_WAIT_TICK_MS);
        (void)pthread_cond_timedwait(&l->changed, &l->lock, &until);
    }
    bool done = l->done;
    l->left = !done;
    pthread_mutex_unlock(&l->lock);
    return done;
}

/* *number is as getaddrinfo returns it.  A host that is an address needs no thread; and where there
 * is none to be had it is not broken off. */
static beam_status resolve(const char *host, const char *port, const int *stop,
                           struct addrinfo **all, int *number)
{
    pthread_t thread;
    *number = find_addresses(host, port, AI_NUMERICHOST, all);
    if (*number == 0)
        return BEAM_OK;
    lookup *l = stop ? begin_lookup(host, port, &thread) : NULL;
    if (!l) {
        *number = find_addresses(host, port, 0, all);
        return BEAM_OK;
    }
    if (!wait_for_lookup(l, stop)) {
        (void)pthread_detach(thread);
        return BEAM_CANCELLED;
    }
    (void)pthread_join(thread, NULL);
    *all = l->all;
    *number = l->number;
    l->all = NULL;
    free_lookup(l);
    return BEAM_OK;
}

/* ---- Connections ------------------------------------------------------------------------- */

/* Until the connection is there or refused; the number says which. */
static beam_status wait_for(int fd, const int *stop, int *number)
{
    int64_t until = beam_clock_ms() + PATIENCE_MS;
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof *number;
    for (int ready = 0; ready == 0;) {
        if (beam_wait_stopped(stop))
            return BEAM_CANCELLED;
        if (beam_clock_ms() >= until) {
            *number = ETIMEDOUT;
            return BEAM_OK;
        }
        ready = poll(&wanted, 1, BEAM_WAIT_TICK_MS);
        if (ready < 0 && errno == EINTR)
            ready = 0;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, number, &size) != 0)
        *number = errno;
    return BEAM_OK;
}

/* Sets *fd, or *number to why not. */
static beam_status try_address(const struct addrinfo *at, const int *stop, int *fd, int *number)
{
    const int on = 1;
    *number = 0;
    *fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    if (*fd < 0) {
        *number = errno;
        return BEAM_OK;
    }
    beam_status status = BEAM_OK;
    if (setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(*fd, at->ai_addr, at->ai_addrlen) != 0)
        *number = errno;
    if (*number == EINPROGRESS)
        status = wait_for(*fd, stop, number);
    if (status == BEAM_OK && *number == 0)
        return BEAM_OK;
    (void)close(*fd);
    *fd = -1;
    return status;
}

beam_status beam_connect(const char *endpoint, const int *stop, int *fd, beam_error *err)
{
    char host[MOST_HOST + 1];
    const char *port;
    struct addrinfo *all;
    int number;
    *fd = -1;
    if (!take_apart(endpoint, host, &port))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "that is not host:port");
    BEAM_TRY(resolve(host, port, stop, &all, &number));
    if (number != 0)
        return beam_error_set(err, BEAM_UNAVAILABLE, "its address is not known: %s",
                              gai_strerror(number));
    beam_status status = BEAM_OK;
    for (const struct addrinfo *at = all; at && *fd < 0 && status == BEAM_OK; at = at->ai_next)
        status = try_address(at, stop, fd, &number);
    freeaddrinfo(all);
    if (status != BEAM_OK || *fd >= 0)
        return status;
    return beam_error_set(err, BEAM_UNAVAILABLE, "%s", strerror(number));
}
