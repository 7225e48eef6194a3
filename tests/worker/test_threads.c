/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The threads of a worker: as many as wait for one another, and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "worker/threads.h"

typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t there, expected, left;
} meeting;

typedef struct visitor {
    beam_task base;
    meeting *meeting;
} visitor;

/* Goes on when all have come. */
static void meet(beam_task *task)
{
    meeting *m = ((visitor *)task)->meeting;
    pthread_mutex_lock(&m->lock);
    m->there++;
    pthread_cond_broadcast(&m->changed);
    while (m->there < m->expected)
        pthread_cond_wait(&m->changed, &m->lock);
    m->left++;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static void run_meeting(beam_threads *pool, size_t n)
{
    static visitor visitors[BEAM_THREADS_MOST];
    meeting m = {.expected = n};
    assert_int_equal(pthread_mutex_init(&m.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&m.changed, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        visitors[i] = (visitor){{NULL, meet}, &m};
        assert_int_equal(beam_threads_run(pool, &visitors[i].base, NULL), BEAM_OK);
    }
    pthread_mutex_lock(&m.lock);
    while (m.left < n)
        pthread_cond_wait(&m.changed, &m.lock);
    pthread_mutex_unlock(&m.lock);
    pthread_cond_destroy(&m.changed);
    pthread_mutex_destroy(&m.lock);
}

/* Until all threads have nothing to do, and there are as many as stay. */
static void wait_for_idle(beam_threads *pool)
{
    bool idle = false;
    for (int i = 0; i < 60000 && !idle; i++) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        pthread_mutex_lock(&pool->lock);
        idle = pool->idle == pool->threads && pool->threads <= BEAM_THREADS_IDLE;
        pthread_mutex_unlock(&pool->lock);
    }
    assert_true(idle);
}

/* Tasks of which each waits for all others do not wait for a thread. */
static void all_wait_for_all(void **state)
{
    (void)state;
    beam_threads pool;
    assert_int_equal(beam_threads_open(&pool, NULL), BEAM_OK);
    run_meeting(&pool, 300);
    wait_for_idle(&pool); /* the others end */
    beam_threads_close(&pool);
}

static void threads_are_used_again(void **state)
{
    (void)state;
    beam_threads pool;
    size_t threads, begun;
    assert_int_equal(beam_threads_open(&pool, NULL), BEAM_OK);
    for (int i = 0; i < 100; i++) {
        run_meeting(&pool, 4);
        wait_for_idle(&pool);
    }
    beam_threads_count(&pool, &threads, &begun);
    assert_int_equal(threads, 4);
    assert_int_equal(begun, 4);
    beam_threads_close(&pool);
}

/* One too many is refused, whatever the others wait for. */
static void too_many(void **state)
{
    (void)state;
    beam_threads pool;
    beam_error err = {0};
    visitor more = {{NULL, meet}, NULL};
    assert_int_equal(beam_threads_open(&pool, NULL), BEAM_OK);
    pool.threads = BEAM_THREADS_MOST; /* as if they were busy */
    assert_int_equal(beam_threads_run(&pool, &more.base, &err), BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "at once, and no more"));
    pool.threads = 0;
    run_meeting(&pool, 2);
    beam_threads_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_wait_for_all),
                                       cmocka_unit_test(threads_are_used_again),
                                       cmocka_unit_test(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
