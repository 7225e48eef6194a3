/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* copy.c - beam copy FROM TO: a file to Cloud Storage, from there, or within it. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "beam/verbs.h"
#include "io/filesystem.h"

enum { STEP = 4 << 20 };

static beam_status copy_bytes(beam_file *from, beam_writer *to, beam_error *err)
{
    beam_status status = BEAM_OK;
    char *step = beam_malloc(STEP);
    if (!step)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to copy a file");
    for (int64_t at = 0; status == BEAM_OK && at < beam_fs_size(from);) {
        size_t got;
        status = beam_fs_read(from, step, STEP, at, &got, err);
        if (status == BEAM_OK && got == 0)
            status = beam_error_set(err, BEAM_DATA_LOSS, "%s was cut short while it was read",
                                    beam_fs_path(from));
        if (status == BEAM_OK)
            status = beam_writer_write(to, step, got, err);
        at += (int64_t)got;
    }
    beam_free(step);
    return status;
}

static beam_status copy(const char *from, const char *to, beam_error *err)
{
    beam_file *file;
    beam_writer *writer = NULL;
    if (beam_fs_is_local(from))
        return beam_fs_copy_local(from, to, err);
    BEAM_TRY(beam_fs_open(beam_str_of(from), &file, err));
    beam_status status = beam_fs_create(to, false, &writer, err);
    if (status == BEAM_OK)
        status = copy_bytes(file, writer, err);
    beam_fs_close(file);
    if (status == BEAM_OK)
        return beam_writer_commit(writer, err);
    beam_writer_abandon(writer);
    return status;
}

static int run(const beam_args *args)
{
    beam_error err = {0};
    if (beam_args_operands(args) != 2) {
        fprintf(stderr, "beam copy: expected FROM and TO; --help tells more\n");
        return BEAM_VERB_USAGE;
    }
    const char *from = beam_args_operand(args, 0), *to = beam_args_operand(args, 1);
    const char *slash = strrchr(from, '/');
    bool into = *to && to[strlen(to) - 1] == '/';
    char *path = beam_asprintf("%s%s", to, !into ? "" : slash ? slash + 1 : from);
    beam_status status =
        path ? copy(from, path, &err) : beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    beam_free(path);
    if (status == BEAM_OK)
        return 0;
    fprintf(stderr, "beam copy: %s\n", err.message);
    return BEAM_VERB_FAILED;
}

static const beam_option options[] = {BEAM_HELP_OPTION};
const beam_verb beam_verb_copy = {
    .command = {.name = "beam copy",
                .about =
                    "copies a file, to gs://, from there, or within it; a TO that ends in / is "
                    "a folder; an upload that was cut off goes on where it was",
                .operands = "FROM TO",
                .groups = BEAM_VERB_OPTIONS(options)},
    .run = run};
