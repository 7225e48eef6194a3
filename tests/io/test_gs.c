/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs:// against a Cloud Storage in memory: what is read is what was written, whatever goes wrong
 * between, and nothing is seen half.  With BEAM_LONG set a gigabyte goes both ways. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "io/gcs_server.h"
#include "io/gs.h"
#include "io/stream.h"
#include "support/files.h"

enum { SIZE = 3000017 };
static uint8_t *bytes; /* SIZE of them */

static int start(void **state)
{
    (void)state;
    bytes = malloc(SIZE);
    uint32_t seed = 1;
    for (int i = 0; bytes && i < SIZE; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    beam_gs_settings_now = (beam_gs_settings){
        .part = 256 << 10, .range = 64 << 10, .first_ms = 1, .deadline_ms = 60 * 1000};
    unsetenv("GOOGLE_CLOUD_QUOTA_PROJECT");
    if (!gcs_start())
        exit(77);
    return bytes ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    gcs_stop();
    free(bytes);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    gcs_reset();
    return 0;
}

static beam_status put(const char *path, size_t size, beam_error *err)
{
    beam_writer *writer;
    BEAM_TRY(beam_fs_create(path, false, &writer, err));
    for (size_t at = 0; at < size;) {
        size_t n = size - at < 99991 ? size - at : 99991;
        beam_status status = beam_writer_write(writer, bytes + at, n, err);
        if (status != BEAM_OK) {
            beam_writer_abandon(writer);
            return status;
        }
        at += n;
    }
    return beam_writer_commit(writer, err);
}

/* Whether the object holds the first `size` of `bytes`, read as a stream. */
static beam_status compare(const char *path, size_t size, beam_error *err)
{
    beam_stream *stream;
    uint8_t part[10007];
    size_t at = 0, got;
    BEAM_TRY(beam_stream_open(beam_str_of(path), BEAM_COMPRESSION_NONE, &stream, err));
    beam_status status;
    do {
        status = beam_stream_read(stream, part, sizeof part, &got, err);
        if (status == BEAM_OK && (at + got > size || memcmp(part, bytes + at, got) != 0))
            status = beam_error_set(err, BEAM_INTERNAL, "%s differs after %zu", path, at);
        at += got;
    } while (status == BEAM_OK && got);
    beam_stream_close(stream);
    if (status == BEAM_OK && at != size)
        status = beam_error_set(err, BEAM_INTERNAL, "%s has %zu bytes", path, at);
    return status;
}

static beam_status view(const char *path, size_t size, beam_error *err)
{
    beam_file_view whole;
    BEAM_TRY(beam_fs_view(path, &whole, err));
    beam_status status = BEAM_OK;
    if (whole.size != size || memcmp(whole.data, bytes, size) != 0)
        status = beam_error_set(err, BEAM_INTERNAL, "%s differs", path);
    beam_file_view_close(&whole);
    return status;
}

static void set(const char *control)
{
    json_decref(gcs_control(control));
}

/* ---- Without faults -------------------------------------------------------------------------- */

static void what_is_written_is_read(void **state)
{
    static const size_t sizes[] = {0, 1, 65536, 262143, 262144, 262145, 600000, SIZE};
    beam_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_ok(put("gs://bucket/a/b c?#%é/data", sizes[i], &err), err);
        assert_int_equal(gcs_objects(), 1); /* no part is left */
        assert_ok(compare("gs://bucket/a/b c?#%é/data", sizes[i], &err), err);
        assert_ok(view("gs://bucket/a/b c?#%é/data", sizes[i], &err), err);
    }
}

static void more_parts_than_are_composed_at_once(void **state)
{
    beam_writer *writer;
    beam_error err = {0};
    (void)state;
    assert_ok(beam_fs_create("gs://bucket/large", false, &writer, &err), err);
    for (int i = 0; i < 6; i++) /* 18 MB, 69 parts */
        assert_ok(beam_writer_write(writer, bytes, SIZE, &err), err);
    json_t *now = gcs_control("{}"), *name;
    size_t i;
    json_array_foreach(json_object_get(now, "objects"), i, name)
    {
        assert_non_null(strstr(json_string_value(name), "bucket/.beam-parts-"));
    }
    json_decref(now);
    assert_ok(beam_writer_commit(writer, &err), err);
    assert_int_equal(gcs_objects(), 1);
    beam_file *file;
    assert_ok(beam_fs_open(beam_str_of("gs://bucket/large"), &file, &err), err);
    assert_int_equal(beam_fs_size(file), 6 * (int64_t)SIZE);
    for (int64_t k = 5; k >= 0; k--) { /* anywhere, in any order */
        uint8_t part[1000];
        size_t got;
        assert_ok(beam_fs_read(file, part, sizeof part, k * SIZE + 77, &got, &err), err);
        assert_int_equal(got, sizeof part);
        assert_memory_equal(part, bytes + 77, sizeof part);
    }
    beam_fs_close(file);
}

static void an_abandoned_file_leaves_nothing(void **state)
{
    beam_writer *writer;
    beam_error err = {0};
    (void)state;
    assert_ok(beam_fs_create("gs://bucket/none", false, &writer, &err), err);
    assert_ok(beam_writer_write(writer, bytes, SIZE, &err), err);
    assert_true(gcs_objects() > 5);
    beam_writer_abandon(writer);
    assert_int_equal(gcs_objects(), 0);
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern;
        size_t n;
        const char *first;
    } cases[] = {
        {"gs://bucket/dir/file-0*", 10, "gs://bucket/dir/file-00.txt"},
        {"gs://bucket/dir/*", 20, "gs://bucket/dir/file-00.txt"},
        {"gs://bucket/dir/file-1[0-4].txt", 5, "gs://bucket/dir/file-10.txt"},
        {"gs://bucket/dir/file-{03,1?,07}.txt", 12, "gs://bucket/dir/file-03.txt"},
        {"gs://bucket/dir/file-{0{1,2},19}.*", 3, "gs://bucket/dir/file-01.txt"},
        {"gs://bucket/dir/file-{*9,09,0?}.txt", 11, "gs://bucket/dir/file-00.txt"},
        {"gs://bucket/*", 0, NULL},
        {"gs://bucket/*/*.txt", 20, "gs://bucket/dir/file-00.txt"},
        {"gs://bucket/**", 22, "gs://bucket/dir/.hidden"},
        {"gs://bucket/**.txt", 21, "gs://bucket/dir/deep/er.txt"},
        {"gs://bucket/*/**/er.*", 1, "gs://bucket/dir/deep/er.txt"},
        {"gs://bucket/d*/*.txt", 20, "gs://bucket/dir/file-00.txt"},
        {"gs://bucket/d*r.txt**", 0, NULL},
        {"gs://bucket/dir/file-07.txt", 1, "gs://bucket/dir/file-07.txt"},
        {"gs://bucket/dir/none", 0, NULL},
    };
    char path[64];
    beam_error err = {0};
    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "gs://bucket/dir/file-%02d.txt", i);
        assert_ok(beam_fs_write(path, "text", (size_t)i % 4, &err), err);
    }
    assert_ok(beam_fs_write("gs://bucket/dir/deep/er.txt", "", 0, &err), err);
    assert_ok(beam_fs_write("gs://bucket/dir/.hidden", "", 0, &err), err);
    assert_ok(beam_fs_write("gs://bucket/directory/", "", 0, &err) == BEAM_INVALID_ARGUMENT
                  ? BEAM_OK
                  : BEAM_INTERNAL,
              err);
    set("{\"page\": 3}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_arena arena = {0};
        beam_file_entry *entries;
        size_t n;
        assert_ok(beam_fs_match(cases[i].pattern, &arena, &entries, &n, &err), err);
        if (n != cases[i].n || (n && strcmp(entries[0].path, cases[i].first) != 0))
            fail_msg("%s: %zu, %s", cases[i].pattern, n, n ? entries[0].path : "");
        for (size_t k = 1; k < n; k++)
            assert_true(strcmp(entries[k - 1].path, entries[k].path) < 0);
        if (n)
            assert_true(entries[0].last_modified == 1769860800123);
        beam_arena_free(&arena);
    }
}

static void names_are_moved_and_removed(void **state)
{
    bool exists;
    beam_error err = {0};
    (void)state;
    set("{\"rewrite_steps\": 4}");
    assert_ok(put("gs://bucket/.temp/1", 1000, &err), err);
    assert_ok(put("gs://bucket/out", 5, &err), err);
    assert_ok(beam_fs_rename("gs://bucket/.temp/1", "gs://bucket/out", &err), err);
    assert_ok(compare("gs://bucket/out", 1000, &err), err);
    assert_ok(beam_fs_exists("gs://bucket/.temp/1", &exists, &err), err);
    assert_false(exists);
    assert_fails(beam_fs_rename("gs://bucket/.temp/1", "gs://bucket/out", &err), BEAM_NOT_FOUND,
                 err, "gs://bucket/.temp/1");
    assert_ok(put("gs://bucket/.temp/2", 1000, &err), err);
    assert_ok(put("gs://bucket/.temp/3", 1000, &err), err);
    assert_ok(beam_fs_remove_folder("gs://bucket/.temp", &err), err);
    assert_ok(beam_fs_remove("gs://bucket/none", &err), err);
    assert_int_equal(gcs_objects(), 1);
    assert_fails(beam_fs_remove_folder("gs://bucket", &err), BEAM_INVALID_ARGUMENT, err, "folder");
}

/* ---- With faults ----------------------------------------------------------------------------- */

static void each_fault_alone(void **state)
{
    static const char *const faults[] = {"error", "after", "reset", "truncate", "slow"};
    beam_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char control[96];
        gcs_reset();
        snprintf(control, sizeof control, "{\"rate\": 0.3, \"page\": 2, \"faults\": [\"%s\"]}",
                 faults[i]);
        set(control);
        print_message("%s\n", faults[i]);
        assert_ok(put("gs://bucket/.temp", 700000, &err), err);
        assert_ok(put("gs://bucket/out", 300000, &err), err);
        assert_ok(beam_fs_rename("gs://bucket/.temp", "gs://bucket/out", &err), err);
        assert_ok(compare("gs://bucket/out", 700000, &err), err);
        assert_ok(view("gs://bucket/out", 700000, &err), err);
        beam_arena arena = {0};
        beam_file_entry *entries;
        size_t n;
        assert_ok(beam_fs_match("gs://bucket/**", &arena, &entries, &n, &err), err);
        beam_arena_free(&arena);
        assert_int_equal(n, 1);
    }
}

static void a_service_that_stays_away(void **state)
{
    beam_error err = {0};
    (void)state;
    assert_ok(put("gs://bucket/there", 10, &err), err);
    set("{\"rate\": 1, \"faults\": [\"error\"]}");
    beam_gs_settings_now.deadline_ms = 100;
    beam_status written = put("gs://bucket/new", 10, &err);
    beam_gs_settings_now.deadline_ms = 60 * 1000;
    assert_int_equal(written, BEAM_UNAVAILABLE);
    assert_non_null(strstr(err.message, "so it goes"));
    assert_int_equal(gcs_objects(), 1);
}

static int stopped;

static void *stop_soon(void *unused)
{
    (void)unused;
    while (gcs_count("fault error") == 0)
        (void)usleep(5000);
    __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Nobody waits for the second try, which comes half a minute later. */
static void a_thread_that_is_told_to_stop(void **state)
{
    beam_error err = {0};
    pthread_t thread;
    (void)state;
    set("{\"rate\": 1, \"faults\": [\"error\"]}");
    beam_gs_settings_now.first_ms = 60 * 1000;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    assert_null(beam_fs_stop(&stopped));
    int64_t began = beam_clock_ms();
    assert_int_equal(beam_fs_write("gs://bucket/new", bytes, 10, &err), BEAM_CANCELLED);
    assert_int_equal(beam_fs_copy_local("/proc/version", "gs://bucket/new", &err), BEAM_CANCELLED);
    assert_true(beam_clock_ms() - began < 10000);
    assert_ptr_equal(beam_fs_stop(NULL), &stopped);
    assert_int_equal(pthread_join(thread, NULL), 0);
    beam_gs_settings_now.first_ms = 1;
    assert_int_equal(gcs_objects(), 0);
}

static void damage_is_found(void **state)
{
    beam_error err = {0};
    (void)state;
    assert_ok(put("gs://bucket/file", 700000, &err), err);
    set("{\"rate\": 1, \"faults\": [\"corrupt\"]}");
    assert_fails(compare("gs://bucket/file", 700000, &err), BEAM_INTERNAL, err, "differs");
    assert_fails(view("gs://bucket/file", 700000, &err), BEAM_DATA_LOSS, err, "CRC-32C");
    beam_gs_settings_now.deadline_ms = 100;
    beam_status written = put("gs://bucket/new", 200000, &err);
    beam_gs_settings_now.deadline_ms = 60 * 1000;
    assert_int_equal(written, BEAM_DATA_LOSS);
    assert_int_equal(gcs_objects(), 1);
    set("{\"rate\": 0.4}"); /* some bytes come whole, some do not: what is kept is what was sent */
    assert_ok(put("gs://bucket/new", SIZE, &err), err);
    set("{\"rate\": 0}");
    assert_ok(compare("gs://bucket/new", SIZE, &err), err);
    set("{\"wrong_crc\": true}");
    assert_int_equal(beam_fs_write("gs://bucket/third", "abc", 3, &err), BEAM_DATA_LOSS);
    assert_fails(view("gs://bucket/new", SIZE, &err), BEAM_DATA_LOSS, err, "damaged");
    beam_file *file;
    uint8_t *all = malloc(SIZE);
    size_t got;
    assert_ok(beam_fs_open(beam_str_of("gs://bucket/new"), &file, &err), err);
    assert_fails(beam_fs_read(file, all, SIZE, 0, &got, &err), BEAM_DATA_LOSS, err, "damaged");
    beam_fs_close(file);
    free(all);
    assert_int_equal(gcs_objects(), 2);
}

static void a_reader_sees_one_generation(void **state)
{
    beam_file *file;
    uint8_t part[16];
    size_t got;
    beam_error err = {0};
    (void)state;
    assert_ok(put("gs://bucket/file", SIZE, &err), err);
    assert_ok(beam_fs_open(beam_str_of("gs://bucket/file"), &file, &err), err);
    assert_ok(put("gs://bucket/file", 500000, &err), err);
    assert_fails(beam_fs_read(file, part, sizeof part, 9, &got, &err), BEAM_NOT_FOUND, err,
                 "gs://bucket/file");
    beam_fs_close(file);
}

/* Whoever reads a file in ranges opens it more than once. */
static void a_replaced_file_is_told(void **state)
{
    beam_arena arena = {0};
    beam_file_entry *entries;
    size_t n;
    beam_file *before, *longer, *rewritten;
    const beam_str path = beam_str_of("gs://bucket/file");
    beam_error err = {0};
    (void)state;
    assert_ok(put("gs://bucket/file", 1000, &err), err);
    assert_ok(beam_fs_match("gs://bucket/f*", &arena, &entries, &n, &err), err);
    assert_ok(beam_fs_open(path, &before, &err), err);
    assert_ok(put("gs://bucket/file", 1001, &err), err);
    assert_ok(beam_fs_open(path, &longer, &err), err);
    set("{\"updated\": \"2026-01-31T12:00:01.123Z\"}");
    assert_ok(put("gs://bucket/file", 1000, &err), err);
    assert_ok(beam_fs_open(path, &rewritten, &err), err);
    assert_true(beam_fs_is_same(before, entries[0].size, entries[0].last_modified));
    assert_false(beam_fs_is_same(longer, entries[0].size, entries[0].last_modified));
    assert_false(beam_fs_is_same(rewritten, entries[0].size, entries[0].last_modified));
    beam_fs_close(before);
    beam_fs_close(longer);
    beam_fs_close(rewritten);
    beam_arena_free(&arena);
}

static void who_is_overtaken_is_told(void **state)
{
    beam_gs_place place;
    beam_gs_object object;
    uint8_t room[BEAM_GS_HEAD + 3 + BEAM_GS_TAIL] = {0};
    beam_error err = {0};
    (void)state;
    assert_ok(put("gs://bucket/file", 10, &err), err);
    assert_ok(beam_gs_parse_path(beam_str_of("gs://bucket/file"), &place, &err), err);
    assert_fails(beam_gs_insert(&place, 0, room + BEAM_GS_HEAD, 3, &object, &err), BEAM_ABORTED,
                 err, "somebody else");
    assert_ok(compare("gs://bucket/file", 10, &err), err);
}

/* ---- Uploads of files ------------------------------------------------------------------------ */

static char *folder;

static int make_folder(void **state)
{
    gcs_reset();
    (void)state;
    folder = test_folder();
    setenv("BEAM_CACHE", folder, 1);
    test_write_file(test_path(folder, "file"), bytes, SIZE);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_remove_folder(folder);
    return 0;
}

static size_t notes(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/uploads", folder);
    return test_count_files(path);
}

static void an_upload_survives_faults(void **state)
{
    beam_error err = {0};
    (void)state;
    set("{\"rate\": 0.3, \"accept\": 100000, "
        "\"faults\": [\"error\", \"after\", \"reset\", \"truncate\", \"corrupt\"]}");
    assert_ok(beam_fs_copy_local(test_path(folder, "file"), "gs://bucket/up", &err), err);
    set("{\"rate\": 0.05, \"faults\": [\"lost\"], \"accept\": 0}");
    assert_ok(beam_fs_copy_local(test_path(folder, "file"), "gs://bucket/up2", &err), err);
    set("{\"rate\": 0}");
    assert_ok(compare("gs://bucket/up", SIZE, &err), err);
    assert_ok(compare("gs://bucket/up2", SIZE, &err), err);
    test_write_file(test_path(folder, "empty"), "", 0);
    assert_ok(beam_fs_copy_local(test_path(folder, "empty"), "gs://bucket/empty", &err), err);
    assert_ok(compare("gs://bucket/empty", 0, &err), err);
    assert_int_equal(gcs_objects(), 3);
    assert_int_equal(notes(), 0);
}

static void a_killed_upload_goes_on(void **state)
{
    beam_error err = {0};
    (void)state;
    set("{\"hang_after\": 2000000}");
    beam_gs_close(); /* connections are no good in two processes */
    pid_t child = fork();
    if (child == 0) {
        (void)beam_fs_copy_local(test_path(folder, "file"), "gs://bucket/up", NULL);
        _exit(0);
    }
    for (int i = 0; i < 6000 && gcs_count("PUT session") < 9; i++)
        usleep(10000); /* the eighth part of 256 KiB passes 2,000,000 bytes; one request is a
                          question */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(gcs_objects(), 0);
    assert_int_equal(notes(), 1);
    set("{\"hang_after\": 0}");
    int before = gcs_count("PUT session");
    assert_ok(beam_fs_copy_local(test_path(folder, "file"), "gs://bucket/up", &err), err);
    assert_int_equal(gcs_count("PUT session") - before, 1 + 4); /* not all twelve again */
    assert_ok(compare("gs://bucket/up", SIZE, &err), err);
    assert_int_equal(notes(), 0);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static beam_status whole_trip(void)
{
    beam_arena arena = {0};
    beam_file_entry *entries;
    size_t n;
    beam_status status = put("gs://bucket/.temp", 300000, NULL);
    if (status == BEAM_OK)
        status = beam_fs_rename("gs://bucket/.temp", "gs://bucket/file", NULL);
    if (status == BEAM_OK)
        status = compare("gs://bucket/file", 300000, NULL);
    if (status == BEAM_OK)
        status = view("gs://bucket/file", 300000, NULL);
    if (status == BEAM_OK)
        status = beam_fs_match("gs://bucket/f*", &arena, &entries, &n, NULL);
    beam_arena_free(&arena);
    if (status == BEAM_OK)
        status = beam_fs_copy_local(test_path(folder, "file"), "gs://bucket/up", NULL);
    return status;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        beam_gs_close();
        beam_alloc_fail_at(n, 0);
        beam_status status = whole_trip();
        uint64_t tried = beam_alloc_count();
        beam_alloc_fail_at(0, 0);
        if (tried < n) {
            assert_int_equal(status, BEAM_OK);
            break;
        }
        /* Some failures cost no more than a note or a part left behind. */
        assert_true(status == BEAM_RESOURCE_EXHAUSTED || status == BEAM_OK);
    }
}

/* Both ways under faults; memory does not follow the size. */
static void a_large_file(void **state)
{
    const size_t rounds = getenv("BEAM_LONG") ? 358 : 16; /* 1 GB, 48 MB */
    beam_gs_settings usual = beam_gs_settings_now;
    beam_writer *writer;
    beam_stream *stream;
    struct rusage use;
    beam_error err = {0};
    uint32_t sent = 0, came = 0;
    uint8_t part[65536];
    size_t got, total = 0;
    (void)state;
    if (rounds > 16)
        beam_gs_settings_now = (beam_gs_settings){16 << 20, 4 << 20, 20, 60 * 1000};
    set("{\"rate\": 0.1, \"faults\": [\"error\", \"after\", \"reset\", \"truncate\", \"slow\"]}");
    assert_ok(beam_fs_create("gs://bucket/large", false, &writer, &err), err);
    for (size_t i = 0; i < rounds; i++) {
        assert_ok(beam_writer_write(writer, bytes, SIZE, &err), err);
        sent = beam_crc32c(sent, bytes, SIZE);
    }
    assert_ok(beam_writer_commit(writer, &err), err);
    assert_ok(
        beam_stream_open(beam_str_of("gs://bucket/large"), BEAM_COMPRESSION_NONE, &stream, &err),
        err);
    do {
        assert_ok(beam_stream_read(stream, part, sizeof part, &got, &err), err);
        came = beam_crc32c(came, part, got);
        total += got;
    } while (got);
    beam_stream_close(stream);
    assert_int_equal(total, rounds * SIZE);
    assert_int_equal(came, sent);
    assert_int_equal(gcs_objects(), 1);
    assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
    print_message("%zu MB both ways, at most %ld MB of memory, %d errors, %d resets\n",
                  total / 1000000, use.ru_maxrss / 1024, gcs_count("fault error"),
                  gcs_count("fault reset"));
    beam_gs_settings_now = usual;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_written_is_read, reset),
        cmocka_unit_test_setup(more_parts_than_are_composed_at_once, reset),
        cmocka_unit_test_setup(an_abandoned_file_leaves_nothing, reset),
        cmocka_unit_test_setup(patterns, reset),
        cmocka_unit_test_setup(names_are_moved_and_removed, reset),
        cmocka_unit_test_setup(each_fault_alone, reset),
        cmocka_unit_test_setup(a_service_that_stays_away, reset),
        cmocka_unit_test_setup(a_thread_that_is_told_to_stop, reset),
        cmocka_unit_test_setup(damage_is_found, reset),
        cmocka_unit_test_setup(a_reader_sees_one_generation, reset),
        cmocka_unit_test_setup(a_replaced_file_is_told, reset),
        cmocka_unit_test_setup(who_is_overtaken_is_told, reset),
        cmocka_unit_test_setup_teardown(an_upload_survives_faults, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_killed_upload_goes_on, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(each_allocation_may_fail, make_folder, remove_folder),
        cmocka_unit_test_setup(a_large_file, reset),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
