/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Jobs that are cancelled while Dataflow does not answer.  Where a test waits for something, it
 * would be asked something else if the wish to cancel waited for the service. */
#include "support/files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "submit/dataflow.h"
#include "support/server.h"

#define JOB "/v1b3/projects/p/locations/r/jobs"
#define CANCELLED "{\"id\": \"j\", \"currentState\": \"JOB_STATE_CANCELLED\"}"

enum { HOLD = 1 }; /* the connection stays, without an answer */

/* What comes next, and what is said to it. */
typedef struct exchange {
    const char *begin, *answer; /* NULL: the connection is closed */
    int hold;
    bool cancels; /* the wish to cancel comes now */
} exchange;

typedef struct service {
    int listener, held;
    char endpoint[40];
    int cancel;
    const exchange *exchanges;
    size_t n;
    pthread_t thread;
    beam_dataflow_options options;
    beam_dataflow_client client;
} service;

/* A request's head and body. */
static void read_request(int fd, char *text, size_t size)
{
    size_t len = 0, wanted = SIZE_MAX;
    while (len < wanted && len + 1 < size) {
        ssize_t got = recv(fd, text + len, size - 1 - len, 0);
        assert_true(got > 0);
        text[len += (size_t)got] = '\0';
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        if (body)
            wanted = (size_t)(body + 4 - text) + (length ? (size_t)atoi(length + 16) : 0);
    }
}

static void *serve(void *user)
{
    service *s = user;
    for (size_t i = 0; i < s->n; i++) {
        const exchange *x = &s->exchanges[i];
        char text[4096];
        int fd = accept(s->listener, NULL, NULL);
        assert_true(fd >= 0);
        read_request(fd, text, sizeof text);
        if (strncmp(text, x->begin, strlen(x->begin)) != 0)
            fail_msg("%s came instead of %s", text, x->begin);
        if (x->cancels)
            __atomic_store_n(&s->cancel, 1, __ATOMIC_RELAXED);
        if (x->answer)
            (void)dprintf(fd,
                          "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                          strlen(x->answer), x->answer);
        if (x->hold)
            s->held = fd;
        else
            close(fd);
    }
    return NULL;
}

static void start(service *s, const exchange *exchanges, size_t n)
{
    uint16_t port;
    *s = (service){.exchanges = exchanges, .n = n, .held = -1};
    s->listener = test_listen(4, &port);
    (void)snprintf(s->endpoint, sizeof s->endpoint, "http://127.0.0.1:%d", port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    s->options = (beam_dataflow_options){
        .project = "p", .region = "r", .endpoint = s->endpoint, .no_auth = true};
    beam_error err = {0};
    assert_ok(beam_dataflow_client_open(&s->options, &s->client, &err), err);
    s->client.cancel = &s->cancel;
    s->client.first_ms = 20000; /* a second try comes ten seconds later at the soonest */
}

static void end(service *s)
{
    pthread_join(s->thread, NULL);
    beam_dataflow_client_close(&s->client);
    close(s->listener);
    if (s->held >= 0)
        close(s->held);
}

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};

static beam_status follow(service *s, beam_error *err)
{
    const beam_dataflow_watch watch = {.logger = &quiet, .cancel = &s->cancel};
    beam_dataflow_job job = {.id = "j", .state = BEAM_DATAFLOW_RUNNING};
    return beam_dataflow_follow(&s->client, &job, &watch, err);
}

/* The service drops the first question, or holds it: what it hears next is that the job is to end.
 */
static void cancelled_meanwhile(void **state)
{
    const exchange exchanges[] = {{"GET " JOB "/j ", NULL, 0, true},
                                  {"PUT " JOB "/j ", CANCELLED, 0, false},
                                  {"GET " JOB "/j ", CANCELLED, 0, false},
                                  {"GET " JOB "/j/messages", "{}", 0, false}};
    (void)state;
    for (int hold = 0; hold <= HOLD; hold++) {
        exchange all[4];
        service s;
        beam_error err = {0};
        memcpy(all, exchanges, sizeof all);
        all[0].hold = hold;
        start(&s, all, 4);
        assert_fails(follow(&s, &err), BEAM_CANCELLED, err, "the job was cancelled");
        end(&s);
    }
}

/* Who cannot be told is left. */
static void cannot_be_told(void **state)
{
    const exchange drops[] = {{"GET " JOB "/j ", NULL, 0, true},
                              {"PUT " JOB "/j ", NULL, 0, false}};
    service s;
    beam_error err = {0};
    (void)state;
    start(&s, drops, 2);
    s.client.deadline_ms = 1;
    assert_fails(follow(&s, &err), BEAM_CANCELLED, err, "the job may go on");
    assert_non_null(strstr(err.message, "/jobs/r/j?project=p"));
    end(&s);
}

/* A request that may begin a job is not broken off, but not made again either. */
static void cancelled_at_the_beginning(void **state)
{
    const exchange drops[] = {{"POST " JOB " ", NULL, 0, true}};
    service s;
    beam_error err = {0};
    beam_dataflow_job job;
    (void)state;
    start(&s, drops, 1);
    json_t *request = json_pack("{s:s}", "clientRequestId", "x");
    assert_fails(beam_dataflow_create(&s.client, request, &job, &err), BEAM_CANCELLED, err,
                 "may have begun");
    json_decref(request);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cancelled_meanwhile),
                                       cmocka_unit_test(cannot_be_told),
                                       cmocka_unit_test(cancelled_at_the_beginning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
