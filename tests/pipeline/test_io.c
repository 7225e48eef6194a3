/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Files in pipelines: lines whatever the ranges they are read in, shards and their names, tries
 * that fail, and what is left behind. */
#include "pipeline/pipeline_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <beam/io.h>

#include "io/library.h"
#include "support/files.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEASURED = 0 }; /* what it frees it keeps for a while */
#else
enum { MEASURED = 1 };
#endif

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder();
    return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    test_remove_folder(folder);
    return 0;
}

static beam_pipeline *pipeline(void)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    return p;
}

static void assert_file(const char *name, const char *expected)
{
    size_t size;
    char *text = test_read_file(test_path(folder, name), &size);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- Lines, whatever the ranges -------------------------------------------------------------- */

/* The library's reader of lines, its files cut into ranges of `step` bytes before it runs. */
static int64_t step;

static beam_status cut(beam_ctx *c, const void *element, const void *restriction)
{
    (void)element;
    const beam_offset_range *all = restriction;
    for (int64_t at = all->start; at < all->stop || at == all->start; at += step) {
        beam_offset_range part = {at, at + step < all->stop ? at + step : all->stop};
        BEAM_TRY(beam_emit_restriction(c, &part));
    }
    return BEAM_OK;
}

static beam_splittable cutting;
static beam_dofn cutting_fn;

static void read_cut(const char *path, int64_t skip, bool keep, const beam_str *lines, size_t n)
{
    beam_pipeline *p = pipeline();
    const beam_read_text_config config = {0, skip, keep};
    beam_pcoll files = beam_match_files(p, path);
    beam_pcoll read = beam_pardo(files, &cutting_fn, .config = &config);
    beam_assert_that(read, beam_str, lines, n);
    run_ok(p, NULL, false);
}

/* The lines of a text, by the plainest means. */
static size_t split(const char *text, size_t size, int64_t skip, bool keep, beam_str *lines)
{
    size_t n = 0;
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && text[end] != '\n')
            end++;
        size_t next = end < size ? end + 1 : end;
        if (keep)
            end = next;
        else if (next > end && end > at && text[end - 1] == '\r')
            end--;
        if (skip-- <= 0)
            lines[n++] = (beam_str){text + at, end - at};
        at = next;
    }
    return n;
}

static void every_cut(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a\nbb\n\nccc\r\n\r\nlast", "\n\n\n", "one line", "\r\n", "x\ry\n", "h1\nh2\n\xc3\xa4\nz\n",
    };
    cutting = *beam_read_text_fn.splittable;
    cutting.split_restriction = cut;
    cutting_fn = beam_read_text_fn;
    cutting_fn.name = "cutting_fn";
    cutting_fn.splittable = &cutting;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = strlen(texts[i]);
        test_write_file(test_path(folder, "text"), texts[i], size);
        for (step = 1; step <= (int64_t)size; step++) {
            for (int how = 0; how < 4; how++) {
                beam_str lines[32];
                int64_t skip = how < 2 ? 0 : how;
                size_t n = split(texts[i], size, skip, how % 2, lines);
                read_cut(test_path(folder, "text"), skip, how % 2, lines, n);
            }
        }
    }
}

/* Found longer than it is when its lines are read, and shorter. */
static void a_file_that_changes(void **state)
{
    (void)state;
    const char *path = test_path(folder, "changing");
    static const beam_str lines[] = {STR("a"), STR("b")};
    const beam_read_text_config config = {0};
    beam_file_metadata file = {beam_str_of(path), 20, 1};
    beam_error err;
    test_write_file(path, "a\nb\nc\n", 6);
    beam_pipeline *p = pipeline();
    beam_pardo(beam_create(p, beam_file_metadata, &file, 1), &beam_read_text_fn, .config = &config);
    run_fails(p, NULL, BEAM_DATA_LOSS, &err);
    assert_mentions(&err, "changing was replaced while it was read (it had 20 bytes, now 6)");
    file.size = 4; /* lines that were added later are the next run's */
    p = pipeline();
    beam_assert_that(beam_pardo(beam_create(p, beam_file_metadata, &file, 1), &beam_read_text_fn,
                                .config = &config),
                     beam_str, lines, 2);
    run_ok(p, NULL, false);
}

static void long_lines_and_empty_files(void **state)
{
    (void)state;
    enum { LONG = 5 << 20 };
    char *text = malloc(LONG + 3);
    assert_non_null(text);
    memset(text, 'x', LONG);
    memcpy(text + LONG, "\ny", 3);
    test_write_file(test_path(folder, "f1"), text, LONG + 2);
    test_write_file(test_path(folder, "f2"), "", 0);
    const beam_str lines[] = {{text, LONG}, {"y", 1}};
    beam_pipeline *p = pipeline();
    beam_assert_that(beam_read_text(p, test_path(folder, "f[12]")), beam_str, lines, 2);
    run_ok(p, NULL, false);
    step = 1 << 20;
    read_cut(test_path(folder, "f1"), 0, false, lines, 2);
    free(text);
}

/* A line of LONG bytes, and the most that a run with a memory budget of less may hold of it: where
 * it was read, in the shuffle, and encoded to be spilled. */
static void one_very_long_line(void **state)
{
    (void)state;
    enum { LONG = 64 << 20, COPIES = 3, REST = 16 << 20 };
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = 2, .memory_budget = 4 << 20};
    struct rusage before, after;
    const char *path = test_path(folder, "long");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < LONG >> 10; i++)
        fprintf(file, "%s%1023d", i ? "9" : "short\n9", i);
    fputs("\nend\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    beam_pipeline *p = pipeline();
    beam_pcoll lines = beam_reshuffle(beam_read_text(p, path));
    beam_write_text(lines, test_path(folder, "long-out"), .num_shards = 1);
    run_ok(p, &options, false);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    if (MEASURED && (after.ru_maxrss - before.ru_maxrss) >> 10 > (COPIES * LONG + REST) >> 20)
        fail_msg("%ld MiB for a line of %d", (after.ru_maxrss - before.ru_maxrss) >> 10,
                 LONG >> 20);
    struct stat st;
    assert_int_equal(stat(test_path(folder, "long-out-00000-of-00001"), &st), 0);
    assert_int_equal(st.st_size, LONG + strlen("short\n\nend\n"));
}

/* What the system says of itself, in a file that is said to have no bytes. */
static void a_file_without_size(void **state)
{
    (void)state;
    static const beam_str line = STR("Linux");
    beam_pipeline *p = pipeline();
    beam_assert_that(beam_read_text(p, "/proc/sys/kernel/ostype"), beam_str, &line, 1);
    run_ok(p, NULL, false);
}

static void patterns(void **state)
{
    (void)state;
    beam_error err;
    beam_pipeline *p = pipeline();
    beam_read_text(p, test_path(folder, "none-*"));
    run_fails(p, NULL, BEAM_NOT_FOUND, &err);
    assert_mentions(&err, "no file matches");
    assert_mentions(&err, "none-*");
    p = pipeline();
    beam_assert_empty(beam_read_text(p, test_path(folder, "none-*"), .empty_match_allowed = true));
    run_ok(p, NULL, false);
    p = pipeline();
    beam_read_text(p, NULL);
    run_fails(p, NULL, BEAM_INVALID_ARGUMENT, &err);
    assert_mentions(&err, "needs a pattern");
    assert_mentions(&err, "test_io.c");
    p = pipeline();
    beam_read_text(p, folder); /* a folder is no file */
    run_fails(p, NULL, BEAM_NOT_FOUND, &err);
    p = pipeline();
    beam_read_text(p, "/dev/null");
    run_fails(p, NULL, BEAM_INVALID_ARGUMENT, &err);
    assert_mentions(&err, "/dev/null is a pipe or a device");
}

/* The reader's own folder is no pattern: odd1 is another one. */
static void relative(void **state)
{
    (void)state;
    static const beam_str line = STR("odd");
    char *before = getcwd(NULL, 0);
    assert_non_null(before);
    assert_int_equal(mkdir(test_path(folder, "odd1"), 0700), 0);
    test_write_file(test_path(folder, "odd1/file"), "other", 5);
    assert_int_equal(mkdir(test_path(folder, "odd[1]"), 0700), 0);
    test_write_file(test_path(folder, "odd[1]/file"), "odd", 3);
    assert_int_equal(chdir(test_path(folder, "odd[1]")), 0);
    beam_pipeline *p = pipeline();
    beam_assert_that(beam_read_text(p, "f*"), beam_str, &line, 1);
    assert_int_equal(chdir(before), 0);
    run_ok(p, NULL, false);
    free(before);
}

/* ---- Shards ------------------------------------------------------------------------------------
 */

static const beam_str fruit[] = {STR("apple"), STR("pear"), STR("fig"), STR("plum"), STR("kiwi")};

static beam_pcoll fruits(beam_pipeline *p)
{
    return beam_create(p, beam_str, fruit, 5);
}

static void shards_and_compression(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".txt", ".gz", ".zst"};
    for (int i = 0; i < 3; i++) {
        beam_pipeline *p = pipeline();
        char names[3][300];
        beam_str expected[3];
        for (int s = 0; s < 3; s++) {
            snprintf(names[s], sizeof names[s], "%s/s/x-0000%d-of-00003%s", folder, s, suffixes[i]);
            expected[s] = (beam_str){names[s], strlen(names[s])};
        }
        beam_pcoll written = beam_write_text(fruits(p), test_path(folder, "s/x"),
                                             .suffix = suffixes[i], .num_shards = 3);
        beam_assert_that(written, beam_str, expected, 3);
        run_ok(p, NULL, false);
        assert_int_equal(test_count_files(test_path(folder, "s")), 3);
        p = pipeline();
        char pattern[64];
        snprintf(pattern, sizeof pattern, "s/x-*%s", suffixes[i]);
        beam_assert_that(beam_read_text(p, test_path(folder, pattern)), beam_str, fruit, 5);
        run_ok(p, NULL, false);
        test_remove_folder(strdup(test_path(folder, "s")));
    }
}

static beam_status a_line_each_6_ms(beam_ctx *c, const beam_int64 *i)
{
    beam_str line = beam_format(c, "%lld", (long long)*i);
    return line.at ? beam_emit_at(c, 0, &line, *i * 6) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(a_line_each_6_ms_fn, beam_int64, a_line_each_6_ms, BEAM_TYPES(&beam_str_type));

/* Together the lines are one session; those of a shard alone are several. */
static void sessions_in_shards(void **state)
{
    (void)state;
    enum { LINES = 40 };
    beam_int64 numbers[LINES];
    for (int i = 0; i < LINES; i++)
        numbers[i] = i;
    beam_pipeline *p = pipeline();
    beam_pcoll lines = beam_pardo(beam_create(p, beam_int64, numbers, LINES), &a_line_each_6_ms_fn);
    lines = beam_window_into(lines, beam_sessions(10));
    beam_assert_count(beam_write_text(lines, test_path(folder, "e/x"), .num_shards = 2), 2);
    run_ok(p, NULL, false);
    p = pipeline();
    beam_assert_count(beam_read_text(p, test_path(folder, "e/x-0000?-of-00002")), LINES);
    run_ok(p, NULL, false);
}

/* Without windows, but with timestamps of groups other than the usual. */
static void timestamps_of_groups(void **state)
{
    (void)state;
    for (uint32_t shards = 0; shards < 2; shards++) {
        beam_pipeline *p = pipeline();
        beam_pcoll lines = beam_create(p, beam_str, fruit, 1);
        lines = beam_window_into(lines, (beam_windowing){.timestamp_combiner = BEAM_EARLIEST});
        beam_write_text(lines, test_path(folder, "timed/x"), .num_shards = shards);
        run_ok(p, NULL, false);
        assert_file("timed/x-00000-of-00001", "apple\n");
    }
}

static void one_file(void **state)
{
    (void)state;
    beam_pipeline *p = pipeline();
    beam_pcoll none = beam_create(p, beam_str, NULL, 0);
    beam_write_text(none, test_path(folder, "o/empty"));
    beam_write_text(none, test_path(folder, "o/framed"), .header = "<", .footer = ">");
    beam_write_text(beam_create(p, beam_str, fruit, 1), test_path(folder, "o/alone.txt"),
                    .num_shards = 1, .without_shard_name = true, .header = "first",
                    .footer = "last");
    run_ok(p, NULL, false);
    assert_file("o/empty-00000-of-00001", "");
    assert_file("o/framed-00000-of-00001", "<\n>\n");
    assert_file("o/alone.txt", "first\napple\nlast\n");
    assert_int_equal(test_count_files(test_path(folder, "o")), 3);
}

/* Finds its prefix not writable: nothing is left but what was there. */
static void unwritable(void **state)
{
    (void)state;
    beam_error err;
    test_write_file(test_path(folder, "file"), "x", 1);
    size_t before = test_count_files(folder);
    beam_pipeline *p = pipeline();
    beam_write_text(fruits(p), test_path(folder, "file/x"));
    run_fails(p, NULL, BEAM_ALREADY_EXISTS, &err);
    assert_mentions(&err, "file");
    assert_int_equal(test_count_files(folder), before);
}

static void wrong_arguments(void **state)
{
    (void)state;
    static const struct {
        beam_write_args args;
        const char *words;
    } cases[] = {
        {{.prefix = NULL}, "needs a prefix"},
        {{.prefix = ""}, "needs a prefix"},
        {{.prefix = "x", .without_shard_name = true}, "num_shards = 1"},
        {{.prefix = "x", .num_shards = 100000}, "at most 99999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_write_args args = cases[i].args;
        args.file = __FILE__;
        args.line = __LINE__;
        beam_error err;
        beam_pipeline *p = pipeline();
        beam_write_text_(fruits(p), &args);
        run_fails(p, NULL, BEAM_INVALID_ARGUMENT, &err);
        assert_mentions(&err, cases[i].words);
        assert_mentions(&err, "test_io.c");
    }
    beam_error err;
    beam_pipeline *p = pipeline();
    const beam_bytes record = {"r", 1};
    beam_write_tfrecord(beam_create(p, beam_bytes, &record, 1), test_path(folder, "r"),
                        .header = "#");
    run_fails(p, NULL, BEAM_INVALID_ARGUMENT, &err);
    assert_mentions(&err, "header and footer");
}

/* Which files of two sinks are the same, of which one would be lost. */
static void sinks_that_share_names(void **state)
{
    (void)state;
    static const struct {
        const char *second;
        beam_write_args a, b;
        int64_t windows[2];
        bool same;
    } cases[] = {
        {"c/x", {0}, {0}, {0}, true},
        {"c/x", {0}, {.suffix = ".txt"}, {0}, false},
        {"c/x", {.suffix = ".txt"}, {.suffix = ".csv"}, {0}, false},
        {"c/x1", {0}, {0}, {0}, false},
        {"c/x", {.num_shards = 3}, {0}, {0}, true},
        {"c/x", {.num_shards = 3}, {.num_shards = 3}, {0}, true},
        {"c/x", {.num_shards = 3}, {.num_shards = 5}, {0}, false},
        {"c/x", {.num_shards = 1}, {.num_shards = 1, .without_shard_name = true}, {0}, false},
        {"c/x.txt",
         {.num_shards = 1, .without_shard_name = true, .suffix = ".txt"},
         {.num_shards = 1, .without_shard_name = true},
         {0},
         true},
        {"c/x-00000-of-00004", {0}, {.num_shards = 1, .without_shard_name = true}, {0}, true},
        {"c/x", {0}, {0}, {60000}, false},
        {"c/x", {0}, {0}, {60000, 60000}, true},
        {"c/x", {0}, {0}, {60000, 3600000}, false},
        {"c//./not-there/../x", {0}, {0}, {0}, true},
        {"c/link/x", {0}, {0}, {0}, true}, /* to c */
        {"c/link/../x", {0}, {0}, {0}, false},
    };
    assert_int_equal(mkdir(test_path(folder, "c"), 0700), 0);
    assert_int_equal(symlink(".", test_path(folder, "c/link")), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_write_args args[2] = {cases[i].a, cases[i].b};
        beam_pipeline *p = pipeline();
        beam_error err = {0};
        for (int s = 0; s < 2; s++) {
            beam_pcoll lines = fruits(p);
            if (cases[i].windows[s])
                lines = beam_window_into(lines, beam_fixed_windows(cases[i].windows[s]));
            args[s].name = s ? "Second" : "First";
            args[s].file = "main.c";
            args[s].line = 10 + s;
            args[s].prefix = test_path(folder, s ? cases[i].second : "c/x");
            beam_write_text_(lines, &args[s]);
        }
        if (beam_pipeline_status(p, &err) != (cases[i].same ? BEAM_INVALID_ARGUMENT : BEAM_OK))
            fail_msg("case %zu: %s", i, err.message);
        if (cases[i].same) {
            assert_mentions(&err, "main.c:11: transform 'Second': ");
            assert_mentions(&err, "as transform 'First' (main.c:10) does");
            assert_mentions(&err, "/c/x");
        }
        beam_pipeline_free(p);
    }
}

/* ---- Tries that fail ----------------------------------------------------------------------------
 */

static int tries;

static beam_status twice_wrong(beam_ctx *c, const beam_str *s)
{
    if (s->len == 3 && __atomic_add_fetch(&tries, 1, __ATOMIC_RELAXED) < 3)
        return beam_fail(c, BEAM_UNAVAILABLE, "not yet");
    return beam_emit_value(c, beam_str, s);
}
BEAM_DOFN(twice_wrong_fn, beam_str, twice_wrong, BEAM_TYPES(&beam_str_type));

static beam_status always_wrong(beam_ctx *c, const beam_str *s)
{
    if (s->len == 3)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "too short");
    return beam_emit_value(c, beam_str, s);
}
BEAM_DOFN(always_wrong_fn, beam_str, always_wrong, BEAM_TYPES(&beam_str_type));

static void retried(void **state)
{
    (void)state;
    tries = 0;
    beam_pipeline *p = pipeline();
    beam_write_text(beam_pardo(fruits(p), &twice_wrong_fn), test_path(folder, "t/x"));
    run_ok(p, NULL, false);
    assert_true(tries >= 3);
    p = pipeline();
    beam_assert_that(beam_read_text(p, test_path(folder, "t/x-*")), beam_str, fruit, 5);
    run_ok(p, NULL, false);
}

static void failed(void **state)
{
    (void)state;
    beam_error err;
    beam_pipeline *p = pipeline();
    beam_write_text(beam_pardo(fruits(p), &always_wrong_fn, .name = "Judge"),
                    test_path(folder, "u/v/x"));
    run_fails(p, NULL, BEAM_INVALID_ARGUMENT, &err);
    assert_mentions(&err, "Judge");
    assert_mentions(&err, "fig");
    struct stat st; /* the folders that were made for the output are gone, others stay */
    assert_int_equal(stat(test_path(folder, "u"), &st), -1);
    assert_int_equal(stat(folder, &st), 0);
}

/* ---- Publishing, alone --------------------------------------------------------------------------
 */

static beam_write_config to_publish(const char *prefix, int64_t num_shards)
{
    return (beam_write_config){.prefix = beam_str_of(prefix),
                               .temp_folder = beam_str_of(test_path(folder, "p/.temp")),
                               .compression = BEAM_COMPRESSION_NONE,
                               .num_shards = num_shards};
}

/* "p/.temp", empty, for the length of a test. */
static int make_p(void **state)
{
    (void)state;
    return mkdir(test_path(folder, "p"), 0700) || mkdir(test_path(folder, "p/.temp"), 0700);
}

static int remove_p(void **state)
{
    (void)state;
    test_remove_folder(strdup(test_path(folder, "p")));
    return 0;
}

/* The second half of writing, for temporary files that bundles are said to have written. */
static beam_pipeline *publishing(const beam_write_config *config, const char *const *temps,
                                 size_t n)
{
    beam_temp_file files[4];
    for (size_t i = 0; i < n; i++)
        files[i] = (beam_temp_file){0, beam_str_of(temps[i])};
    beam_pipeline *p = pipeline();
    beam_pcoll names = beam_group_by_key(beam_create(p, beam_temp_file, files, n));
    beam_pardo(names, &beam_publish_fn, .config = config);
    return p;
}

static void shards_without_elements(void **state)
{
    (void)state;
    char prefix[300], one[300], three[300], name[64];
    snprintf(prefix, sizeof prefix, "%s/p/x", folder);
    snprintf(one, sizeof one, "%s/p/.temp/00001-b", folder);
    snprintf(three, sizeof three, "%s/p/.temp/00003-a", folder);
    const beam_write_config config = to_publish(prefix, 5);
    test_write_file(one, "1", 1);
    test_write_file(three, "3", 1);
    run_ok(publishing(&config, (const char *const[]){three, one}, 2), NULL, false);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "p/x-0000%d-of-00005", i);
        assert_file(name, i == 1 ? "1" : i == 3 ? "3" : "");
    }
}

/* A file of an earlier run is none of this one's, though it has the name. */
static void after_an_earlier_run(void **state)
{
    (void)state;
    char prefix[300], gone[300];
    snprintf(prefix, sizeof prefix, "%s/p/x", folder);
    snprintf(gone, sizeof gone, "%s/p/.temp/00000-a", folder);
    const beam_write_config config = to_publish(prefix, 0);
    test_write_file(test_path(folder, "p/x-00000-of-00001"), "earlier", 7);
    beam_error err;
    run_fails(publishing(&config, (const char *const[]){gone}, 1), NULL, BEAM_DATA_LOSS, &err);
    assert_mentions(&err, gone);
    assert_file("p/x-00000-of-00001", "earlier");
}

/* Something is in the way of the second file; once it is gone, the next try does what is left. */
static void half_published(void **state)
{
    (void)state;
    char prefix[300], first[300], second[300], in_the_way[300];
    snprintf(prefix, sizeof prefix, "%s/p/x", folder);
    snprintf(first, sizeof first, "%s/p/.temp/00000-a", folder);
    snprintf(second, sizeof second, "%s/p/.temp/00000-b", folder);
    snprintf(in_the_way, sizeof in_the_way, "%s/p/x-00001-of-00002", folder);
    const beam_write_config config = to_publish(prefix, 0);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    test_write_file(first, "1", 1);
    test_write_file(second, "2", 1);
    const char *const temps[] = {second, first};
    beam_error err;
    run_fails(publishing(&config, temps, 2), NULL, BEAM_INVALID_ARGUMENT, &err);
    assert_mentions(&err, in_the_way);
    assert_int_equal(access(first, F_OK), -1);
    assert_int_equal(rmdir(in_the_way), 0);
    run_ok(publishing(&config, temps, 2), NULL, false);
    run_ok(publishing(&config, temps, 2), NULL, false); /* and once more */
    assert_file("p/x-00000-of-00002", "1");
    assert_file("p/x-00001-of-00002", "2");
}

/* ---- What a power failure would find ------------------------------------------------------------
 */

/* Instead of libc's: what was synced and renamed, in this order. */
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static char journal[16384];

static void note(const char *what, const char *path)
{
    pthread_mutex_lock(&journal_lock);
    size_t len = strlen(journal);
    snprintf(journal + len, sizeof journal - len, "%s %s\n", what, path);
    pthread_mutex_unlock(&journal_lock);
}

int fsync(int fd)
{
    char link[64], path[300] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) > 0)
        note("sync", path);
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    note("rename", from);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void files_are_synced(void **state)
{
    (void)state;
    char last[300], name[300];
    beam_pipeline *p = pipeline();
    beam_write_text(fruits(p), test_path(folder, "y/x"), .num_shards = 7); /* two are empty */
    journal[0] = '\0';
    run_ok(p, NULL, false);
    snprintf(last, sizeof last, "sync %s/y\n", folder);
    const char *folder_synced = strstr(journal, last);
    assert_non_null(folder_synced);
    size_t renamed = 0;
    for (const char *at = journal; (at = strstr(at, "rename ")); renamed++) {
        at += strlen("rename ");
        snprintf(name, sizeof name, "sync %.*s\n", (int)strcspn(at, "\n"), at);
        const char *synced = strstr(journal, name);
        if (!synced || synced > at || at > folder_synced)
            fail_msg("not synced in time: %s\n%s", name, journal);
    }
    assert_int_equal(renamed, 8); /* with the note that all were found */
    test_remove_folder(strdup(test_path(folder, "y")));
}

/* ---- Records and whole files -------------------------------------------------------------------
 */

static void records(void **state)
{
    (void)state;
    const beam_bytes all[] = {{"", 0}, {"\0\n\xff", 3}, {"record", 6}};
    beam_pipeline *p = pipeline();
    beam_write_tfrecord(beam_create(p, beam_bytes, all, 3), test_path(folder, "r/x"),
                        .suffix = ".gz");
    run_ok(p, NULL, false);
    p = pipeline();
    beam_assert_that(beam_read_tfrecord(p, test_path(folder, "r/x-*.gz")), beam_bytes, all, 3);
    run_ok(p, NULL, false);
    test_write_file(test_path(folder, "r/torn"), "\1\0\0\0\0\0\0\0", 8);
    beam_error err;
    p = pipeline();
    beam_read_tfrecord(p, test_path(folder, "r/torn"));
    run_fails(p, NULL, BEAM_DATA_LOSS, &err);
    assert_mentions(&err, "torn");
}

static void whole_files(void **state)
{
    (void)state;
    test_write_file(test_path(folder, "w1"), "whole\n", 6);
    beam_pipeline *p = pipeline();
    beam_pcoll read = beam_read_files(beam_match_files(p, test_path(folder, "w1")));
    const beam_file_contents expected = {beam_str_of(test_path(folder, "w1")), {"whole\n", 6}};
    beam_assert_that(read, beam_file_contents, &expected, 1);
    run_ok(p, NULL, false);
    beam_error err;
    p = pipeline();
    beam_read_files(beam_match_files(p, test_path(folder, "w1")), .max_size = 5);
    run_fails(p, NULL, BEAM_OUT_OF_RANGE, &err);
    assert_mentions(&err, "w1");
    assert_mentions(&err, "max_size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_very_long_line), /* first: what others held would count */
        cmocka_unit_test(every_cut),
        cmocka_unit_test(a_file_that_changes),
        cmocka_unit_test(long_lines_and_empty_files),
        cmocka_unit_test(a_file_without_size),
        cmocka_unit_test(patterns),
        cmocka_unit_test(relative),
        cmocka_unit_test(shards_and_compression),
        cmocka_unit_test(sessions_in_shards),
        cmocka_unit_test(timestamps_of_groups),
        cmocka_unit_test(one_file),
        cmocka_unit_test(unwritable),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(sinks_that_share_names),
        cmocka_unit_test(retried),
        cmocka_unit_test(failed),
        cmocka_unit_test_setup_teardown(shards_without_elements, make_p, remove_p),
        cmocka_unit_test_setup_teardown(after_an_earlier_run, make_p, remove_p),
        cmocka_unit_test_setup_teardown(half_published, make_p, remove_p),
        cmocka_unit_test(files_are_synced),
        cmocka_unit_test(records),
        cmocka_unit_test(whole_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
