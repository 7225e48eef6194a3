/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Streams whose messages are read while they come: against gRPC core's server, against servers that
 * say what no server should, and with each call of the system, and each allocation, failing. */
#include "support/files.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/grpc_server.h"
#include "net/grpc_wire.h"
#include "net/ping_peer.h"
#include "net/wait.h"
#include "support/server.h"

enum {
    MESSAGES = 60,
    LARGEST = 300000,
    HUGE_MESSAGE = 40 << 20, /* more than is on its way at once */
    SOON_MS = 10000,         /* what ends at all ends long before that */
    TOO_MANY = 5000
};

/* ---- Calls of the system that fail ------------------------------------------------------------
 */

/* The n-th of all such calls of libbeam's fails with a number; 0: none does. */
static unsigned calls, fail_at;
static const char *failed;

static bool fails(const char *call, int number)
{
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) !=
        __atomic_load_n(&fail_at, __ATOMIC_RELAXED))
        return false;
    failed = call;
    errno = number;
    return true;
}

int socket(int family, int type, int protocol)
{
    return fails("socket", EMFILE) ? -1 : (int)syscall(SYS_socket, family, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return fails("connect", ECONNREFUSED) ? -1 : (int)syscall(SYS_connect, fd, address, size);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return fails("setsockopt", EINVAL) ? -1
                                       : (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
    return fails("getsockopt", EINVAL) ? -1
                                       : (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

int poll(struct pollfd *all, nfds_t n, int timeout_ms)
{
    return fails("poll", EINTR) ? -1 : (int)syscall(SYS_poll, all, n, timeout_ms);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    return fails("recv", ECONNRESET) ? -1 : syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails("sendmsg", EPIPE) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

/* ---- gRPC core's server -----------------------------------------------------------------------
 */

static bool is_from_worker(const grpc_server_call *c)
{
    for (size_t i = 0; i < c->metadata.count; i++) {
        char *key = grpc_slice_to_c_string(c->metadata.metadata[i].key);
        char *value = grpc_slice_to_c_string(c->metadata.metadata[i].value);
        bool found = strcmp(key, "worker_id") == 0 && strcmp(value, "w1") == 0;
        gpr_free(key);
        gpr_free(value);
        if (found)
            return true;
    }
    return false;
}

static int answer(const grpc_server_call *c, const char *method)
{
    if (strcmp(method, "/test/Echo") == 0) {
        while (grpc_server_send_back(c))
            ;
        return GRPC_STATUS_OK;
    }
    if (strcmp(method, "/test/Once") == 0)
        return grpc_server_send_back(c) ? GRPC_STATUS_OK : GRPC_STATUS_UNKNOWN;
    if (strcmp(method, "/test/Named") == 0)
        return is_from_worker(c) ? GRPC_STATUS_OK : GRPC_STATUS_PERMISSION_DENIED;
    if (strcmp(method, "/test/Refused") == 0)
        return GRPC_STATUS_FAILED_PRECONDITION;
    return GRPC_SERVER_NO_STATUS;
}

static grpc_test_server server = {.answer = answer};

static int start_server(void **state)
{
    (void)state;
    grpc_test_server_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    grpc_test_server_stop(&server);
    return 0;
}

/* ---- The client -------------------------------------------------------------------------------
 */

static int stop;
static const beam_grpc_options echo = {.method = "/test/Echo",
                                       .what = "send it back",
                                       .worker_id = "w1",
                                       .stop = &stop},
                               once = {.method = "/test/Once", .what = "send one back"},
                               named = {.method = "/test/Named",
                                        .what = "know it",
                                        .worker_id = "w1"},
                               refused = {.method = "/test/Refused", .what = "refuse it"},
                               hold = {.method = "/test/Hold", .what = "take it", .stop = &stop};

static beam_grpc_wire *open_wire(const beam_grpc_options *options)
{
    beam_grpc_wire *wire;
    beam_error err = {0};
    assert_ok(beam_grpc_wire_open(server.endpoint, options, &wire, &err), err);
    return wire;
}

static beam_status send_bytes(beam_grpc_wire *wire, const uint8_t *bytes, size_t size,
                              beam_error *err)
{
    size_t half = size / 3; /* of a head and a body */
    const beam_buffer head = {(uint8_t *)bytes, half, half},
                      body = {(uint8_t *)bytes + half, size - half, size - half};
    return beam_grpc_wire_write(wire, &head, &body, err);
}

/* A whole message. */
static beam_status read_message(beam_grpc_wire *wire, beam_buffer *bytes, bool *open,
                                beam_error *err)
{
    size_t size = 0;
    bytes->len = 0;
    BEAM_TRY(beam_grpc_wire_next(wire, &size, open, err));
    while (*open && bytes->len < size) {
        beam_spans part = {0};
        BEAM_TRY(beam_grpc_wire_take(wire, size - bytes->len, &part, err));
        beam_status status = BEAM_OK;
        for (size_t i = 0; i < part.n && status == BEAM_OK; i++)
            status = beam_buffer_append(bytes, part.all[i].at, part.all[i].len);
        beam_spans_free(&part);
        if (status != BEAM_OK)
            return beam_error_set(err, status, "no memory");
    }
    return BEAM_OK;
}

static size_t size_of(size_t i)
{
    return i % 5 ? i * 37 : i * (LARGEST / MESSAGES);
}

static void *write_all(void *wire)
{
    uint8_t *bytes = malloc(LARGEST);
    beam_error err = {0};
    assert_non_null(bytes);
    for (size_t i = 0; i < MESSAGES; i++) {
        memset(bytes, (int)i, size_of(i));
        assert_ok(send_bytes(wire, bytes, size_of(i), &err), err);
    }
    free(bytes);
    return NULL;
}

static void read_all(beam_grpc_wire *wire)
{
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    for (size_t i = 0; i < MESSAGES; i++) {
        assert_ok(read_message(wire, &bytes, &open, &err), err);
        assert_true(open);
        assert_int_equal(bytes.len, size_of(i));
        for (size_t at = 0; at < bytes.len; at++)
            if (bytes.data[at] != i)
                fail_msg("message %zu has another's bytes", i);
    }
    beam_buffer_free(&bytes);
}

static void messages_of_any_size(void **state)
{
    beam_grpc_wire *wire = open_wire(&echo);
    pthread_t writer;
    (void)state;
    assert_int_equal(pthread_create(&writer, NULL, write_all, wire), 0);
    read_all(wire);
    pthread_join(writer, NULL);
    beam_grpc_wire_close(wire);
}

static void *write_huge(void *wire)
{
    uint32_t *numbers = malloc(HUGE_MESSAGE);
    beam_error err = {0};
    assert_non_null(numbers);
    for (uint32_t i = 0; i < HUGE_MESSAGE / 4; i++)
        numbers[i] = i;
    assert_ok(send_bytes(wire, (uint8_t *)numbers, HUGE_MESSAGE, &err), err);
    free(numbers);
    return NULL;
}

/* Parts go before the message is all there, and what they lay in is used again: of blocks there are
 * never more than those that hold the bytes that may come unasked. */
static void a_message_larger_than_what_is_kept(void **state)
{
    enum { MOST_NEW = 200 };
    beam_grpc_wire *wire = open_wire(&echo);
    beam_error err = {0};
    pthread_t writer;
    size_t size, parts = 0, at = 0;
    bool open;
    (void)state;
    assert_int_equal(pthread_create(&writer, NULL, write_huge, wire), 0);
    assert_ok(beam_grpc_wire_next(wire, &size, &open, &err), err);
    assert_true(open);
    assert_int_equal(size, HUGE_MESSAGE);
    beam_alloc_fail_at(0, 0);
    uint32_t number, expected = 0;
    assert_ok(beam_grpc_wire_read(wire, &number, sizeof number, &err), err);
    assert_int_equal(number, 0);
    for (at = sizeof number; at < size; parts++) {
        beam_spans part = {0};
        assert_ok(beam_grpc_wire_take(wire, size - at, &part, &err), err);
        assert_true(part.size && part.size <= size - at);
        for (size_t i = 0; i < part.n; at += part.all[i++].len)
            for (size_t k = (4 - at % 4) % 4; k + 4 <= part.all[i].len; k += 4096) {
                memcpy(&number, (const char *)part.all[i].at + k, 4);
                expected = (uint32_t)((at + k) / 4);
                if (number != expected)
                    fail_msg("%u instead of %u", number, expected);
            }
        beam_spans_free(&part);
    }
    assert_true(parts > 10);
    assert_true(beam_alloc_count() < parts + MOST_NEW);
    pthread_join(writer, NULL);
    beam_grpc_wire_close(wire);
}

/* A part may outlive the stream. */
static void parts_are_the_callers(void **state)
{
    beam_grpc_wire *wire = open_wire(&echo);
    beam_spans part = {0};
    beam_error err = {0};
    size_t size;
    bool open;
    (void)state;
    assert_ok(send_bytes(wire, (const uint8_t *)"hello, world", 12, &err), err);
    assert_ok(beam_grpc_wire_next(wire, &size, &open, &err), err);
    assert_fails(beam_grpc_wire_take(wire, 13, &part, &err), BEAM_OUT_OF_RANGE, err, "no such");
    assert_fails(beam_grpc_wire_read(wire, &part, 13, &err), BEAM_OUT_OF_RANGE, err, "no such");
    assert_ok(beam_grpc_wire_take(wire, 5, &part, &err), err);
    beam_grpc_wire_close(wire);
    assert_int_equal(part.size, 5);
    assert_memory_equal(part.all[0].at, "hello", 5);
    beam_spans_free(&part);
}

/* ---- Ends -------------------------------------------------------------------------------------
 */

static void expect_end(const beam_grpc_options *options, beam_status status, const char *words)
{
    beam_grpc_wire *wire = open_wire(options);
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    assert_int_equal(read_message(wire, &bytes, &open, &err), status);
    assert_false(open);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" instead of ...%s...", err.message, words);
    if (send_bytes(wire, (const uint8_t *)"late", 4, &err) == BEAM_OK)
        fail_msg("a message was sent on a stream that had ended");
    beam_grpc_wire_close(wire);
}

static void ends_as_the_server_says(void **state)
{
    (void)state;
    expect_end(&named, BEAM_OK, "");
    expect_end(&refused, BEAM_FAILED_PRECONDITION, "asked to refuse it");
}

/* What came before the end is read before it. */
static void ends_after_what_came(void **state)
{
    beam_grpc_wire *wire = open_wire(&once);
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    (void)state;
    assert_ok(send_bytes(wire, (const uint8_t *)"once", 4, &err), err);
    assert_ok(read_message(wire, &bytes, &open, &err), err);
    assert_true(open);
    assert_memory_equal(bytes.data, "once", 4);
    assert_ok(read_message(wire, &bytes, &open, &err), err);
    assert_false(open);
    beam_buffer_free(&bytes);
    beam_grpc_wire_close(wire);
}

static void *read_until_broken(void *wire)
{
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    assert_fails(read_message(wire, &bytes, &open, &err), BEAM_CANCELLED, err, "asked to take it");
    return NULL;
}

static void *write_until_broken(void *wire)
{
    beam_error err = {0};
    beam_status status = BEAM_OK;
    uint8_t *much = calloc(1, LARGEST);
    assert_non_null(much);
    while (status == BEAM_OK)
        status = send_bytes(wire, much, LARGEST, &err);
    assert_int_equal(status, BEAM_CANCELLED);
    free(much);
    return NULL;
}

static void cancel_ends_both_sides(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        beam_grpc_wire *wire = open_wire(&hold);
        pthread_t reader, writer;
        assert_int_equal(pthread_create(&reader, NULL, read_until_broken, wire), 0);
        assert_int_equal(pthread_create(&writer, NULL, write_until_broken, wire), 0);
        usleep((useconds_t)i * 3000);
        beam_grpc_wire_cancel(wire);
        pthread_join(reader, NULL);
        pthread_join(writer, NULL);
        beam_grpc_wire_close(wire);
    }
}

static void a_wish_to_stop_ends_both_sides(void **state)
{
    beam_grpc_wire *wire = open_wire(&hold);
    pthread_t reader, writer;
    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_until_broken, wire), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_until_broken, wire), 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
    beam_grpc_wire_close(wire);
    __atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
}

/* ---- Servers that say what no server should ---------------------------------------------------
 */

/* Frames of HTTP/2 (RFC 9113) on stream 1, with headers as the table of RFC 7541 numbers them. */
#define FRAME(size, type, flags, stream) "\0\0" size type flags "\0\0\0" stream
#define SETTINGS FRAME("\0", "\4", "\0", "\0")
#define OK_200 FRAME("\1", "\1", "\4", "\1") "\x88"
#define NOT_FOUND_404 FRAME("\1", "\1", "\4", "\1") "\x8d"
#define HTML_200 FRAME("\x0c", "\1", "\4", "\1") "\x88\x0f\x10\x08text/htm" /* content-type: 31 */
#define DATA_OF(size) FRAME(size, "\0", "\0", "\1")
#define RESET FRAME("\4", "\3", "\0", "\1") "\0\0\0\7"
#define GOAWAY FRAME("\x8", "\7", "\0", "\0") "\0\0\0\0\0\0\0\2"
#define TRAILERS                    \
    FRAME("\x2c", "\1", "\5", "\1") \
    "\0\x0bgrpc-status\1"           \
    "5"                             \
    "\0\x0cgrpc-message\x0eno %C3%BC%zz%4"

typedef struct scripted {
    const char *bytes;
    size_t size;
    beam_status status;
    const char *words;
} scripted;

#define SCRIPT(bytes, status, words)           \
    {                                          \
        bytes, sizeof bytes - 1, status, words \
    }
static const scripted scripts[] = {
    SCRIPT("", BEAM_UNAVAILABLE, "closed the connection"),
    SCRIPT("HTTP/1.1 400 Bad Request\r\n\r\n", BEAM_UNAVAILABLE, "does not speak HTTP/2"),
    SCRIPT(SETTINGS, BEAM_UNAVAILABLE, "closed the connection"),
    SCRIPT(SETTINGS OK_200, BEAM_UNAVAILABLE, "closed the connection"),
    SCRIPT(SETTINGS NOT_FOUND_404, BEAM_UNAVAILABLE, "HTTP status 404"),
    SCRIPT(SETTINGS HTML_200, BEAM_UNAVAILABLE, "does not speak gRPC"),
    SCRIPT(SETTINGS OK_200 RESET, BEAM_UNAVAILABLE, "REFUSED_STREAM"),
    SCRIPT(SETTINGS GOAWAY, BEAM_UNAVAILABLE, "REFUSED_STREAM"),
    SCRIPT(SETTINGS OK_200 TRAILERS, BEAM_NOT_FOUND, "asked to take it: no \xc3\xbc%zz%4"),
    SCRIPT(SETTINGS OK_200 DATA_OF("\3") "\0\0\0", BEAM_UNAVAILABLE, "closed the connection"),
    SCRIPT(SETTINGS OK_200 DATA_OF("\7") "\0\0\0\0\5he", BEAM_UNAVAILABLE, "closed the connec"),
    SCRIPT(SETTINGS OK_200 DATA_OF("\7") "\0\0\0\0\5he" TRAILERS, BEAM_NOT_FOUND, "no \xc3\xbc"),
    SCRIPT(SETTINGS OK_200 DATA_OF("\5") "\1\0\0\0\0", BEAM_UNIMPLEMENTED, "compressed"),
};

static int listen_here(char endpoint[32])
{
    uint16_t port;
    int listener = test_listen(1, &port);
    (void)snprintf(endpoint, 32, "127.0.0.1:%d", port);
    return listener;
}

typedef struct script_run {
    const scripted *script;
    int listener;
} script_run;

/* Says it once the client has said something, and takes what comes until the client has gone. */
static void *say_it(void *user)
{
    const script_run *run = user;
    char bytes[4096];
    int fd = accept(run->listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(read(fd, bytes, sizeof bytes) > 0);
    assert_int_equal(write(fd, run->script->bytes, run->script->size), run->script->size);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
    return NULL;
}

static void servers_that_are_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        char endpoint[32];
        script_run run = {&scripts[i], listen_here(endpoint)};
        beam_grpc_wire *wire;
        beam_buffer bytes = {0};
        beam_error err = {0};
        pthread_t thread;
        bool open = true;
        assert_int_equal(pthread_create(&thread, NULL, say_it, &run), 0);
        beam_status status = beam_grpc_wire_open(endpoint, &hold, &wire, &err);
        if (status == BEAM_OK)
            status = read_message(wire, &bytes, &open, &err);
        if (status != run.script->status || !strstr(err.message, run.script->words))
            fail_msg("%zu: %s: \"%s\" instead of %s: ...%s...", i, beam_status_name(status),
                     err.message, beam_status_name(run.script->status), run.script->words);
        beam_grpc_wire_close(wire);
        beam_buffer_free(&bytes);
        pthread_join(thread, NULL);
        close(run.listener);
    }
}

static void endpoints_that_are_none(void **state)
{
    static const char *const none[] = {"", "localhost", ":80", "localhost:", "[]:80"};
    beam_grpc_wire *wire;
    beam_error err = {0};
    char endpoint[32];
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_fails(beam_grpc_wire_open(none[i], &hold, &wire, &err), BEAM_UNAVAILABLE, err,
                     "not host:port");
    assert_fails(beam_grpc_wire_open("no host.invalid:1", &hold, &wire, &err), BEAM_UNAVAILABLE,
                 err, "address is not known");
    close(listen_here(endpoint)); /* where nobody listens any more */
    assert_fails(beam_grpc_wire_open(endpoint, &hold, &wire, &err), BEAM_UNAVAILABLE, err,
                 "Connection refused");
    assert_null(wire);
}

/* Nobody takes the connection. */
static void stops_before_it_is_connected(void **state)
{
    beam_grpc_wire *wire;
    beam_error err = {0};
    char endpoint[32];
    (void)state;
    int listener = listen_here(endpoint);
    stop = 1;
    assert_fails(beam_grpc_wire_open(endpoint, &hold, &wire, &err), BEAM_CANCELLED, err, endpoint);
    stop = 0;
    close(listener);
}

/* ---- Servers that are gone --------------------------------------------------------------------
 */

/* A server that says nothing is asked whether it is there, as often as it says that it is; one that
 * does not say so is given up. */
static void a_server_that_is_gone(void **state)
{
    const beam_keepalive before = beam_wait_keepalive;
    enum { ANSWERS = 2 };
    (void)state;
    beam_wait_keepalive = (beam_keepalive){.quiet_ms = 100, .patience_ms = 2000};
    for (int answers = 0; answers <= ANSWERS; answers += ANSWERS) {
        ping_peer peer;
        beam_grpc_wire *wire;
        beam_buffer bytes = {0};
        beam_error err = {0};
        bool open;
        ping_peer_start(&peer, answers);
        assert_ok(beam_grpc_wire_open(peer.endpoint, &hold, &wire, &err), err);
        assert_fails(read_message(wire, &bytes, &open, &err), BEAM_UNAVAILABLE, err,
                     "it gives no sign of life");
        assert_false(open);
        beam_grpc_wire_close(wire);
        ping_peer_stop(&peer);
        assert_int_equal(peer.asked, answers + 1);
    }
    beam_wait_keepalive = before;
}

/* ---- What fails -------------------------------------------------------------------------------
 */

/* Two messages there and back: well, or an error in words, and nothing hangs. */
static beam_status there_and_back(beam_error *err)
{
    static uint8_t much[LARGEST];
    beam_grpc_wire *wire;
    beam_buffer bytes = {0};
    bool open = false;
    beam_status status = beam_grpc_wire_open(server.endpoint, &echo, &wire, err);
    for (int i = 0; i < 2 && status == BEAM_OK; i++) {
        memset(much, i + 1, sizeof much);
        status = send_bytes(wire, much, sizeof much, err);
        if (status == BEAM_OK)
            status = read_message(wire, &bytes, &open, err);
        if (status == BEAM_OK && open) {
            assert_int_equal(bytes.len, sizeof much);
            assert_memory_equal(bytes.data, much, sizeof much);
        } else if (status == BEAM_OK) {
            status = beam_error_set(err, BEAM_ABORTED, "it ended");
        }
    }
    beam_buffer_free(&bytes);
    beam_grpc_wire_close(wire);
    return status;
}

static void expect_words(beam_status status, const beam_error *err, int64_t begun)
{
    assert_int_equal(status == BEAM_OK, *err->message == '\0');
    assert_true(beam_clock_ms() - begun < SOON_MS);
}

static void each_call_of_the_system_fails(void **state)
{
    unsigned n = 1, bad = 0;
    (void)state;
    for (; n < TOO_MANY; n++) {
        beam_error err = {0};
        int64_t begun = beam_clock_ms();
        failed = NULL;
        __atomic_store_n(&calls, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&fail_at, n, __ATOMIC_RELAXED);
        beam_status status = there_and_back(&err);
        __atomic_store_n(&fail_at, 0, __ATOMIC_RELAXED);
        expect_words(status, &err, begun);
        bad += status != BEAM_OK;
        if (!failed)
            break;
        if (strcmp(failed, "poll") != 0) /* that one was interrupted, no more */
            assert_int_not_equal(status, BEAM_OK);
    }
    assert_true(n < TOO_MANY && bad > 5);
}

static void each_allocation_fails(void **state)
{
    uint64_t n = 1, bad = 0;
    (void)state;
    for (; n < TOO_MANY; n++) {
        beam_error err = {0};
        int64_t begun = beam_clock_ms();
        beam_alloc_fail_at(n, 0);
        beam_status status = there_and_back(&err);
        bool over = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        expect_words(status, &err, begun);
        bad += status != BEAM_OK;
        if (over)
            break;
    }
    assert_true(n < TOO_MANY && bad > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_any_size),
        cmocka_unit_test(a_message_larger_than_what_is_kept),
        cmocka_unit_test(parts_are_the_callers),
        cmocka_unit_test(ends_as_the_server_says),
        cmocka_unit_test(ends_after_what_came),
        cmocka_unit_test(cancel_ends_both_sides),
        cmocka_unit_test(a_wish_to_stop_ends_both_sides),
        cmocka_unit_test(servers_that_are_none),
        cmocka_unit_test(endpoints_that_are_none),
        cmocka_unit_test(stops_before_it_is_connected),
        cmocka_unit_test(a_server_that_is_gone),
        cmocka_unit_test(each_call_of_the_system_fails),
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
