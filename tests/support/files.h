/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* files.h - what tests share: files to read, folders to write into, words to expect. */
#ifndef SUPPORT_FILES_H
#define SUPPORT_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <beam/status.h>

/* Path of a file in the folder of test data ($BEAM_TEST_DATA, or what the build found); the
 * test is skipped where there is none. */
const char *test_data(const char *name);

/* A new folder of its own, and away with it and all in it. */
char *test_folder(void);
void test_remove_folder(char *folder);
/* FOLDER/NAME; the text lives until the second-next call. */
const char *test_path(const char *folder, const char *name);
void test_write_file(const char *path, const void *data, size_t size);
/* A file's bytes with a NUL behind; free it. */
char *test_read_file(const char *path, size_t *size);
/* Entries of a folder. */
size_t test_count_files(const char *folder);

/* From here on, programs that a PJRT plugin compiles are kept in $BEAM_TEST_PROGRAMS, and found
 * there: by this test, and by the same one in another build.  Unset: they are compiled each time.
 */
void test_keep_programs(void);

#define assert_ok(expression, error)                          \
    do {                                                      \
        if ((expression) != BEAM_OK)                          \
            fail_msg("%s: %s", #expression, (error).message); \
    } while (0)

#define assert_fails(expression, status, error, words)                                          \
    do {                                                                                        \
        (error) = (beam_error){0};                                                              \
        beam_status got_ = (expression);                                                        \
        if (got_ != (status) || !strstr((error).message, (words)))                              \
            fail_msg("%s: %s: \"%s\" instead of %s: ...%s...", #expression,                     \
                     beam_status_name(got_), (error).message, beam_status_name(status), words); \
    } while (0)

#endif
