/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Taking known files out of a tar.gz; the cache folder. */
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "io/cache.h"
#include "io/unpack.h"

static void add_member(gzFile out, const char *name, char type, const char *text)
{
    char header[512] = "", body[512] = "";
    size_t size = strlen(text);
    (void)snprintf(header, 100, "%s", name);
    (void)snprintf(header + 124, 12, "%011o", (unsigned)size % 512);
    header[156] = type;
    memcpy(body, text, size);
    assert_int_equal(gzwrite(out, header, 512), 512);
    if (size)
        assert_int_equal(gzwrite(out, body, 512), 512);
}

static void make_archive(const char *path)
{
    gzFile out = gzopen(path, "wb");
    assert_non_null(out);
    add_member(out, "d/", '5', "");
    add_member(out, "../outside", '0', "evil");
    add_member(out, "d/other", '0', "other");
    add_member(out, "d/one", '0', "first");
    add_member(out, "d/two", '2', "");
    add_member(out, "d/two", '0', "second");
    char end[1024] = "";
    assert_int_equal(gzwrite(out, end, sizeof end), (int)sizeof end);
    assert_int_equal(gzclose(out), Z_OK);
}

static void test_unpack(void **state)
{
    (void)state;
    char *folder = test_folder(), archive[4096], to[4096];
    (void)snprintf(archive, sizeof archive, "%s/a.tar.gz", folder);
    (void)snprintf(to, sizeof to, "%s/to", folder);
    make_archive(archive);
    const char *const members[] = {"d/one", "d/two", "d/three"};
    beam_error err = {0};
    assert_ok(beam_unpack_tar_gz(archive, to, members, 2, 100, &err), err);
    assert_int_equal(test_count_files(test_path(to, "d")), 2);
    assert_int_equal(test_count_files(folder), 2);
    size_t size;
    char *text = test_read_file(test_path(to, "d/two"), &size);
    assert_string_equal(text, "second");
    free(text);
    assert_fails(beam_unpack_tar_gz(archive, to, members, 3, 100, &err), BEAM_NOT_FOUND, err,
                 "2 of 3");
    assert_fails(beam_unpack_tar_gz(archive, to, members, 2, 5, &err), BEAM_DATA_LOSS, err,
                 "larger");
    char *bytes = test_read_file(archive, &size);
    test_write_file(archive, bytes, size / 2);
    free(bytes);
    assert_fails(beam_unpack_tar_gz(archive, to, members, 2, 100, &err), BEAM_DATA_LOSS, err,
                 "too early");
    assert_fails(beam_unpack_tar_gz("/nonexistent", to, members, 2, 100, &err), BEAM_NOT_FOUND, err,
                 "/nonexistent");
    test_remove_folder(folder);
}

/* Of two members of one name neither is taken for a third. */
static void test_one_name_twice(void **state)
{
    (void)state;
    char *folder = test_folder(), archive[4096];
    (void)snprintf(archive, sizeof archive, "%s/a.tar.gz", folder);
    gzFile out = gzopen(archive, "wb");
    assert_non_null(out);
    add_member(out, "one", '0', "first");
    add_member(out, "one", '0', "again");
    add_member(out, "two", '0', "second");
    assert_int_equal(gzclose(out), Z_OK);
    const char *const members[] = {"one", "two"};
    beam_error err = {0};
    assert_fails(beam_unpack_tar_gz(archive, folder, members, 2, 100, &err), BEAM_DATA_LOSS, err,
                 "it has one twice");
    test_remove_folder(folder);
}

static void expect_folder(const char *want)
{
    char *path;
    beam_error err = {0};
    assert_ok(beam_cache_folder("w", &path, &err), err);
    assert_string_equal(path, want);
    beam_free(path);
}

static void test_cache_folder(void **state)
{
    (void)state;
    assert_int_equal(setenv("HOME", "/h", 1), 0);
    assert_int_equal(setenv("XDG_CACHE_HOME", "/x", 1), 0);
    assert_int_equal(setenv("BEAM_CACHE", "/b", 1), 0);
    expect_folder("/b/w");
    assert_int_equal(unsetenv("BEAM_CACHE"), 0);
    expect_folder("/x/libbeam/w");
    assert_int_equal(setenv("XDG_CACHE_HOME", "", 1), 0);
    expect_folder("/h/.cache/libbeam/w");
    assert_int_equal(unsetenv("HOME"), 0);
    char *path;
    beam_error err;
    assert_fails(beam_cache_folder("w", &path, &err), BEAM_FAILED_PRECONDITION, err, "BEAM_CACHE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_one_name_twice),
        cmocka_unit_test(test_cache_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
