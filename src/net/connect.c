/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/wait.h"

/* How long an address may take to answer. */
enum { PATIENCE_MS = 20000, MOST_HOST = 255 };

/* "host:port" or "[host]:port"; the port points into the endpoint. */
static bool take_apart(const char *endpoint, char host[MOST_HOST + 1], const char **port)
{
    const char *colon = strrchr(endpoint, ':'), *from = endpoint;
    if (!colon || colon == endpoint || !colon[1])
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
    struct addrinfo *all = NULL;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    *fd = -1;
    if (!take_apart(endpoint, host, &port))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "that is not host:port");
    int number = getaddrinfo(host, port, &wanted, &all);
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
