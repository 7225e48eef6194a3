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

/* The span that the byte at *from is in, *from becomes where in it. */
static size_t find(const beam_spans *spans, size_t *from)
{
    size_t i = 0;
    for (; i < spans->n && *from >= spans->all[i].len; i++)
        *from -= spans->all[i].len;
    return i;
}

void beam_spans_copy(const beam_spans *spans, size_t from, size_t size, void *to)
{
    char *at = to;
    for (size_t i = find(spans, &from); size; i++, from = 0) {
        const beam_bytes *span = &spans->all[i];
        size_t part = span->len - from < size ? span->len - from : size;
        if (part)
            memcpy(at, (const char *)span->at + from, part);
        at += part;
        size -= part;
    }
}
