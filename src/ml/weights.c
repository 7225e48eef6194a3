/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights.c - opening a file of weights of whatever format, and finding tensors in it. */
#include <beam/weights.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/weights_file.h"

/* What a file may cost beyond its own size.  A tensor that repeats one value (stride 0) or a
 * compressed archive can stand for far more bytes than the file has; real ones do not. */
enum { BUDGET_TIMES = 4, BUDGET_PLUS = 64 << 20 };

beam_status beam_weights_no_memory(const beam_weights *w, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to read it", w->what);
}

beam_status beam_weights_copy_space(beam_weights *w, size_t size, void **space, beam_error *err)
{
    if (size > w->budget)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "%s: refused: its tensors unfold to far more bytes than the file "
                              "has",
                              w->what);
    if (beam_grow((void **)&w->copies, &w->copies_capacity, w->num_copies + 1, sizeof *w->copies))
        return beam_weights_no_memory(w, err);
    *space = beam_aligned_alloc(64, size);
    if (!*space)
        return beam_weights_no_memory(w, err);
    w->budget -= size;
    w->copies[w->num_copies++] = *space;
    return BEAM_OK;
}

beam_status beam_weights_add(beam_weights *w, const char *name, const beam_tensor *tensor,
                             beam_error *err)
{
    beam_tensor added = *tensor;
    size_t bytes = beam_tensor_bytes(tensor);
    if ((uintptr_t)added.data % beam_dtype_size(added.dtype) != 0 && bytes > 0) {
        void *copy = NULL;
        BEAM_TRY(beam_weights_copy_space(w, bytes, &copy, err));
        memcpy(copy, added.data, bytes);
        added.data = copy;
    }
    if (bytes == 0)
        added.data = w->data; /* something to point at, so that no caller meets a NULL */
    if (beam_grow((void **)&w->tensors, &w->tensors_capacity, w->num_tensors + 1,
                  sizeof *w->tensors))
        return beam_weights_no_memory(w, err);
    w->tensors[w->num_tensors++] = (beam_named_tensor){.name = name, .tensor = added};
    return BEAM_OK;
}

static int by_name(const void *a, const void *b, void *tensors_)
{
    const beam_named_tensor *tensors = tensors_;
    return strcmp(tensors[*(const uint32_t *)a].name, tensors[*(const uint32_t *)b].name);
}

static beam_status index_names(beam_weights *w, beam_error *err)
{
    if (w->num_tensors > UINT32_MAX)
        return beam_weights_no_memory(w, err);
    w->by_name = beam_malloc(w->num_tensors * sizeof *w->by_name);
    if (!w->by_name)
        return beam_weights_no_memory(w, err);
    for (size_t i = 0; i < w->num_tensors; i++)
        w->by_name[i] = (uint32_t)i;
    qsort_r(w->by_name, w->num_tensors, sizeof *w->by_name, by_name, w->tensors);
    for (size_t i = 1; i < w->num_tensors; i++) {
        const char *name = w->tensors[w->by_name[i]].name;
        if (strcmp(w->tensors[w->by_name[i - 1]].name, name) == 0)
            return beam_error_set(err, BEAM_DATA_LOSS, "%s: tensor %s is there twice", w->what,
                                  name);
    }
    return BEAM_OK;
}

/* A header's length (8 bytes) and the header itself, which the format begins with '{'. */
static bool may_be_safetensors(const beam_weights *w)
{
    return w->size >= 9 && w->data[8] == '{';
}

static beam_status read_any(beam_weights *w, beam_error *err)
{
    /* First, since a length may begin as a pickle does: 80 02 is 640 bytes.  In no pickle do zeros
     * and a brace stand where a length of less than 4 GB has them. */
    if (may_be_safetensors(w) && memcmp(w->data + 4, "\0\0\0", 4) == 0)
        return beam_weights_read_safetensors(w, err);
    if (w->size >= 4 && memcmp(w->data, "PK\3\4", 4) == 0)
        return beam_weights_read_torch_zip(w, err);
    if (w->size >= 2 && w->data[0] == 0x80 && w->data[1] >= 2 && w->data[1] <= 5)
        return beam_weights_read_torch_legacy(w, err);
    if (may_be_safetensors(w))
        return beam_weights_read_safetensors(w, err);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "%s is no file of weights: neither safetensors nor what torch.save "
                          "writes%s",
                          w->what, w->size < 9 ? " (it has fewer than 9 bytes)" : "");
}

/* Takes over `view`. */
static beam_status open_bytes(const char *what, const void *data, size_t size, beam_file_view view,
                              beam_weights **weights, beam_error *err)
{
    *weights = NULL;
    beam_weights *w = beam_calloc(1, sizeof *w);
    if (!w) {
        beam_file_view_close(&view);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to read it", what);
    }
    w->data = data;
    w->size = size;
    w->view = view;
    w->budget = size < SIZE_MAX / 8 ? BUDGET_TIMES * size + BUDGET_PLUS : SIZE_MAX / 2;
    w->what = beam_arena_strdup(&w->arena, what);
    beam_status status = BEAM_OK;
    if (!w->what)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to read it", what);
    if (status == BEAM_OK)
        status = read_any(w, err);
    if (status == BEAM_OK)
        status = index_names(w, err);
    if (status == BEAM_OK)
        *weights = w;
    else
        beam_weights_close(w);
    return status;
}

beam_status beam_weights_open(const char *path, beam_weights **weights, beam_error *err)
{
    *weights = NULL;
    beam_file_view view;
    BEAM_TRY(beam_fs_view(path, &view, err));
    return open_bytes(path, view.data, view.size, view, weights, err);
}

beam_status beam_weights_open_memory(const void *data, size_t size, beam_weights **weights,
                                     beam_error *err)
{
    return open_bytes("weights in memory", data, size, (beam_file_view){0}, weights, err);
}

void beam_weights_close(beam_weights *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->num_copies; i++)
        beam_free(w->copies[i]);
    beam_free(w->copies);
    beam_free(w->tensors);
    beam_free(w->by_name);
    beam_arena_free(&w->arena);
    beam_file_view_close(&w->view);
    beam_free(w);
}

const char *beam_weights_format(const beam_weights *w)
{
    return w->format;
}

size_t beam_weights_count(const beam_weights *w)
{
    return w->num_tensors;
}

const char *beam_weights_name(const beam_weights *w, size_t index)
{
    return index < w->num_tensors ? w->tensors[index].name : NULL;
}

beam_tensor beam_weights_tensor(const beam_weights *w, size_t index)
{
    return index < w->num_tensors ? w->tensors[index].tensor : (beam_tensor){0};
}

beam_status beam_weights_find(const beam_weights *w, const char *name, beam_tensor *tensor,
                              beam_error *err)
{
    size_t low = 0, high = w->num_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const beam_named_tensor *at = &w->tensors[w->by_name[middle]];
        int order = strcmp(at->name, name);
        if (order == 0) {
            *tensor = at->tensor;
            return BEAM_OK;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return beam_error_set(err, BEAM_NOT_FOUND, "%s has no tensor %s", w->what, name);
}

const char *beam_weights_metadata(const beam_weights *w, const char *key)
{
    for (size_t i = 0; i < w->num_notes; i++)
        if (strcmp(w->notes[i].key, key) == 0)
            return w->notes[i].value;
    return NULL;
}

static beam_status source_lookup(void *user, const char *name, beam_tensor *tensor, beam_error *err)
{
    return beam_weights_find(user, name, tensor, err);
}

static const char *source_name(void *user, size_t index)
{
    return beam_weights_name(user, index);
}

beam_weight_source beam_weights_source(const beam_weights *w)
{
    return (beam_weight_source){
        .user = (void *)(uintptr_t)w, /* the callbacks only read */
        .lookup = source_lookup,
        .name = source_name,
    };
}
