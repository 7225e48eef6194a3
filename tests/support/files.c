/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "support/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *test_data(const char *name)
{
    static char path[4096];
    const char *folder = getenv("BEAM_TEST_DATA");
#ifdef BEAM_SHARED_DATA_DIR
    if (!folder)
        folder = BEAM_SHARED_DATA_DIR;
#endif
    if (folder)
        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!folder || access(path, R_OK) != 0) {
        print_message("%s is not here: set BEAM_TEST_DATA to its folder\n", name);
        skip();
    }
    return path;
}

char *test_folder(void)
{
    const char *temp = getenv("TMPDIR");
    char *folder = NULL;
    assert_true(asprintf(&folder, "%s/beam-test-XXXXXX", temp ? temp : "/tmp") > 0);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_all(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir) {
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            char *path = NULL;
            assert_true(asprintf(&path, "%s/%s", folder, e->d_name) > 0);
            remove_all(path);
            free(path);
        }
        closedir(dir);
    }
    (void)remove(folder);
}

void test_remove_folder(char *folder)
{
    remove_all(folder);
    free(folder);
}

const char *test_path(const char *folder, const char *name)
{
    static char paths[2][4096];
    static int which;
    which = !which;
    (void)snprintf(paths[which], sizeof paths[which], "%s/%s", folder, name);
    return paths[which];
}

void test_write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

char *test_read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    struct stat info;
    assert_int_equal(fstat(fileno(f), &info), 0);
    char *data = calloc(1, (size_t)info.st_size + 1);
    assert_non_null(data);
    *size = fread(data, 1, (size_t)info.st_size, f);
    assert_int_equal(*size, (size_t)info.st_size);
    assert_int_equal(fclose(f), 0);
    return data;
}

size_t test_count_files(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

void test_keep_programs(void)
{
    const char *folder = getenv("BEAM_TEST_PROGRAMS");
    if (folder && *folder)
        assert_int_equal(setenv("BEAM_COMPILATION_CACHE_DIR", folder, 1), 0);
}
