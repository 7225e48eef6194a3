/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "support/infer_server.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void infer_start(test_server *server, int port)
{
    char number[16];
    const char *const script[] = {"python3", BEAM_SOURCE_DIR "/tests/support/infer_fault.py",
                                  number, NULL};
    (void)snprintf(number, sizeof number, "%d", port);
    assert_true(test_server_start(server, script));
}

static int connect_to(const test_server *server)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)atoi(strrchr(server->address, ':') + 1))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Without the library, whose HTTP is being tested. */
static json_t *post(const test_server *server, const char *json)
{
    char answer[65536];
    size_t len = 0;
    int fd = connect_to(server);
    assert_true(dprintf(fd,
                        "POST /_control HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        strlen(json), json) > 0);
    for (ssize_t n; (n = read(fd, answer + len, sizeof answer - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    answer[len] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    json_t *counts = body ? json_loads(body, 0, NULL) : NULL;
    if (!counts)
        fail_msg("infer_fault.py answers %s", answer);
    return counts;
}

void infer_control(const test_server *server, const char *json)
{
    json_decref(post(server, json));
}

void infer_reset(const test_server *server)
{
    infer_control(server, "{\"clear\": true, \"script\": [], \"rate\": 0, \"faults\": [], "
                          "\"retry_after\": \"\", \"binary\": true, \"nested\": false, "
                          "\"secret\": \"\", \"metadata\": null, \"answer\": null, "
                          "\"answer_tail\": \"\", \"largest\": 0, \"delay\": 0}");
}

int infer_count(const test_server *server, const char *what)
{
    json_t *counts = post(server, "");
    int n = (int)json_integer_value(json_object_get(counts, what));
    json_decref(counts);
    return n;
}
