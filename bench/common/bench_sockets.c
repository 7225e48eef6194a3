/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "common/bench_sockets.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench_run.h"

enum { SEND = 512 << 10, READ = 64 << 10, OTHERS = 32 << 10 };

static bool send_all(int fd, const char *buffer, size_t at_once, size_t bytes)
{
    while (bytes) {
        ssize_t sent = send(fd, buffer, bytes < at_once ? bytes : at_once, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes -= (size_t)sent;
    }
    return true;
}

static bool take_all(int fd, char *buffer, size_t at_once, size_t bytes)
{
    while (bytes) {
        ssize_t got = recv(fd, buffer, bytes < at_once ? bytes : at_once, 0);
        if (got <= 0)
            return false;
        bytes -= (size_t)got;
    }
    return true;
}

/* The two ends of a connection. */
static bool connect_both(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *to = (struct sockaddr *)&address;
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ends[1] = -1;
    if (listener >= 0 && ends[0] >= 0 && bind(listener, to, size) == 0 &&
        listen(listener, 1) == 0 && getsockname(listener, to, &size) == 0 &&
        connect(ends[0], to, size) == 0)
        ends[1] = accept(listener, NULL, NULL);
    if (listener >= 0)
        (void)close(listener);
    if (ends[0] >= 0 && ends[1] < 0)
        (void)close(ends[0]);
    return ends[1] >= 0;
}

/* The CPU time of this side; negative: the connection broke. */
static double exchange(int fd, char *buffer, size_t bytes, int times)
{
    double start = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
    bool good = true;
    for (int i = 0; good && i < times; i++)
        good = send_all(fd, buffer, SEND, bytes) && take_all(fd, buffer, READ, bytes);
    return good ? bench_clock(CLOCK_PROCESS_CPUTIME_ID) - start : -1;
}

double bench_sockets_cpu(size_t bytes, int times)
{
    int ends[2];
    double seconds = -1;
    char *buffer = calloc(1, SEND);
    bool connected = buffer && connect_both(ends);
    pid_t other = connected ? fork() : -1;
    if (other == 0) {
        bool good = true;
        (void)close(ends[0]); /* so that it learns when this process is gone */
        for (int i = 0; good && i < times; i++)
            good = take_all(ends[1], buffer, OTHERS, bytes) &&
                   send_all(ends[1], buffer, OTHERS, bytes);
        _exit(!good);
    }
    if (connected)
        (void)close(ends[1]);
    if (other > 0)
        seconds = exchange(ends[0], buffer, bytes, times);
    if (connected)
        (void)close(ends[0]);
    if (other > 0)
        (void)waitpid(other, NULL, 0);
    free(buffer);
    return seconds;
}
