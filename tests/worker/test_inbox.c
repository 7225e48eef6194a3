/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Where the data of bundles wait: in order, within their memory, and not in each other's way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "worker/inbox.h"

enum { PIECE = 1 << 20, PIECES = 3 * (BEAM_INBOX_MEMORY / PIECE) };

static uint8_t byte_of(size_t number)
{
    return (uint8_t)(number * 131 + 7);
}

/* Two streams that bring data. */
enum { FEED = 1, OTHER_FEED = 2 };

/* The piece's number tells its transform, size and bytes. */
static void put_from(beam_inboxes *all, beam_inbox_feed feed, const char *instruction,
                     size_t number, bool last)
{
    char transform[32];
    snprintf(transform, sizeof transform, "t%zu", number);
    beam_chunk *chunk = beam_calloc(1, sizeof *chunk);
    assert_non_null(chunk);
    void *bytes;
    assert_int_equal(beam_spans_new(PIECE - number, &chunk->bytes, &bytes), BEAM_OK);
    chunk->transform = beam_strdup(transform);
    chunk->is_last = last;
    assert_non_null(chunk->transform);
    memset(bytes, byte_of(number), PIECE - number);
    assert_int_equal(beam_inbox_put(all, feed, instruction, chunk, NULL), BEAM_OK);
}

static void put(beam_inboxes *all, const char *instruction, size_t number, bool last)
{
    put_from(all, FEED, instruction, number, last);
}

static void take(beam_inbox *inbox, size_t number, bool last)
{
    char transform[32];
    beam_chunk *chunk = NULL;
    snprintf(transform, sizeof transform, "t%zu", number);
    assert_int_equal(beam_inbox_take(inbox, &chunk, NULL), BEAM_OK);
    assert_string_equal(chunk->transform, transform);
    assert_int_equal(chunk->bytes.size, PIECE - number);
    assert_int_equal(chunk->is_last, last);
    const uint8_t *bytes = chunk->bytes.all[0].at;
    assert_int_equal(bytes[0], byte_of(number));
    assert_int_equal(bytes[PIECE - number - 1], byte_of(number));
    beam_chunk_free(chunk);
}

static int begin(void **state)
{
    beam_inboxes *all = malloc(sizeof *all);
    assert_non_null(all);
    assert_int_equal(beam_inboxes_open(all, NULL), BEAM_OK);
    *state = all;
    return 0;
}

static int end(void **state)
{
    beam_inboxes_close(*state);
    free(*state);
    return 0;
}

/* One whose bundle has not come yet fills up; another's bundle gets its data all the same. */
static void not_begun(void **state)
{
    beam_inboxes *all = *state;
    for (size_t i = 0; i < PIECES; i++)
        put(all, "later", i, i + 1 == PIECES);
    assert_true(all->held < BEAM_INBOX_MEMORY + 2 * PIECE);
    assert_true(all->spilled > BEAM_INBOX_MEMORY);
    beam_inbox *other = beam_inbox_open(all, "other");
    put(all, "other", 5, true);
    take(other, 5, true);
    beam_inbox_close(other);
    beam_inbox *inbox = beam_inbox_open(all, "later");
    for (size_t i = 0; i < PIECES; i++)
        take(inbox, i, i + 1 == PIECES);
    put(all, "later", 9, false); /* in memory again */
    assert_int_equal(all->held, PIECE - 9 + 128);
    take(inbox, 9, false);
    beam_inbox_close(inbox);
    assert_int_equal(all->held, 0);
    put(all, "later", 1, true); /* nobody's any more */
    assert_int_equal(all->held, 0);
}

/* Its bundle has begun and takes nothing: the stream waits a second, once. */
static void stuck(void **state)
{
    beam_inboxes *all = *state;
    beam_inbox *inbox = beam_inbox_open(all, "stuck");
    for (size_t i = 0; i < PIECES; i++)
        put(all, "stuck", i, false);
    assert_true(all->held < BEAM_INBOX_MEMORY + 2 * PIECE);
    for (size_t i = 0; i < PIECES; i++)
        take(inbox, i, false);
    beam_inbox_close(inbox);
}

static void *put_all(void *user)
{
    for (size_t i = 0; i < 2 * PIECES; i++)
        put(user, "flows", i, i + 1 == 2 * PIECES);
    return NULL;
}

/* A bundle that goes on is waited for, within the memory. */
static void flows(void **state)
{
    beam_inboxes *all = *state;
    pthread_t writer;
    beam_inbox *inbox = beam_inbox_open(all, "flows");
    assert_int_equal(pthread_create(&writer, NULL, put_all, all), 0);
    for (size_t i = 0; i < 2 * PIECES; i++)
        take(inbox, i, i + 1 == 2 * PIECES);
    pthread_join(writer, NULL);
    beam_inbox_close(inbox);
    assert_int_equal(all->held, 0);
}

/* What finds no place fails its own bundle. */
static void no_room(void **state)
{
    beam_inboxes *all = *state;
    char *before = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    beam_error err = {0};
    beam_chunk *chunk = NULL;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    for (size_t i = 0; i < PIECES; i++)
        put(all, "lost", i, false);
    beam_inbox *inbox = beam_inbox_open(all, "lost"), *other = beam_inbox_open(all, "other");
    while (beam_inbox_take(inbox, &chunk, &err) == BEAM_OK)
        beam_chunk_free(chunk);
    assert_non_null(strstr(err.message, "/nowhere/at/all"));
    put(all, "other", 1, true);
    take(other, 1, true);
    beam_inbox_close(inbox);
    beam_inbox_close(other);
    if (before)
        setenv("TMPDIR", before, 1);
    else
        unsetenv("TMPDIR");
    free(before);
}

static const beam_error why = {BEAM_ABORTED, "the engine is gone"};

static void expect_broken(beam_inbox *inbox)
{
    beam_error err = {0};
    beam_chunk *chunk = NULL;
    assert_int_equal(beam_inbox_take(inbox, &chunk, &err), BEAM_ABORTED);
    assert_string_equal(err.message, "the engine is gone");
    beam_inbox_close(inbox);
}

/* What has come is still read when the stream has ended, and then that it has. */
static void broken(void **state)
{
    beam_inboxes *all = *state;
    beam_inbox *inbox = beam_inbox_open(all, "half");
    put(all, "half", 3, false);
    beam_inboxes_break(all, BEAM_INBOX_ALL_FEEDS, &why);
    take(inbox, 3, false);
    expect_broken(inbox);
    expect_broken(beam_inbox_open(all, "next"));
}

/* Those fail that read the feed, whether it has brought them something or not; what came for those
 * that have not begun makes room.  Others, and those that come later, do not. */
static void one_feed_breaks(void **state)
{
    beam_inboxes *all = *state;
    beam_inbox *waits = beam_inbox_open(all, "waits"), *other = beam_inbox_open(all, "other");
    beam_inbox_read(waits, FEED);
    beam_inbox_read(other, OTHER_FEED);
    for (size_t i = 0; i < PIECES; i++)
        put(all, "early", i, false);
    assert_true(all->held > 0);
    beam_inboxes_break(all, FEED, &why);
    assert_int_equal(all->held, 0);
    expect_broken(waits);
    expect_broken(beam_inbox_open(all, "early"));
    put_from(all, OTHER_FEED, "other", 1, true);
    take(other, 1, true);
    beam_inbox_close(other);
    beam_inbox *next = beam_inbox_open(all, "next");
    put(all, "next", 2, true);
    take(next, 2, true);
    beam_inbox_close(next);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(not_begun), TEST(stuck),  TEST(flows),
                                       TEST(no_room),   TEST(broken), TEST(one_feed_breaks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
