/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Files read and written: compression both ways, damage, TFRecord frames, patterns. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/staged.h"
#include "io/filesystem.h"
#include "io/stream.h"
#include "io/tfrecord.h"
#include "support/files.h"
#include "support/shortage.h"

enum { TEXT_SIZE = 700000 };

static char *folder;
static char *text; /* TEXT_SIZE bytes */

static int make_folder(void **state)
{
    (void)state;
    text = malloc(TEXT_SIZE);
    uint32_t seed = 1;
    for (int i = 0; text && i < TEXT_SIZE; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = i % 61 == 60 ? '\n' : (char)('a' + (seed >> 24) % 26);
    }
    folder = test_folder();
    return text ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    free(text);
    test_remove_folder(folder);
    return 0;
}

static const char *path_of(const char *name)
{
    return test_path(folder, name);
}

static void write_file(const char *path, beam_compression compression, size_t size)
{
    beam_output_file *file;
    assert_int_equal(beam_output_open(path, compression, &file, NULL), BEAM_OK);
    for (size_t at = 0; at < size;) {
        size_t n = size - at < 9973 ? size - at : 9973;
        assert_int_equal(beam_output_write(file, text + at, n, NULL), BEAM_OK);
        at += n;
    }
    assert_int_equal(beam_output_close(file, NULL), BEAM_OK);
}

static beam_status read_file(const char *path, char *data, size_t size, size_t *got,
                             beam_error *err)
{
    beam_stream *stream;
    BEAM_TRY(beam_stream_open(beam_str_of(path), BEAM_COMPRESSION_AUTO, &stream, err));
    beam_status status = BEAM_OK;
    *got = 0;
    for (size_t n = 1; n && status == BEAM_OK && *got < size; *got += n) {
        size_t want = size - *got < 70001 ? size - *got : 70001;
        status = beam_stream_read(stream, data + *got, want, &n, err);
    }
    beam_stream_close(stream);
    return status;
}

/* ---- Compression --------------------------------------------------------------------------- */

static void round_trips(void **state)
{
    (void)state;
    const char *const names[] = {"plain.txt", "text.gz", "text.zst"};
    const beam_compression kinds[] = {BEAM_COMPRESSION_NONE, BEAM_COMPRESSION_GZIP,
                                      BEAM_COMPRESSION_ZSTD};
    char *back = malloc(TEXT_SIZE + 100);
    assert_non_null(back);
    for (int i = 0; i < 3; i++)
        for (size_t size = 0; size <= TEXT_SIZE; size += TEXT_SIZE / 2) {
            write_file(path_of(names[i]), kinds[i], size);
            size_t got;
            assert_int_equal(read_file(path_of(names[i]), back, TEXT_SIZE + 100, &got, NULL),
                             BEAM_OK);
            assert_int_equal(got, size);
            assert_memory_equal(back, text, size);
        }
    free(back);
}

/* Files joined end to end read as their texts joined: gzip's members, zstd's frames. */
static void joined_files(void **state)
{
    (void)state;
    char *back = malloc(TEXT_SIZE);
    assert_non_null(back);
    for (int kind = BEAM_COMPRESSION_GZIP; kind <= BEAM_COMPRESSION_ZSTD; kind++) {
        char first[256], both[256];
        snprintf(first, sizeof first, "%s", path_of("first"));
        snprintf(both, sizeof both, "%s",
                 path_of(kind == BEAM_COMPRESSION_GZIP ? "both.gz" : "both.zst"));
        write_file(first, (beam_compression)kind, 1000);
        FILE *out = fopen(both, "wb"), *in = fopen(first, "rb");
        assert_non_null(out);
        assert_non_null(in);
        size_t n = fread(back, 1, TEXT_SIZE, in);
        assert_int_equal(fwrite(back, 1, n, out), n);
        assert_int_equal(fwrite(back, 1, n, out), n);
        fclose(in);
        assert_int_equal(fclose(out), 0);
        size_t got;
        assert_int_equal(read_file(both, back, TEXT_SIZE, &got, NULL), BEAM_OK);
        assert_int_equal(got, 2000);
        assert_memory_equal(back, text, 1000);
        assert_memory_equal(back + 1000, text, 1000);
    }
    free(back);
}

static void damaged_files(void **state)
{
    (void)state;
    char *back = malloc(TEXT_SIZE);
    assert_non_null(back);
    const char *const names[] = {"damaged.gz", "damaged.zst"};
    for (int i = 0; i < 2; i++) {
        const char *path = path_of(names[i]);
        size_t got;
        beam_error err = {0};
        write_file(path, BEAM_COMPRESSION_GZIP + (beam_compression)i, TEXT_SIZE);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size / 2), 0);
        assert_int_equal(read_file(path, back, TEXT_SIZE, &got, &err), BEAM_DATA_LOSS);
        assert_non_null(strstr(err.message, names[i]));
        assert_non_null(strstr(err.message, "ends too early"));
        write_file(path, BEAM_COMPRESSION_NONE, 5000); /* not compressed at all */
        assert_int_equal(read_file(path, back, TEXT_SIZE, &got, &err), BEAM_DATA_LOSS);
    }
    free(back);
}

/* Appends to a file. */
static void append(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Zeros behind a member, as tapes and disks leave them: before the end, and before one more. */
static void padded_gzip(void **state)
{
    (void)state;
    static const char zeros[300 << 10];
    char *back = malloc(TEXT_SIZE), member[4096];
    const char *path = path_of("padded.gz");
    size_t got;
    assert_non_null(back);
    write_file(path, BEAM_COMPRESSION_GZIP, 1000);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(member, 1, sizeof member, file);
    fclose(file);
    append(path, zeros, sizeof zeros);
    assert_int_equal(read_file(path, back, TEXT_SIZE, &got, NULL), BEAM_OK);
    assert_int_equal(got, 1000);
    append(path, member, n);
    append(path, zeros, 1);
    assert_int_equal(read_file(path, back, TEXT_SIZE, &got, NULL), BEAM_OK);
    assert_int_equal(got, 2000);
    assert_memory_equal(back + 1000, text, 1000);
    append(path, "x", 1);
    assert_int_equal(read_file(path, back, TEXT_SIZE, &got, NULL), BEAM_DATA_LOSS);
    assert_int_equal(truncate(path, 0), 0); /* zeros alone are no gzip file */
    append(path, zeros, 100);
    assert_int_equal(read_file(path, back, TEXT_SIZE, &got, NULL), BEAM_DATA_LOSS);
    free(back);
}

/* A sound frame that says that it needs 256 MiB: not damaged, too large. */
static void wide_zstd(void **state)
{
    (void)state;
    static const unsigned char frame[] = {0x28,           0xb5, 0x2f, 0xfd, 0,
                                          (28 - 10) << 3, 0x09, 0,    0,    'x'};
    const char *path = path_of("wide.zst");
    char back[10];
    size_t got;
    beam_error err = {0};
    append(path, frame, sizeof frame);
    assert_int_equal(read_file(path, back, sizeof back, &got, &err), BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "needs a window of more than 128 MiB"));
}

static void missing_and_foreign(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_stream *stream;
    beam_str missing = beam_str_of(path_of("missing"));
    assert_int_equal(beam_stream_open(missing, BEAM_COMPRESSION_AUTO, &stream, &err),
                     BEAM_NOT_FOUND);
    assert_non_null(strstr(err.message, "missing"));
    assert_int_equal(
        beam_stream_open(beam_str_of("s3://bucket/x"), BEAM_COMPRESSION_AUTO, &stream, &err),
        BEAM_UNIMPLEMENTED);
    assert_non_null(strstr(err.message, "s3://"));
    beam_output_file *file;
    assert_int_equal(beam_output_open("/no/such/folder/x", BEAM_COMPRESSION_NONE, &file, &err),
                     BEAM_NOT_FOUND);
    if (symlink("/dev/full", path_of("full")) == 0) {
        assert_int_equal(beam_output_open(path_of("full"), BEAM_COMPRESSION_NONE, &file, &err),
                         BEAM_OK);
        beam_status status = BEAM_OK;
        for (int i = 0; i < 3 && status == BEAM_OK; i++)
            status = beam_output_write(file, text, TEXT_SIZE, &err);
        assert_int_not_equal(status, BEAM_OK);
        assert_non_null(strstr(err.message, "/full"));
        beam_output_abandon(file);
    }
}

static void patterns(void **state)
{
    (void)state;
    write_file(path_of("m-1.txt"), BEAM_COMPRESSION_NONE, 10);
    write_file(path_of("m-2.txt"), BEAM_COMPRESSION_NONE, 20);
    write_file(path_of("m-3.csv"), BEAM_COMPRESSION_NONE, 30);
    const struct {
        const char *pattern;
        size_t n;
    } cases[] = {{"m-*.txt", 2},       {"m-?.csv", 1},
                 {"m-[13].*", 2},      {"m-{1,3}.{txt,csv}", 2},
                 {"m-2.txt", 1},       {"none*", 0},
                 {"m-{2,1}.txt", 2},   {"m-{1,?,[1-3]}.txt", 2}, /* each file once, by name */
                 {"m-{1,{2,3}}.*", 3}, {"m-{}*", 0},
                 {"m-\\{1,2}.txt", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_arena arena = {0};
        beam_file_entry *entries;
        size_t n;
        assert_int_equal(beam_fs_match(path_of(cases[i].pattern), &arena, &entries, &n, NULL),
                         BEAM_OK);
        assert_int_equal(n, cases[i].n);
        for (size_t e = 0; e < n; e++)
            assert_int_equal(entries[e].size, (strrchr(entries[e].path, '/')[3] - '0') * 10);
        for (size_t e = 1; e < n; e++)
            assert_true(strcmp(entries[e - 1].path, entries[e].path) < 0);
        beam_arena_free(&arena);
    }
}

/* Folder a/b/c has files, and a link back to a; ** goes down all of it. */
static void patterns_of_folders(void **state)
{
    (void)state;
    static const char *const files[] = {"a/1.txt", "a/.2.txt",    "a/b/3.txt",
                                        "a/b/4x",  "a/b/c/5.txt", "a/[b]/6.txt"};
    const struct {
        const char *pattern, *found;
    } cases[] = {{"a/**", ".2.txt 1.txt 6.txt 3.txt 4x 5.txt"},
                 {"a/**.txt", ".2.txt 1.txt 6.txt 3.txt 5.txt"},
                 {"a/**/*.txt", "6.txt 3.txt 5.txt"},
                 {"a/**/**/*", "5.txt"},
                 {"a/*/**", "6.txt 3.txt 4x 5.txt"},
                 {"a/b**", "3.txt 4x 5.txt"},
                 {"**/5.txt", "5.txt"},
                 {"a/**/[!3-5].txt", "6.txt"},
                 {"a/**/[!-a].txt", "6.txt 3.txt 5.txt"},
                 {"a/**/[]5].txt", "5.txt"},
                 {"a/**/[^]5].txt", "6.txt 3.txt"},
                 {"a/**/[[:digit:]][!0-9]", "4x"},
                 {"a/\\[b]/**", "6.txt"},
                 {"a/**/\\[b]/*", ""},
                 {"a/**/?x", "4x"},
                 {"a/{b,b/c}/**/*.txt", "5.txt"},
                 {"a/{b/**,1.txt}", "1.txt 3.txt 4x 5.txt"},
                 {"none/**", ""}};
    beam_error err = {0};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_ok(beam_fs_make_folder(path_of(i < 2    ? "a"
                                              : i == 5 ? "a/[b]"
                                              : i == 4 ? "a/b/c"
                                                       : "a/b"),
                                      &err),
                  err);
        write_file(path_of(files[i]), BEAM_COMPRESSION_NONE, 1);
    }
    assert_int_equal(symlink("..", path_of("a/b/up")), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_arena arena = {0};
        beam_file_entry *entries;
        size_t n;
        char found[256] = "";
        assert_ok(beam_fs_match(path_of(cases[i].pattern), &arena, &entries, &n, &err), err);
        for (size_t e = 0; e < n; e++)
            (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s",
                           e ? " " : "", strrchr(entries[e].path, '/') + 1);
        if (strcmp(found, cases[i].found) != 0)
            fail_msg("%s: %s", cases[i].pattern, found);
        beam_arena_free(&arena);
    }
}

/* What lies in it would be missing. */
static void a_folder_that_cannot_be_read(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_file_entry *entries;
    size_t n;
    beam_error err = {0};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {0, before.rlim_max}; /* rights would not keep root out */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    beam_status status = beam_fs_match(path_of("m-*.txt"), &arena, &entries, &n, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "m-*.txt"));
    assert_int_equal(beam_fs_match(path_of("none/*.txt"), &arena, &entries, &n, &err), BEAM_OK);
    assert_int_equal(n, 0);
    beam_arena_free(&arena);
}

/* Instead of libc's: a disk may fail in the midst of a folder. */
static int entries_before_failure = -1;

struct dirent *readdir(DIR *dir)
{
    if (entries_before_failure == 0) {
        errno = EIO;
        return NULL;
    }
    entries_before_failure -= entries_before_failure > 0;
    return (struct dirent *)readdir64(dir);
}

/* What cannot be seen is not taken for not staged. */
static beam_status find_staged(beam_error *err)
{
    char name[BEAM_STAGED_NAME], *path;
    beam_staged_name("weights", "w", name);
    assert_int_equal(beam_fs_make_folder(path_of(name), err), BEAM_OK);
    entries_before_failure = 0;
    beam_status status = beam_staged_find("weights", "w", &path, err);
    entries_before_failure = -1;
    assert_null(path);
    assert_int_equal(rmdir(path_of(name)), 0);
    assert_int_equal(rmdir(path_of("files")), 0);
    return status;
}

static void a_folder_that_is_read_by_half(void **state)
{
    (void)state;
    beam_arena arena = {0};
    char **names;
    size_t n;
    beam_error err = {0};
    assert_int_equal(beam_fs_list(folder, &arena, &names, &n, &err), BEAM_OK);
    assert_true(n >= 3);
    entries_before_failure = 4;
    beam_status status = beam_fs_list(folder, &arena, &names, &n, &err);
    entries_before_failure = -1;
    beam_arena_free(&arena);
    assert_int_not_equal(status, BEAM_OK);
    assert_non_null(strstr(err.message, folder));
    assert_int_equal(setenv("BEAM_STAGED_DIR", folder, 1), 0);
    status = find_staged(&err);
    assert_int_equal(unsetenv("BEAM_STAGED_DIR"), 0);
    assert_int_not_equal(status, BEAM_OK);
}

static void a_folder_that_is_not_there(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_error err = {0};
    char **names, *staged;
    size_t n;
    assert_ok(beam_fs_list(path_of("nothing/below"), &arena, &names, &n, &err), err);
    assert_int_equal(n, 0);
    assert_int_equal(setenv("BEAM_STAGED_DIR", path_of("nothing"), 1), 0);
    assert_ok(beam_staged_find("weights", "w", &staged, &err), err);
    assert_null(staged);
    assert_int_equal(unsetenv("BEAM_STAGED_DIR"), 0);
    test_write_file(path_of("file"), "", 0); /* but what is in its place is told of */
    assert_fails(beam_fs_list(path_of("file"), &arena, &names, &n, &err), BEAM_NOT_FOUND, err,
                 "Not a directory");
    beam_arena_free(&arena);
}

/* A folder's own name is no pattern for what is relative to it. */
static void in_a_folder_like_a_pattern(void **state)
{
    (void)state;
    static const char *const names[] = {"f{a,b}[1]\\*", "fa1*", "f{a,b}1"};
    static const char *const patterns[] = {"in.txt", "i?.{txt,csv}", "../f*1]?[*]/in*"};
    char *before = getcwd(NULL, 0), folders[3][300];
    for (int i = 0; i < 3; i++) {
        snprintf(folders[i], sizeof folders[i], "%s", path_of(names[i]));
        assert_int_equal(mkdir(folders[i], 0700), 0);
        assert_int_equal(chdir(folders[i]), 0);
        write_file("in.txt", BEAM_COMPRESSION_NONE, (size_t)i);
    }
    assert_int_equal(chdir(folders[0]), 0);
    for (int i = 0; i < 3; i++) {
        beam_arena arena = {0};
        beam_file_entry *entries;
        size_t n;
        char *absolute;
        assert_int_equal(beam_fs_absolute_pattern(patterns[i], &absolute, NULL), BEAM_OK);
        assert_int_equal(beam_fs_match(absolute, &arena, &entries, &n, NULL), BEAM_OK);
        assert_int_equal(n, 1);
        assert_int_equal(entries[0].size, 0);
        beam_free(absolute);
        beam_arena_free(&arena);
    }
    assert_int_equal(chdir(before), 0);
    free(before);
    for (int i = 0; i < 3; i++)
        assert_int_equal(beam_fs_remove_folder(folders[i], NULL), BEAM_OK);
}

/* ---- TFRecord ------------------------------------------------------------------------------- */

static void castagnoli(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], rising[32]; /* RFC 3720, B.4 */
    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < 32; i++)
        rising[i] = i;
    assert_int_equal(beam_crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(beam_crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(beam_crc32c(0, rising, 32), 0x46dd794e);
    assert_int_equal(beam_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(beam_crc32c(beam_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static beam_status read_records(const char *path, uint64_t *n, size_t *bytes, beam_error *err)
{
    beam_stream *stream;
    BEAM_TRY(beam_stream_open(beam_str_of(path), BEAM_COMPRESSION_AUTO, &stream, err));
    beam_buffer record = {0};
    bool end = false;
    beam_status status = BEAM_OK;
    for (*n = 0, *bytes = 0; status == BEAM_OK; ++*n) {
        status = beam_tfrecord_read(stream, *n, &record, &end, err);
        if (end || status != BEAM_OK)
            break;
        if (record.len)
            assert_memory_equal(record.data, text, record.len);
        *bytes += record.len;
    }
    beam_buffer_free(&record);
    beam_stream_close(stream);
    return status;
}

static void write_records(const char *path, beam_compression compression)
{
    const size_t sizes[] = {0, 1, 1000, TEXT_SIZE};
    beam_output_file *file;
    assert_int_equal(beam_output_open(path, compression, &file, NULL), BEAM_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(beam_tfrecord_write(file, (beam_bytes){text, sizes[i]}, NULL), BEAM_OK);
    assert_int_equal(beam_output_close(file, NULL), BEAM_OK);
}

static void records(void **state)
{
    (void)state;
    uint64_t n;
    size_t bytes;
    write_records(path_of("records"), BEAM_COMPRESSION_NONE);
    assert_int_equal(read_records(path_of("records"), &n, &bytes, NULL), BEAM_OK);
    assert_int_equal(n, 4);
    assert_int_equal(bytes, TEXT_SIZE + 1001);
    write_records(path_of("records.gz"), BEAM_COMPRESSION_GZIP);
    assert_int_equal(read_records(path_of("records.gz"), &n, &bytes, NULL), BEAM_OK);
    assert_int_equal(n, 4);
}

static void damaged_records(void **state)
{
    (void)state;
    const char *path = path_of("records.bad");
    const struct {
        long at;
        const char *words;
        uint64_t record;
    } cases[] = {{3, "length has a wrong checksum", 0},
                 {9, "length has a wrong checksum", 0},
                 {14, "data has a wrong checksum", 0}, /* the empty record's checksum */
                 {16 + 12, "data has a wrong checksum", 1},
                 {16 + 17 + 12 + 500, "data has a wrong checksum", 2}};
    beam_error err = {0};
    uint64_t n;
    size_t bytes;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_records(path, BEAM_COMPRESSION_NONE);
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        assert_int_equal(fseek(f, cases[i].at, SEEK_SET), 0);
        int old = fgetc(f);
        assert_int_equal(fseek(f, cases[i].at, SEEK_SET), 0);
        fputc(old ^ 0x10, f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(read_records(path, &n, &bytes, &err), BEAM_DATA_LOSS);
        assert_non_null(strstr(err.message, cases[i].words));
        assert_int_equal(n, cases[i].record);
    }
    const off_t cuts[] = {5, 14, 16 + 12, 16 + 17 + 200};
    for (size_t i = 0; i < 4; i++) {
        write_records(path, BEAM_COMPRESSION_NONE);
        assert_int_equal(truncate(path, cuts[i]), 0);
        assert_int_equal(read_records(path, &n, &bytes, &err), BEAM_DATA_LOSS);
        assert_non_null(strstr(err.message, "the file ends"));
    }
}

static beam_status whole_trip(void)
{
    beam_output_file *file;
    BEAM_TRY(beam_output_open(path_of("memory.gz"), BEAM_COMPRESSION_GZIP, &file, NULL));
    beam_status status = beam_tfrecord_write(file, (beam_bytes){text, 100}, NULL);
    if (status != BEAM_OK) {
        beam_output_abandon(file);
        return status;
    }
    BEAM_TRY(beam_output_close(file, NULL));
    uint64_t n;
    size_t bytes;
    BEAM_TRY(read_records(path_of("memory.gz"), &n, &bytes, NULL));
    assert_int_equal(n, 1);
    beam_arena arena = {0};
    beam_file_entry *entries;
    size_t found;
    status = beam_fs_match(path_of("memory*"), &arena, &entries, &found, NULL);
    beam_arena_free(&arena);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    for (test_shortage s = {0}; test_shortage_next(&s);)
        test_shortage_ends(&s, whole_trip());
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_arena arena = {0};
        beam_file_entry *entries;
        size_t n;
        test_shortage_ends(&s, beam_fs_match(path_of("a/{b**,*}"), &arena, &entries, &n, NULL));
        beam_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(joined_files),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(padded_gzip),
        cmocka_unit_test(wide_zstd),
        cmocka_unit_test(missing_and_foreign),
        cmocka_unit_test(patterns),
        cmocka_unit_test(patterns_of_folders),
        cmocka_unit_test(a_folder_that_cannot_be_read),
        cmocka_unit_test(a_folder_that_is_read_by_half),
        cmocka_unit_test(a_folder_that_is_not_there),
        cmocka_unit_test(in_a_folder_like_a_pattern),
        cmocka_unit_test(castagnoli),
        cmocka_unit_test(records),
        cmocka_unit_test(damaged_records),
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
