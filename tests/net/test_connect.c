/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Connections to hosts whose addresses are long in coming, or do not come. */
#include "support/files.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/connect.h"
#include "support/server.h"

/* ---- A name server that answers when a test lets it ---------------------------------------- */

static sem_t asked, may_answer, answered;

int getaddrinfo(const char *restrict host, const char *restrict port,
                const struct addrinfo *restrict wanted, struct addrinfo **restrict all)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (wanted->ai_flags & AI_NUMERICHOST)
        return real(host, port, wanted, all);
    sem_post(&asked);
    sem_wait(&may_answer);
    int number = strcmp(host, "here") == 0 ? real("127.0.0.1", port, wanted, all) : EAI_AGAIN;
    sem_post(&answered);
    return number;
}

static int start(void **state)
{
    (void)state;
    return sem_init(&asked, 0, 0) | sem_init(&may_answer, 0, 0) | sem_init(&answered, 0, 0);
}

/* ---- Who connects -------------------------------------------------------------------------- */

typedef struct attempt {
    const char *endpoint;
    int stop, fd;
    beam_status status;
    beam_error err;
} attempt;

static void *run(void *user)
{
    attempt *a = user;
    a->status = beam_connect(a->endpoint, &a->stop, &a->fd, &a->err);
    return NULL;
}

static void begin(attempt *a, pthread_t *thread)
{
    assert_int_equal(pthread_create(thread, NULL, run, a), 0);
    sem_wait(&asked);
}

/* What comes when nobody wants it any more is nobody's. */
static void stops_while_the_name_is_looked_up(void **state)
{
    static const char *const endpoints[] = {"nowhere:1", "here:1"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        attempt a = {.endpoint = endpoints[i]};
        pthread_t thread;
        begin(&a, &thread);
        __atomic_store_n(&a.stop, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        assert_int_equal(a.status, BEAM_CANCELLED);
        assert_int_equal(a.fd, -1);
        sem_post(&may_answer);
        sem_wait(&answered);
    }
}

static void a_name_that_is_none(void **state)
{
    attempt a = {.endpoint = "nowhere:1"};
    pthread_t thread;
    (void)state;
    begin(&a, &thread);
    sem_post(&may_answer);
    pthread_join(thread, NULL);
    sem_wait(&answered);
    assert_int_equal(a.status, BEAM_UNAVAILABLE);
    assert_non_null(strstr(a.err.message, "its address is not known: "));
}

static void a_name_and_an_address(void **state)
{
    static const char *const hosts[] = {"here", "127.0.0.1"};
    uint16_t port;
    int listener = test_listen(2, &port);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char endpoint[32];
        attempt a = {.endpoint = endpoint};
        (void)snprintf(endpoint, sizeof endpoint, "%s:%d", hosts[i], port);
        sem_post(&may_answer);
        (void)run(&a);
        assert_ok(a.status, a.err);
        close(a.fd);
    }
    sem_wait(&answered);
    assert_int_equal(sem_trywait(&answered), -1); /* an address is not looked up */
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stops_while_the_name_is_looked_up),
                                       cmocka_unit_test(a_name_that_is_none),
                                       cmocka_unit_test(a_name_and_an_address)};
    return cmocka_run_group_tests(tests, start, NULL);
}
