/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Files as one piece of memory; files that appear whole or not at all. */
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static void test_view(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "a");
    beam_file_view view;
    beam_error err = {0};
    test_write_file(path, "hello", 5);
    assert_ok(beam_file_view_open(path, &view, &err), err);
    assert_true(view.mapped);
    assert_int_equal(view.size, 5);
    assert_memory_equal(view.data, "hello", 5);
    beam_file_view_close(&view);
    beam_file_view_close(&view);
    test_write_file(path, "", 0);
    assert_ok(beam_file_view_open(path, &view, &err), err);
    assert_int_equal(view.size, 0);
    assert_non_null(view.data);
    beam_file_view_close(&view);
    assert_fails(beam_file_view_open(folder, &view, &err), BEAM_INVALID_ARGUMENT, err, "folder");
    assert_fails(beam_file_view_open("/nonexistent", &view, &err), BEAM_NOT_FOUND, err,
                 "/nonexistent");
    test_remove_folder(folder);
}

/* A pipe cannot be mapped. */
static void test_view_of_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    char path[64];
    beam_file_view view;
    beam_error err = {0};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    assert_true(snprintf(path, sizeof path, "/dev/fd/%d", ends[0]) > 0);
    assert_int_equal(close(ends[1]), 0);
    assert_ok(beam_file_view_open(path, &view, &err), err);
    assert_false(view.mapped);
    assert_int_equal(view.size, 5);
    beam_file_view_close(&view);
    assert_int_equal(close(ends[0]), 0);
}

static void test_new_file(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "a");
    beam_new_file file;
    beam_error err = {0};
    assert_ok(beam_new_file_open(path, &file, &err), err);
    assert_ok(beam_new_file_write(&file, "hello", 5, &err), err);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(beam_new_file_commit(&file, &err), err);
    beam_new_file_abandon(&file);
    size_t size;
    char *text = test_read_file(path, &size);
    assert_string_equal(text, "hello");
    free(text);
    assert_ok(beam_new_file_open(path, &file, &err), err);
    assert_ok(beam_new_file_write(&file, "other", 5, &err), err);
    beam_new_file_abandon(&file);
    assert_int_equal(test_count_files(folder), 1);
    /* Nothing stays where the rename fails. */
    assert_int_equal(mkdir(test_path(folder, "b"), 0777), 0);
    assert_ok(beam_new_file_open(test_path(folder, "b"), &file, &err), err);
    assert_int_not_equal(beam_new_file_commit(&file, &err), BEAM_OK);
    assert_int_equal(test_count_files(folder), 2);
    assert_fails(beam_new_file_open(test_path(folder, "none/a"), &file, &err), BEAM_NOT_FOUND, err,
                 "none/a");
    test_remove_folder(folder);
}

static void test_make_folders(void **state)
{
    (void)state;
    char *folder = test_folder();
    beam_error err = {0};
    const char *path = test_path(folder, "x/y/z");
    assert_ok(beam_make_folders(path, &err), err);
    assert_ok(beam_make_folders(path, &err), err);
    test_write_file(test_path(folder, "f"), "", 0);
    assert_fails(beam_make_folders(test_path(folder, "f/g"), &err), BEAM_ALREADY_EXISTS, err,
                 "it is a file");
    test_remove_folder(folder);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    char *folder = test_folder();
    for (uint64_t n = 1; n < 12; n++) {
        beam_new_file file;
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_new_file_open(test_path(folder, "a"), &file, NULL);
        if (status == BEAM_OK)
            status = beam_new_file_commit(&file, NULL);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        assert_int_equal(test_count_files(folder), status == BEAM_OK);
        (void)unlink(test_path(folder, "a"));
    }
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view),          cmocka_unit_test(test_view_of_a_pipe),
        cmocka_unit_test(test_new_file),      cmocka_unit_test(test_make_folders),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
