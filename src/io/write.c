/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* write.c - files that appear whole or not at all, however often a runner tries.
 *
 *     elements -> [write: a temporary file a try] -> names -> GroupByKey -> [publish]
 *
 * A temporary name is of one try alone, so tries never meet.  Only names of tries that
 * succeeded pass the GroupByKey, which is a barrier: publish sees all of them, sorts them and
 * renames each to its shard's name.  Doing that again after half of it was done does the
 * other half.  All temporary files lie in one folder that goes when the run has ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "io/library.h"
#include "io/stream.h"
#include "io/tfrecord.h"

enum { MOST_OPEN = 16, NAME_SIZE = 64 };

static beam_status random_name(char name[NAME_SIZE], int64_t shard)
{
    uint64_t bits[2];
    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        return BEAM_UNAVAILABLE;
    snprintf(name, NAME_SIZE, "%05lld-%016llx%016llx", (long long)shard,
             (unsigned long long)bits[0], (unsigned long long)bits[1]);
    return BEAM_OK;
}

/* ---- One temporary file ------------------------------------------------------------------ */

static beam_status write_line(beam_output_file *file, beam_str line, beam_error *err)
{
    BEAM_TRY(beam_output_write(file, line.at, line.len, err));
    return beam_output_write(file, "\n", 1, err);
}

static beam_status write_element(beam_ctx *c, beam_output_file *file, const void *element)
{
    if (beam_config(c, beam_write_config)->records)
        return beam_tfrecord_write(file, *(const beam_bytes *)element, beam_ctx_error(c));
    return write_line(file, *(const beam_str *)element, beam_ctx_error(c));
}

static beam_status open_temp(beam_ctx *c, int64_t shard, beam_output_file **file)
{
    const beam_write_config *config = beam_config(c, beam_write_config);
    char name[NAME_SIZE];
    if (random_name(name, shard) != BEAM_OK)
        return beam_fail(c, BEAM_UNAVAILABLE, "the system gives no random numbers");
    beam_str path =
        beam_format(c, "%.*s/%s", (int)config->temp_folder.len, config->temp_folder.at, name);
    if (!path.at)
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    char *text = beam_cstr(c, path);
    if (!text)
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    BEAM_TRY(
        beam_output_open(text, (beam_compression)config->compression, file, beam_ctx_error(c)));
    if (config->header.len) {
        beam_status status = write_line(*file, config->header, beam_ctx_error(c));
        if (status != BEAM_OK) {
            beam_output_abandon(*file);
            *file = NULL;
            return status;
        }
    }
    return BEAM_OK;
}

/* Closes the file and emits its name with `info`. */
static beam_status close_temp(beam_ctx *c, beam_output_file *file, const beam_element_info *info)
{
    const beam_write_config *config = beam_config(c, beam_write_config);
    size_t len = strlen(beam_output_path(file));
    char *path = beam_bundle_alloc(c, len + 1);
    if (!path) {
        beam_output_abandon(file);
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    }
    memcpy(path, beam_output_path(file), len + 1);
    if (config->footer.len) {
        beam_status status = write_line(file, config->footer, beam_ctx_error(c));
        if (status != BEAM_OK) {
            beam_output_abandon(file);
            return status;
        }
    }
    BEAM_TRY(beam_output_close(file, beam_ctx_error(c)));
    const beam_temp_file done = {0, {path, len}};
    return beam_emit_with(c, 0, &done, info);
}

/* Also checks early that there is a place to write to. */
static beam_status setup(beam_ctx *c)
{
    char *folder = beam_cstr(c, beam_config(c, beam_write_config)->temp_folder);
    if (!folder)
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    return beam_fs_make_folder(folder, beam_ctx_error(c));
}

/* ---- As many files as there are bundles (and windows in them) ------------------------------- */

typedef struct open_file {
    beam_window window;
    const beam_element_info *info; /* of its first element */
    beam_output_file *file;
} open_file;

typedef struct write_state {
    open_file open[MOST_OPEN];
    size_t n;
} write_state;

static beam_status close_oldest(beam_ctx *c)
{
    write_state *s = beam_self(c, write_state);
    open_file oldest = s->open[0];
    memmove(&s->open[0], &s->open[1], --s->n * sizeof s->open[0]);
    return close_temp(c, oldest.file, oldest.info);
}

static beam_status file_of(beam_ctx *c, const beam_window *window, beam_output_file **file)
{
    write_state *s = beam_self(c, write_state);
    for (size_t i = 0; i < s->n; i++)
        if (s->open[i].window.start == window->start && s->open[i].window.end == window->end) {
            *file = s->open[i].file;
            return BEAM_OK;
        }
    if (s->n == MOST_OPEN)
        BEAM_TRY(close_oldest(c));
    const beam_element_info *now = beam_info(c);
    beam_window *copy = beam_bundle_alloc(c, sizeof *copy);
    beam_element_info *info = beam_bundle_alloc(c, sizeof *info);
    if (!copy || !info)
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    *copy = *window;
    *info = (beam_element_info){now->timestamp, copy, 1, now->pane};
    BEAM_TRY(open_temp(c, 0, file));
    s->open[s->n++] = (open_file){*window, info, *file};
    return BEAM_OK;
}

static beam_status write_process(beam_ctx *c, const void *element)
{
    const beam_element_info *info = beam_info(c);
    for (uint32_t w = 0; w < info->n_windows; w++) {
        beam_output_file *file;
        BEAM_TRY(file_of(c, &info->windows[w], &file));
        BEAM_TRY(write_element(c, file, element));
    }
    return BEAM_OK;
}

static beam_status write_finish(beam_ctx *c)
{
    while (beam_self(c, write_state)->n)
        BEAM_TRY(close_oldest(c));
    return BEAM_OK;
}

/* What is still open is of a bundle that failed. */
static void write_teardown(beam_ctx *c)
{
    write_state *s = beam_self(c, write_state);
    while (s->n)
        beam_output_abandon(s->open[--s->n].file);
}

#define WRITE_FN(NAME, IN)                                     \
    const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),  \
                            .name = #NAME,                     \
                            .in = &IN,                         \
                            BEAM_TYPES(&beam_temp_file_type),  \
                            .config = &beam_write_config_type, \
                            .state_size = sizeof(write_state), \
                            .setup = setup,                    \
                            .process = write_process,          \
                            .finish_bundle = write_finish,     \
                            .teardown = write_teardown}
WRITE_FN(beam_write_text_fn, beam_str_type);
WRITE_FN(beam_write_records_fn, beam_bytes_type);

/* ---- A given number of shards --------------------------------------------------------------- */

typedef struct shard_state {
    uint64_t next;
} shard_state;

/* Round robin from a place of its own, so that many small bundles fill all shards. */
static beam_status shard_setup(beam_ctx *c)
{
    shard_state *s = beam_self(c, shard_state);
    if (getrandom(&s->next, sizeof s->next, 0) != (ssize_t)sizeof s->next)
        s->next = 0;
    return BEAM_OK;
}

static beam_status shard_process(beam_ctx *c, const void *element)
{
    uint64_t shards = (uint64_t)beam_config(c, beam_write_config)->num_shards;
    const beam_sharded_bytes out = {(int64_t)(beam_self(c, shard_state)->next++ % shards),
                                    *(const beam_bytes *)element};
    return beam_emit_element(c, 0, &out);
}
_Static_assert(sizeof(beam_str) == sizeof(beam_bytes) &&
                   offsetof(beam_str, len) == offsetof(beam_bytes, len),
               "text and bytes are handled by the same code");

#define SHARD_FN(NAME, IN, OUT)                                \
    const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),  \
                            .name = #NAME,                     \
                            .in = &IN,                         \
                            BEAM_TYPES(&OUT),                  \
                            .config = &beam_write_config_type, \
                            .state_size = sizeof(shard_state), \
                            .setup = shard_setup,              \
                            .process = shard_process}
SHARD_FN(beam_shard_text_fn, beam_str_type, beam_sharded_text_type);
SHARD_FN(beam_shard_records_fn, beam_bytes_type, beam_sharded_bytes_type);

static beam_status write_shard(beam_ctx *c, const void *element)
{
    const beam_shard *shard = element;
    beam_output_file *file;
    BEAM_TRY(open_temp(c, shard->key, &file));
    beam_iter it = beam_iterate(&shard->values, beam_bytes);
    const beam_bytes *value;
    beam_status status = BEAM_OK;
    while (status == BEAM_OK && (value = beam_next(&it, beam_bytes)))
        status = write_element(c, file, value);
    if (status == BEAM_OK)
        status = it.status;
    if (status != BEAM_OK) {
        beam_output_abandon(file);
        return status;
    }
    return close_temp(c, file, beam_info(c));
}

#define WRITE_SHARD_FN(NAME, IN)                               \
    const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),  \
                            .name = #NAME,                     \
                            .in = &IN,                         \
                            BEAM_TYPES(&beam_temp_file_type),  \
                            .config = &beam_write_config_type, \
                            .setup = setup,                    \
                            .process = write_shard}
WRITE_SHARD_FN(beam_write_text_shard_fn, beam_text_shard_type);
WRITE_SHARD_FN(beam_write_record_shard_fn, beam_shard_type);

/* ---- Publishing ------------------------------------------------------------------------------ */

/* Makes the global window's group exist even when nothing was written. */
static beam_status no_file(beam_ctx *c, const void *impulse)
{
    (void)impulse;
    return beam_emit(c, beam_temp_file, 0, {"", 0});
}

const beam_dofn beam_no_file_fn = {.struct_size = sizeof(beam_dofn),
                                   .name = "beam_no_file_fn",
                                   .in = &beam_bytes_type,
                                   BEAM_TYPES(&beam_temp_file_type),
                                   .process = no_file};

typedef struct name_list {
    char **names;
    size_t n, capacity;
} name_list;

static beam_status collect(beam_ctx *c, const beam_temp_files *files, name_list *list)
{
    beam_iter it = beam_iterate(&files->values, beam_str);
    const beam_str *path;
    while ((path = beam_next(&it, beam_str))) {
        if (path->len == 0)
            continue;
        if (list->n == list->capacity) {
            size_t capacity = list->capacity ? list->capacity * 2 : 64;
            char **grown = beam_bundle_alloc(c, capacity * sizeof *grown);
            if (!grown)
                return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
            if (list->n)
                memcpy(grown, list->names, list->n * sizeof *grown);
            list->names = grown;
            list->capacity = capacity;
        }
        list->names[list->n] = beam_bundle_alloc(c, path->len + 1);
        if (!list->names[list->n])
            return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        memcpy(list->names[list->n], path->at, path->len);
        list->names[list->n++][path->len] = '\0';
    }
    return it.status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void format_time(beam_timestamp t, char out[40])
{
    time_t seconds = (time_t)(t >= 0 ? t / 1000 : -((-t + 999) / 1000));
    struct tm parts;
    size_t n = 0;
    if (gmtime_r(&seconds, &parts))
        n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + n, 40 - n, n ? ".%03dZ" : "%d", (int)(t - (beam_timestamp)seconds * 1000));
}

/* "prefix[-start-end]-00001-of-00004.txt" */
static char *final_name(beam_ctx *c, size_t shard, size_t shards)
{
    const beam_write_config *config = beam_config(c, beam_write_config);
    char window[96] = "", number[64] = "";
    if (config->windowed) {
        const beam_window *w = beam_info(c)->windows;
        char start[40], end[40];
        format_time(w->start, start);
        format_time(w->end, end);
        snprintf(window, sizeof window, "-%s-%s", start, end);
    }
    if (!config->without_shard_name)
        snprintf(number, sizeof number, "-%05zu-of-%05zu", shard, shards);
    beam_str name = beam_format(c, "%.*s%s%s%.*s", (int)config->prefix.len, config->prefix.at,
                                window, number, (int)config->suffix.len, config->suffix.at);
    return name.at ? beam_cstr(c, name) : NULL;
}

/* A shard that got no element is a file all the same, with header and footer. */
static beam_status make_empty(beam_ctx *c, int64_t shard, const char *final)
{
    const beam_write_config *config = beam_config(c, beam_write_config);
    beam_output_file *file;
    BEAM_TRY(open_temp(c, shard, &file));
    char *path = beam_cstr(c, beam_str_of(beam_output_path(file)));
    beam_status status = path ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    if (status == BEAM_OK && config->footer.len)
        status = write_line(file, config->footer, beam_ctx_error(c));
    if (status != BEAM_OK) {
        beam_output_abandon(file);
        return status;
    }
    BEAM_TRY(beam_output_close(file, beam_ctx_error(c)));
    return beam_fs_rename(path, final, beam_ctx_error(c));
}

/* The first try finds all temporary files, and notes that beside them.  After that one may be gone,
 * since it was renamed; before, a file that has the final name is of an earlier run. */
static beam_status begin(beam_ctx *c, const name_list *list)
{
    bool there = true;
    const char *name = NULL;
    if (list->n == 0)
        return BEAM_OK;
    beam_str note = beam_format(c, "%s.found", list->names[0]);
    char *path = note.at ? beam_cstr(c, note) : NULL;
    if (!path)
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; there && i < list->n; i++) {
        name = list->names[i];
        BEAM_TRY(beam_fs_exists(name, &there, beam_ctx_error(c)));
    }
    if (there)
        return beam_fs_write(path, "", 0, beam_ctx_error(c));
    BEAM_TRY(beam_fs_exists(path, &there, beam_ctx_error(c)));
    if (there)
        return BEAM_OK;
    return beam_fail(c, BEAM_DATA_LOSS,
                     "the temporary file %s is gone, so there is nothing to publish; was it "
                     "removed, or do workers write to disks that others do not see?",
                     name);
}

static beam_status publish_one(beam_ctx *c, const char *temp, size_t shard, const char *final)
{
    beam_error why = {0};
    bool done = false;
    if (!temp)
        return make_empty(c, (int64_t)shard, final);
    beam_status status = beam_fs_rename(temp, final, &why);
    if (status == BEAM_NOT_FOUND)
        BEAM_TRY(beam_fs_exists(final, &done, beam_ctx_error(c)));
    if (status == BEAM_OK || done) /* by an earlier try */
        return BEAM_OK;
    return beam_fail(c, status, "%s", why.message);
}

/* With a given number of shards a temporary file's name begins with its shard's. */
static size_t shard_of(const char *temp)
{
    const char *slash = strrchr(temp, '/');
    return slash ? (size_t)strtoull(slash + 1, NULL, 10) : 0;
}

/* The temporary file of a shard, or NULL where it is empty.  Shards are asked for in their order,
 * which is the sorted list's too, so that a look at where the last one was, *at, is enough. */
static const char *temp_of(const beam_write_config *config, const name_list *list, size_t shard,
                           size_t *at)
{
    if (config->num_shards == 0)
        return shard < list->n ? list->names[shard] : NULL;
    while (*at < list->n && shard_of(list->names[*at]) < shard)
        ++*at;
    return *at < list->n && shard_of(list->names[*at]) == shard ? list->names[*at] : NULL;
}

static beam_status publish(beam_ctx *c, const void *element)
{
    const beam_write_config *config = beam_config(c, beam_write_config);
    name_list list = {0};
    char *final = NULL;
    BEAM_TRY(collect(c, element, &list));
    if (list.n)
        qsort(list.names, list.n, sizeof *list.names, by_name);
    BEAM_TRY(begin(c, &list));
    size_t shards = config->num_shards ? (size_t)config->num_shards : list.n ? list.n : 1, at = 0;
    for (size_t i = 0; i < shards; i++) {
        final = final_name(c, i, shards);
        if (!final)
            return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        BEAM_TRY(publish_one(c, temp_of(config, &list, i, &at), i, final));
        BEAM_TRY(beam_emit(c, beam_str, final, strlen(final)));
    }
    beam_fs_settle(final); /* they all lie in one folder, and there is at least one */
    return BEAM_OK;
}

const beam_dofn beam_publish_fn = {.struct_size = sizeof(beam_dofn),
                                   .name = "beam_publish_fn",
                                   .in = &beam_temp_files_type,
                                   BEAM_TYPES(&beam_str_type),
                                   .config = &beam_write_config_type,
                                   .setup = setup,
                                   .process = publish};

/* ---- The composite ------------------------------------------------------------------------- */

enum { MOST_PATH = 4096 };

/* What goes at the end of a run: the temporary folder, and of the folders above it those that
 * were not there before and stayed empty, since the run failed. */
typedef struct cleanup {
    size_t existing; /* bytes of the path that were there when the pipeline was built */
    char folder[MOST_PATH];
} cleanup;

static void clean(const void *arg)
{
    cleanup it = *(const cleanup *)arg;
    (void)beam_fs_remove_folder(it.folder, NULL); /* what is left is named .beam-temp-... */
    for (char *slash; (slash = strrchr(it.folder, '/'));) {
        *slash = '\0';
        if (strlen(it.folder) <= it.existing || !beam_fs_remove_empty(it.folder))
            return;
    }
}

static size_t existing_part(const char *path)
{
    char part[MOST_PATH];
    bool exists;
    if (!beam_fs_is_local(path))
        return strlen(path); /* there are no folders to be left empty */
    snprintf(part, sizeof part, "%s", path);
    for (char *slash; (slash = strrchr(part, '/'));) {
        *slash = '\0';
        if (beam_fs_exists(part, &exists, NULL) == BEAM_OK && exists)
            return strlen(part);
    }
    return 0;
}

static bool check_args(beam_pcoll in, const beam_write_args *args, bool records)
{
    const char *wrong = NULL;
    if (!args->prefix || !*args->prefix)
        wrong = "needs a prefix: a path and the beginning of the files' names";
    else if (args->without_shard_name && args->num_shards != 1)
        wrong = "without_shard_name needs num_shards = 1";
    else if (records && (args->header || args->footer))
        wrong = "header and footer are lines, which a file of records has none of";
    else if (args->num_shards > 99999)
        wrong = "num_shards is at most 99999";
    if (wrong)
        beam_pipeline_fail(in.pipeline, BEAM_INVALID_ARGUMENT, "%s:%d: writing files %s",
                           args->file, args->line, wrong);
    return !wrong;
}

static beam_str str_or_empty(const char *text)
{
    return text ? beam_str_of(text) : (beam_str){"", 0};
}

/* "dir/.beam-temp-name-<random>" for the prefix "dir/name". */
static beam_status temp_folder(const char *prefix, char *out, size_t size)
{
    char name[NAME_SIZE];
    BEAM_TRY(random_name(name, 0));
    const char *slash = strrchr(prefix, '/');
    int folder = slash ? (int)(slash - prefix) + 1 : 0;
    int n = snprintf(out, size, "%.*s.beam-temp-%s-%s", folder, prefix, slash ? slash + 1 : prefix,
                     name);
    return n > 0 && (size_t)n < size ? BEAM_OK : BEAM_INVALID_ARGUMENT;
}

/* A session is its key's own.  Here keys are shards, whose sessions would be others, and of the
 * names of all shards others again: several files would come to have one name.  And the names of
 * files for want of elements are in the global window as it is by itself: what other timestamps of
 * groups it was given has no place beside them. */
static beam_pcoll in_plain_windows(beam_pcoll in)
{
    const beam_windowing windowing = beam_pcoll_windowing(in);
    if (windowing.kind == BEAM_FIXED_WINDOWS || windowing.kind == BEAM_SLIDING_WINDOWS ||
        (windowing.kind == BEAM_GLOBAL_WINDOWS &&
         windowing.timestamp_combiner == BEAM_END_OF_WINDOW))
        return in;
    return beam_window_into(in, (beam_windowing){0}, .name = "InOneWindow");
}

static beam_pcoll temp_files(beam_pcoll in, const beam_write_config *config)
{
    if (config->num_shards == 0)
        return beam_pardo(in, config->records ? &beam_write_records_fn : &beam_write_text_fn,
                          .name = "WriteBundles", .config = config);
    beam_pcoll shards =
        beam_pardo(in, config->records ? &beam_shard_records_fn : &beam_shard_text_fn,
                   .name = "Shard", .config = config);
    return beam_pardo(beam_group_by_key(shards, .name = "GroupShards"),
                      config->records ? &beam_write_record_shard_fn : &beam_write_text_shard_fn,
                      .name = "WriteShards", .config = config);
}

/* Tells of the names, among which those of the windows of one size are not told apart. */
static void tell_names(beam_pipeline *p, const beam_write_config *config, int64_t window_size)
{
    static const char any[] = "\?\?\?\?\?";
    char window[64] = "", shards[16] = "", number[64] = "", *canonical = NULL;
    beam_error err = {0};
    if (config->windowed)
        snprintf(window, sizeof window, "-[window of %lld ms]", (long long)window_size);
    if (config->num_shards)
        snprintf(shards, sizeof shards, "%05lld", (long long)config->num_shards);
    if (!config->without_shard_name)
        snprintf(number, sizeof number, "-%s-of-%s", any, *shards ? shards : any);
    char *names = beam_asprintf("%.*s%s%s%.*s", (int)config->prefix.len, config->prefix.at, window,
                                number, (int)config->suffix.len, config->suffix.at);
    if (!names)
        (void)beam_pipeline_fail(p, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    else if (beam_fs_canonical(names, &canonical, &err) != BEAM_OK)
        (void)beam_pipeline_fail(p, err.code, "%s", err.message);
    else
        beam_pipeline_writes_files(p, canonical);
    beam_free(canonical);
    beam_free(names);
}

static beam_pcoll write_below(beam_pcoll in, const beam_write_args *args, const char *name,
                              bool records)
{
    beam_pipeline *p = in.pipeline;
    char temp[MOST_PATH];
    if (temp_folder(args->prefix, temp, sizeof temp) != BEAM_OK) {
        beam_pipeline_fail(p, BEAM_INVALID_ARGUMENT, "%s:%d: the prefix is too long", args->file,
                           args->line);
        return (beam_pcoll){p, 0};
    }
    beam_write_config config = {
        .prefix = str_or_empty(args->prefix),
        .suffix = str_or_empty(args->suffix),
        .header = str_or_empty(args->header),
        .footer = str_or_empty(args->footer),
        .temp_folder = beam_str_of(temp),
        .num_shards = args->num_shards,
        .without_shard_name = args->without_shard_name,
        .records = records,
    };
    const bool ends_in_prefix = args->without_shard_name && config.suffix.len == 0;
    config.compression =
        beam_compression_of(args->compression, ends_in_prefix ? config.prefix : config.suffix);
    beam_composite_begin_at(p, args->name ? args->name : name, NULL, args->file, args->line);
    cleanup at_end = {.existing = existing_part(temp)};
    memcpy(at_end.folder, temp, strlen(temp) + 1);
    beam_pipeline_at_end(p, clean, &at_end, sizeof at_end);
    in = in_plain_windows(in);
    config.windowed = beam_pcoll_windowing(in).kind != BEAM_GLOBAL_WINDOWS;
    tell_names(p, &config, beam_pcoll_windowing(in).size);
    beam_pcoll written[2] = {temp_files(in, &config)};
    size_t n = 1;
    if (!config.windowed)
        written[n++] = beam_pardo(beam_impulse(p), &beam_no_file_fn, .name = "AtLeastOne");
    beam_pcoll names = n == 1 ? written[0] : beam_flatten(written, n);
    beam_pcoll files = beam_pardo(beam_group_by_key(names, .name = "GatherFiles"), &beam_publish_fn,
                                  .name = "Publish", .config = &config);
    beam_composite_end(p);
    return files;
}

static beam_pcoll write_files(beam_pcoll in, const beam_write_args *args, const char *name,
                              bool records)
{
    beam_write_args absolute = *args;
    char *prefix = NULL;
    beam_error err = {0};
    if (!check_args(in, args, records))
        return (beam_pcoll){in.pipeline, 0};
    if (beam_fs_absolute(args->prefix, &prefix, &err) != BEAM_OK) {
        beam_pipeline_fail(in.pipeline, err.code, "%s:%d: %s", args->file, args->line, err.message);
        return (beam_pcoll){in.pipeline, 0};
    }
    absolute.prefix = prefix;
    beam_pcoll files = write_below(in, &absolute, name, records);
    beam_free(prefix);
    return files;
}

beam_pcoll beam_write_text_(beam_pcoll lines, const beam_write_args *args)
{
    return write_files(lines, args, "WriteToText", false);
}

beam_pcoll beam_write_tfrecord_(beam_pcoll records, const beam_write_args *args)
{
    return write_files(records, args, "WriteToTFRecord", true);
}
