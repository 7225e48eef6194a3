/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* ping_peer.h - for tests: a server of HTTP/2 (RFC 9113) that takes one connection and says nothing
 * of its own but a greeting.  It answers so many pings, and is then as one whose machine has gone:
 * the connection stays, and nothing comes. */
#ifndef TESTS_NET_PING_PEER_H
#define TESTS_NET_PING_PEER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/server.h"

typedef struct ping_peer {
    int answers; /* pings that it still answers */
    int asked;   /* pings that came; to be looked at once it has stopped */
    char endpoint[32];
    int listener;
    pthread_t thread;
} ping_peer;

enum { PING_HEAD = 9, PING_PREFACE = 24, PING_TYPE = 6, PING_ACK = 1, PING_SIZE = 8 };

/* False: the other side has gone. */
static inline bool ping_peer_read(int fd, void *to, size_t size)
{
    return size == 0 || recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

static inline void *ping_peer_run(void *user)
{
    static const char greeting[] = "\0\0\0\4\0\0\0\0\0"; /* settings, none of them */
    static uint8_t bytes[1 << 24];
    ping_peer *p = user;
    int fd = accept(p->listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    uint8_t head[PING_HEAD];
    bool goes_on = ping_peer_read(fd, bytes, PING_PREFACE) &&
                   send(fd, greeting, PING_HEAD, MSG_NOSIGNAL) == PING_HEAD;
    while (goes_on && ping_peer_read(fd, head, PING_HEAD) &&
           ping_peer_read(fd, bytes, (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2])) {
        if (head[3] != PING_TYPE || head[4] & PING_ACK)
            continue;
        p->asked++;
        if (p->answers-- <= 0)
            continue;
        head[4] = PING_ACK;
        goes_on = send(fd, head, PING_HEAD, MSG_NOSIGNAL) == PING_HEAD &&
                  send(fd, bytes, PING_SIZE, MSG_NOSIGNAL) == PING_SIZE;
    }
    (void)close(fd);
    return NULL;
}

static inline void ping_peer_start(ping_peer *p, int answers)
{
    uint16_t port;
    *p = (ping_peer){.answers = answers, .listener = test_listen(1, &port)};
    (void)snprintf(p->endpoint, sizeof p->endpoint, "127.0.0.1:%d", port);
    assert_int_equal(pthread_create(&p->thread, NULL, ping_peer_run, p), 0);
}

/* Once the other side has closed its connection, or if none was made. */
static inline void ping_peer_stop(ping_peer *p)
{
    (void)shutdown(p->listener, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
}

#endif
