/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* server.h - servers that tests start: programs that print their address and end with their
 * standard input; and sockets, for those that a test is itself. */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct test_server {
    pid_t pid;
    int keeps_it_running;
    char address[64]; /* "http://127.0.0.1:12345" */
} test_server;

/* Starts `command`, which ends with NULL; false, with a line on stderr, where it does not run. */
bool test_server_start(test_server *server, const char *const *command);
void test_server_stop(test_server *server);

/* A socket that listens on a free port of 127.0.0.1, where so many connections may wait. */
int test_listen(int waiting, uint16_t *port);

#endif
