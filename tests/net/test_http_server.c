/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The small HTTP server under those it must expect: browsers, and everybody else on the machine. */
#include "support/files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/http_server.h"

enum { LARGE = 8 << 20 };

static beam_status answer(void *user, const char *path, beam_buffer *body, const char **media_type)
{
    (void)user;
    *media_type = "text/html; charset=utf-8";
    if (strcmp(path, "/broken") == 0)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; strcmp(path, "/large") == 0 && i < LARGE / 64; i++)
        BEAM_TRY(beam_buffer_printf(body, "%063zu\n", i));
    if (body->len)
        return BEAM_OK;
    return strcmp(path, "/") == 0 ? beam_buffer_append(body, "hello", 5) : BEAM_NOT_FOUND;
}

static beam_http_server *start(void)
{
    beam_http_server *server;
    beam_error err = {0};
    assert_ok(beam_http_server_start(0, answer, NULL, &server, &err), err);
    return server;
}

static int connect_to(const beam_http_server *server)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(beam_http_server_port(server)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0) /* refused before it has read all */
            return;
        at += sent;
        size -= (size_t)sent;
    }
}

/* All that comes until the other side closes; free it. */
static char *receive_all(int fd, size_t *size)
{
    size_t capacity = 1 << 16, len = 0;
    char *text = malloc(capacity + 1);
    for (ssize_t got; (got = recv(fd, text + len, capacity - len, 0)) > 0;) {
        len += (size_t)got;
        if (len == capacity)
            text = realloc(text, (capacity *= 2) + 1);
    }
    text[len] = '\0';
    if (size)
        *size = len;
    return text;
}

static char *ask_bytes(const beam_http_server *server, const void *request, size_t size)
{
    int fd = connect_to(server);
    send_all(fd, request, size);
    char *text = receive_all(fd, NULL);
    close(fd);
    return text;
}

static void expect(const beam_http_server *server, const char *request, const char *begin)
{
    char *text = ask_bytes(server, request, strlen(request));
    if (strncmp(text, begin, strlen(begin)) != 0)
        fail_msg("for %.100s\nthere came %.200s", request, text);
    free(text);
}

#define HOST "Host: localhost\r\n"

static void good(void **state)
{
    (void)state;
    beam_http_server *server = start();
    const char request[] = "GET /?x=1 HTTP/1.1\r\nhost: 127.0.0.1:8080 \r\nA: b\r\n\r\n";
    char *text = ask_bytes(server, request, strlen(request));
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "Content-Length: 5\r\n"));
    assert_non_null(strstr(text, "Content-Type: text/html; charset=utf-8\r\n"));
    assert_non_null(strstr(text, "X-Content-Type-Options: nosniff\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\nhello");
    free(text);
    const char head[] = "HEAD / HTTP/1.0\r\nHost: [::1]:1\r\n\r\n";
    text = ask_bytes(server, head, strlen(head));
    assert_non_null(strstr(text, "Content-Length: 5\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    free(text);
    expect(server, "GET /none HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ");
    expect(server, "GET /broken HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 500 ");
    beam_http_server_stop(server);
}

static void refused(void **state)
{
    (void)state;
    static const char *const requests[][2] = {
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 405 "},
        {"DELETE / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 "},
        {"get / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 "},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "HTTP/1.1 421 "},
        {"GET / HTTP/1.1\r\nHost: localhost.example.com\r\n\r\n", "HTTP/1.1 421 "},
        {"GET / HTTP/1.1\r\nHost: localhost:\r\n\r\n", "HTTP/1.1 421 "},
        {"GET / HTTP/1.1\r\nHost: 127.0.0.1:80@evil\r\n\r\n", "HTTP/1.1 421 "},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "HTTP/1.1 421 "},
        {"GET http://localhost/ HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 "},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 "},
        {"GET /\r\n" HOST "\r\n", "HTTP/1.1 400 "},
        {" / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 "},
        {"\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", "HTTP/1.1 505 "},
        {"GET / HTTP/1.10\r\n" HOST "\r\n", "HTTP/1.1 505 "},
        {"GET / SPDY/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n" HOST "No colon\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n" HOST " folded: x\r\n\r\n", "HTTP/1.1 400 "}};
    beam_http_server *server = start();
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        expect(server, requests[i][0], requests[i][1]);
    const char nul[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    char *text = ask_bytes(server, nul, sizeof nul - 1);
    assert_int_equal(strncmp(text, "HTTP/1.1 400 ", 13), 0);
    free(text);
    expect(server, "GET / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ");
    beam_http_server_stop(server);
}

static void oversized(void **state)
{
    (void)state;
    beam_http_server *server = start();
    static char request[100000];
    memset(request, 'a', sizeof request);
    memcpy(request, "GET /", 5);
    char *text = ask_bytes(server, request, sizeof request);
    assert_true(text[0] == '\0' || strncmp(text, "HTTP/1.1 431 ", 13) == 0);
    free(text);
    text = ask_bytes(server, request, 4096); /* and nothing left that nobody reads */
    assert_int_equal(strncmp(text, "HTTP/1.1 431 ", 13), 0);
    free(text);
    beam_http_server_stop(server);
}

/* Byte by byte, and an answer that does not fit into what the system takes at once. */
static void slow_and_large(void **state)
{
    (void)state;
    beam_http_server *server = start();
    const char request[] = "GET /large HTTP/1.1\r\n" HOST "\r\n";
    int fd = connect_to(server);
    for (size_t i = 0; i < sizeof request - 1; i++) {
        send_all(fd, request + i, 1);
        usleep(500);
    }
    usleep(100000);
    size_t size;
    char *text = receive_all(fd, &size);
    close(fd);
    const char *body = strstr(text, "\r\n\r\n") + 4;
    assert_int_equal(size - (size_t)(body - text), LARGE);
    assert_int_equal(strtoul(body + LARGE - 64, NULL, 10), LARGE / 64 - 1);
    free(text);
    beam_http_server_stop(server);
}

/* Those that say nothing neither keep others out nor keep their place. */
static void many_and_silent(void **state)
{
    (void)state;
    enum { MANY = 200 };
    int fds[MANY];
    beam_http_server *server = start();
    for (int i = 0; i < MANY; i++) {
        fds[i] = connect_to(server);
        if (i % 2)
            send_all(fds[i], "GET", 3);
        if (i % 50 == 0)
            expect(server, "GET / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ");
    }
    expect(server, "GET / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ");
    char byte;
    for (int i = MANY - 20; i < MANY; i++) { /* the oldest went, however fast the others came */
        assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
    }
    char *text = receive_all(fds[0], NULL); /* it had to go */
    assert_string_equal(text, "");
    free(text);
    text = receive_all(fds[MANY - 1], NULL); /* its time is up */
    assert_int_equal(strncmp(text, "HTTP/1.1 408 ", 13), 0);
    free(text);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    beam_http_server_stop(server);
}

/* The C library's, but that the process has no files left while `no_files`. */
static atomic_int no_files, refusals;

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (!atomic_load(&no_files))
        return (int)syscall(SYS_accept4, fd, address, size, flags);
    atomic_fetch_add(&refusals, 1);
    errno = EMFILE;
    return -1;
}

/* Who cannot be let in waits, and the server does nothing meanwhile; it asked thousands of times
 * when it tried at once again. */
static void no_files_left(void **state)
{
    (void)state;
    beam_http_server *server = start();
    const char request[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
    atomic_store(&no_files, 1);
    int fd = connect_to(server);
    send_all(fd, request, sizeof request - 1);
    while (atomic_load(&refusals) < 3)
        usleep(50000);
    assert_true(atomic_load(&refusals) < 1000);
    atomic_store(&no_files, 0);
    char *text = receive_all(fd, NULL);
    assert_int_equal(strncmp(text, "HTTP/1.1 200 ", 13), 0);
    free(text);
    close(fd);
    beam_http_server_stop(server);
}

/* A client that takes nothing does not keep the server from ending. */
static void stops(void **state)
{
    (void)state;
    beam_http_server *server = start();
    int fd = connect_to(server), other = connect_to(server);
    const char request[] = "GET /large HTTP/1.1\r\n" HOST "\r\n";
    send_all(fd, request, sizeof request - 1);
    usleep(100000);
    beam_http_server_stop(server);
    close(fd);
    close(other);
    beam_http_server_stop(NULL);
}

static void this_machine_only(void **state)
{
    (void)state;
    beam_http_server *server = start(), *second = NULL;
    beam_error err = {0};
    struct ifaddrs *all;
    assert_int_equal(
        beam_http_server_start(beam_http_server_port(server), answer, NULL, &second, &err),
        BEAM_UNAVAILABLE);
    assert_non_null(strstr(err.message, "127.0.0.1:"));
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
            continue;
        struct sockaddr_in address = *(const struct sockaddr_in *)(const void *)i->ifa_addr;
        if ((ntohl(address.sin_addr.s_addr) >> 24) == 127)
            continue;
        address.sin_port = htons(beam_http_server_port(server));
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), -1);
        close(fd);
    }
    freeifaddrs(all);
    beam_http_server_stop(server);
}

static void no_memory(void **state)
{
    (void)state;
    beam_http_server *server;
    beam_alloc_fail_at(1, 0);
    assert_int_equal(beam_http_server_start(0, answer, NULL, &server, NULL),
                     BEAM_RESOURCE_EXHAUSTED);
    server = start();
    for (uint64_t n = 1; n < 6; n++) {
        const char request[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
        beam_alloc_fail_at(n, 0);
        char *text = ask_bytes(server, request, strlen(request));
        beam_alloc_fail_at(0, 0);
        free(text); /* an answer, "500", or a connection that ends */
    }
    expect(server, "GET / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ");
    beam_http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(oversized),
                                       cmocka_unit_test(slow_and_large),
                                       cmocka_unit_test(many_and_silent),
                                       cmocka_unit_test(no_files_left),
                                       cmocka_unit_test(stops),
                                       cmocka_unit_test(this_machine_only),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
