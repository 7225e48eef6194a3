/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* files.c - what workers that see another disk must be sent. */
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
