/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/spans.h"

#include <string.h>

#include "base/alloc.h"

beam_status beam_spans_new(size_t size, beam_spans *spans, void **bytes)
{
    beam_bytes *all = size < SIZE_MAX - sizeof *all ? beam_malloc(sizeof *all + size) : NULL;
    if (!all)
        return BEAM_RESOURCE_EXHAUSTED;
    *bytes = all + 1;
    *all = (beam_bytes){*bytes, size};
    *spans = (beam_spans){.all = all, .n = 1, .size = size};
    return BEAM_OK;
}

void beam_spans_free(beam_spans *spans)
{
    beam_free(spans->all);
    if (spans->memory)
        spans->free(spans->memory);
    *spans = (beam_spans){0};
}

void beam_spans_copy(const beam_spans *spans, void *to)
{
    char *at = to;
    for (size_t i = 0; i < spans->n; at += spans->all[i++].len)
        if (spans->all[i].len)
            memcpy(at, spans->all[i].at, spans->all[i].len);
}
