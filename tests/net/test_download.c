/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Downloads from a small web server on the loopback interface: what comes is checked, appears
 * whole or not at all, and every failure has words. */
#include "support/files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/digest.h"
#include "net/download.h"
#include "support/server.h"

static const char HELLO[] = "hello, world\n";
static const char HELLO_SHA256[] =
    "853ff93762a06ddbf722c4ebe9ddd66d8f63ddaea97f521c3ecc20da7c976020";
static const char HELLO_MD5[] = "22c3683b094136c3398391ae71b20f04";

typedef struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    char *folder;
} server;

static void answer(int fd)
{
    char request[2048] = "";
    size_t len = 0;
    while (len < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t n = read(fd, request + len, sizeof request - 1 - len);
        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = '\0';
    }
    char reply[512];
    int n;
    if (strncmp(request, "GET /hello ", 11) == 0)
        n = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                     sizeof HELLO - 1, HELLO);
    else if (strncmp(request, "GET /short ", 11) == 0)
        n = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n%s",
                     HELLO);
    else if (strncmp(request, "GET /moved ", 11) == 0)
        n = snprintf(reply, sizeof reply,
                     "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n");
    else if (strncmp(request, "GET /away ", 10) == 0)
        n = snprintf(reply, sizeof reply,
                     "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0"
                     "\r\n\r\n");
    else
        n = snprintf(reply, sizeof reply, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    ssize_t sent = write(fd, reply, (size_t)n);
    (void)sent; /* a client that has gone is the test's business */
}

static void *serve(void *user)
{
    const server *s = user;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd))
        answer(fd);
    return NULL;
}

static int set_up(void **state)
{
    /* A proxy that a machine may have is not for its loopback interface. */
    assert_int_equal(setenv("no_proxy", "127.0.0.1", 1), 0);
    server *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->fd = test_listen(8, &s->port);
    s->folder = test_folder();
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    server *s = *state;
    (void)shutdown(s->fd, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
    test_remove_folder(s->folder);
    free(s);
    return 0;
}

static beam_status download(const server *s, const char *page, const char *algorithm,
                            const char *digest, const beam_download_options *options,
                            beam_error *err)
{
    char address[100];
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%u%s", s->port, page);
    const beam_download_request request = {
        .address = address,
        .path = test_path(s->folder, "file"),
        .algorithm = algorithm,
        .digest = digest,
        .max_size = 100,
        .plain_http = true,
    };
    return beam_net_download(&request, options, err);
}

static void test_good(void **state)
{
    const server *s = *state;
    beam_error err = {0};
    const char *const good[][3] = {{"/hello", "sha256", HELLO_SHA256},
                                   {"/hello", "sha256", "853ff937"},
                                   {"/moved", "md5", HELLO_MD5},
                                   {"/hello", "sha256", NULL}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(download(s, good[i][0], good[i][1], good[i][2], NULL, &err), err);
        size_t size;
        char *bytes = test_read_file(test_path(s->folder, "file"), &size);
        assert_string_equal(bytes, HELLO);
        free(bytes);
        assert_int_equal(test_count_files(s->folder), 1);
        assert_int_equal(unlink(test_path(s->folder, "file")), 0);
    }
}

static beam_status stop(void *user, const char *address, uint64_t done, uint64_t total)
{
    (void)address;
    (void)done;
    (void)total;
    ++*(int *)user;
    return BEAM_CANCELLED;
}

static void test_bad(void **state)
{
    const server *s = *state;
    beam_error err;
    assert_fails(download(s, "/hello", "sha256", "f37072fd", NULL, &err), BEAM_DATA_LOSS, err,
                 "wrong checksum");
    assert_fails(download(s, "/none", "sha256", NULL, NULL, &err), BEAM_NOT_FOUND, err, "404");
    assert_fails(download(s, "/short", "sha256", NULL, NULL, &err), BEAM_UNAVAILABLE, err,
                 "cannot download");
    assert_fails(download(s, "/away", "sha256", NULL, NULL, &err), BEAM_INVALID_ARGUMENT, err,
                 "rotocol");
    int calls = 0;
    const beam_download_options options = {
        .struct_size = sizeof options, .progress = stop, .user = &calls};
    assert_fails(download(s, "/hello", "sha256", NULL, &options, &err), BEAM_CANCELLED, err,
                 "stopped");
    assert_int_equal(calls, 1);
    beam_download_request request = {
        .address = "http://127.0.0.1/x", .path = test_path(s->folder, "file"), .max_size = 1};
    assert_fails(beam_net_download(&request, NULL, &err), BEAM_INVALID_ARGUMENT, err, "http");
    request.address = "https://127.0.0.1:1/x"; /* nobody listens there */
    assert_fails(beam_net_download(&request, NULL, &err), BEAM_UNAVAILABLE, err, "127.0.0.1:1");
    assert_int_equal(test_count_files(s->folder), 0);
}

static void test_too_large(void **state)
{
    const server *s = *state;
    char address[100];
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%u/hello", s->port);
    const beam_download_request request = {.address = address,
                                           .path = test_path(s->folder, "file"),
                                           .max_size = sizeof HELLO - 2,
                                           .plain_http = true};
    beam_error err;
    assert_fails(beam_net_download(&request, NULL, &err), BEAM_DATA_LOSS, err, "more than 12");
    assert_int_equal(test_count_files(s->folder), 0);
}

static void test_digests(void **state)
{
    (void)state;
    beam_error err = {0};
    assert_ok(beam_digest_check("sha256", HELLO, sizeof HELLO - 1, HELLO_SHA256, "x", &err), err);
    assert_ok(beam_digest_check("md5", HELLO, sizeof HELLO - 1, "22c3", "x", &err), err);
    assert_fails(beam_digest_check("md5", HELLO, 3, HELLO_MD5, "x.pth", &err), BEAM_DATA_LOSS, err,
                 "x.pth: wrong checksum");
    assert_fails(beam_digest_check("rot13", HELLO, 3, HELLO_MD5, "x", &err), BEAM_UNIMPLEMENTED,
                 err, "rot13");
}

static void test_out_of_memory(void **state)
{
    const server *s = *state;
    for (uint64_t n = 1;; n++) {
        beam_alloc_fail_at(n, 0);
        beam_status status = download(s, "/hello", "sha256", HELLO_SHA256, NULL, NULL);
        bool reached = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        assert_int_equal(test_count_files(s->folder), status == BEAM_OK);
        (void)unlink(test_path(s->folder, "file"));
        if (!reached)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
        cmocka_unit_test(test_digests),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
