/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* files.c - what workers that see another disk must be sent, and what sinks write. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "graph/pipeline.h"

void beam_pipeline_needs_file(beam_pipeline *pipeline, const char *kind, const char *name,
                              beam_status (*locate)(const char *name, char **path, beam_error *err))
{
    if (strstr(name, "://")) /* workers open it where it lies */
        return;
    for (const beam_graph_file *f = pipeline->files; f; f = f->older)
        if (strcmp(f->kind, kind) == 0 && strcmp(f->name, name) == 0)
            return;
    beam_graph_file *file = beam_arena_alloc(&pipeline->arena, sizeof *file);
    const char *kind_copy = beam_arena_strdup(&pipeline->arena, kind);
    const char *name_copy = beam_arena_strdup(&pipeline->arena, name);
    if (!file || !kind_copy || !name_copy) {
        (void)beam_pipeline_fail(pipeline, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *file = (beam_graph_file){pipeline->files, kind_copy, name_copy, locate};
    pipeline->files = file;
}

const beam_graph_file *beam_pipeline_files(const beam_pipeline *pipeline)
{
    return pipeline->files;
}

static bool may_be_digit(char c)
{
    return c == '?' || isdigit((unsigned char)c);
}

/* Whether one name may be of both. */
static bool overlap(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '?' || *b == '?') && may_be_digit(*a) && may_be_digit(*b)))
            return false;
    return *a == *b;
}

static void refuse(beam_pipeline *pipeline, const beam_graph_sink *older, const char *names)
{
    char place[512] = "";
    if (older->file)
        snprintf(place, sizeof place, " (%s:%d)", older->file, older->line);
    (void)beam_pipeline_fail(
        pipeline, BEAM_INVALID_ARGUMENT,
        "it would write files of the same names, %s, as transform '%s'%s does, "
        "and one would replace the other's; give one of them another prefix or "
        "suffix",
        names, older->transform, place);
}

void beam_pipeline_writes_files(beam_pipeline *pipeline, const char *names)
{
    if (pipeline->error.code != BEAM_OK)
        return;
    for (const beam_graph_sink *s = pipeline->sinks; s; s = s->older)
        if (overlap(s->names, names)) {
            refuse(pipeline, s, names);
            return;
        }
    beam_graph_sink *sink = beam_arena_alloc(&pipeline->arena, sizeof *sink);
    const char *copy = beam_arena_strdup(&pipeline->arena, names);
    if (!sink || !copy) {
        (void)beam_pipeline_fail(pipeline, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    const char *transform = pipeline->nodes[pipeline->scope]->proto.unique_name;
    *sink = (beam_graph_sink){pipeline->sinks, copy, transform,
                              pipeline->calls ? pipeline->file : NULL, pipeline->line};
    pipeline->sinks = sink;
}
