/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_file.c - files read as one piece, and files that appear whole or not at all. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "support/files.h"

static void views(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "a");
    beam_file_view view;
    beam_error err = {0};
    test_write_file(path, "some text", 9);
    assert_ok(beam_file_view_open(path, &view, &err), err);
    assert_int_equal(view.size, 9);
    assert_memory_equal(view.data, "some text", 9);
    beam_file_view_close(&view);
    beam_file_view_close(&view);
    test_write_file(path, "", 0);
    assert_ok(beam_file_view_open(path, &view, &err), err);
    assert_true(view.data && view.size == 0);
    beam_file_view_close(&view);
    assert_ok(beam_file_view_open("/proc/self/maps", &view, &err), err); /* cannot be mapped */
    assert_true(view.size > 0 && !view.mapped);
    beam_file_view_close(&view);
    assert_fails(beam_file_view_open(folder, &view, &err), BEAM_INVALID_ARGUMENT, err, "folder");
    assert_fails(beam_file_view_open(test_path(folder, "none"), &view, &err), BEAM_NOT_FOUND, err,
                 "none");
    beam_alloc_fail_at(1, 1);
    beam_status status = beam_file_view_open("/proc/self/maps", &view, &err);
    beam_alloc_fail_at(0, 0);
    assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    test_remove_folder(folder);
}

static void new_files(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "out");
    beam_new_file file;
    beam_error err = {0};
    size_t size;
    assert_ok(beam_new_file_open(path, &file, &err), err);
    assert_ok(beam_new_file_write(&file, "new ", 4, &err), err);
    assert_ok(beam_new_file_write(&file, "text", 4, &err), err);
    struct stat info;
    assert_int_not_equal(stat(path, &info), 0); /* nobody sees it yet */
    assert_ok(beam_new_file_commit(&file, &err), err);
    char *text = test_read_file(path, &size);
    assert_string_equal(text, "new text");
    free(text);
    assert_int_equal(test_count_files(folder), 1);

    assert_ok(beam_new_file_open(path, &file, &err), err);
    assert_ok(beam_new_file_write(&file, "other", 5, &err), err);
    beam_new_file_abandon(&file);
    beam_new_file_abandon(&file);
    text = test_read_file(path, &size);
    assert_string_equal(text, "new text");
    free(text);
    assert_int_equal(test_count_files(folder), 1);
    assert_fails(beam_new_file_open(test_path(folder, "none/out"), &file, &err), BEAM_NOT_FOUND,
                 err, "none/out");
    test_remove_folder(folder);
}

/* A file takes the place of a file, and of nothing else. */
static void places_of_new_files(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *pipe = test_path(folder, "pipe");
    beam_new_file file;
    beam_error err = {0};
    struct stat info;
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_fails(beam_new_file_open(pipe, &file, &err), BEAM_INVALID_ARGUMENT, err,
                 "pipe: it is a pipe or a device");
    beam_new_file_abandon(&file);
    assert_int_equal(stat(pipe, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_fails(beam_new_file_open(folder, &file, &err), BEAM_INVALID_ARGUMENT, err,
                 "it is a folder");
    assert_fails(beam_new_file_open("", &file, &err), BEAM_INVALID_ARGUMENT, err, "has no name");
    assert_int_equal(test_count_files(folder), 1);
    test_remove_folder(folder);
}

static void files_without_memory(void **state)
{
    (void)state;
    char *folder = test_folder();
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        beam_new_file file;
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_new_file_open(test_path(folder, "out"), &file, &err);
        failed = status != BEAM_OK;
        if (!failed)
            status = beam_new_file_commit(&file, &err);
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, failed ? BEAM_RESOURCE_EXHAUSTED : BEAM_OK);
        assert_int_equal(test_count_files(folder), failed ? 0 : 1);
    }
    test_remove_folder(folder);
}

static void folders(void **state)
{
    (void)state;
    char *folder = test_folder();
    beam_error err = {0};
    struct stat info;
    assert_ok(beam_make_folders(test_path(folder, "a/b/c"), &err), err);
    assert_ok(beam_make_folders(test_path(folder, "a/b/c/"), &err), err);
    assert_int_equal(stat(test_path(folder, "a/b/c"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    test_write_file(test_path(folder, "file"), "x", 1);
    assert_fails(beam_make_folders(test_path(folder, "file"), &err), BEAM_ALREADY_EXISTS, err,
                 "it is a file");
    assert_fails(beam_make_folders(test_path(folder, "file/d"), &err), BEAM_ALREADY_EXISTS, err,
                 "it is a file");
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),
        cmocka_unit_test(new_files),
        cmocka_unit_test(places_of_new_files),
        cmocka_unit_test(files_without_memory),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
