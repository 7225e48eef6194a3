/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights_safetensors.c - reads and writes safetensors: 8 bytes of length, a JSON header of
 * that length, then the tensors.  The header is believed in nothing: every offset, shape and
 * dtype must agree, and the tensors must cover the rest of the file with no hole or overlap. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "io/filesystem.h"
#include "ml/weights_file.h"

/* The format's own limit. */
enum { MAX_HEADER = 100 * 1000 * 1000 };

static const struct {
    const char *name;
    beam_dtype dtype;
} dtypes[] = {{"F64", BEAM_F64}, {"F32", BEAM_F32},  {"F16", BEAM_F16}, {"BF16", BEAM_BF16},
              {"I64", BEAM_I64}, {"I32", BEAM_I32},  {"I16", BEAM_I16}, {"I8", BEAM_I8},
              {"U8", BEAM_U8},   {"BOOL", BEAM_BOOL}};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

static beam_status bad(const beam_weights *w, const char *name, const char *why, beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS, "%s: damaged safetensors header: tensor %.200s %s",
                          w->what, name, why);
}

static beam_status read_dtype(const beam_weights *w, const char *name, const json_t *entry,
                              beam_dtype *dtype, beam_error *err)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    if (!text)
        return bad(w, name, "has no dtype", err);
    for (size_t i = 0; i < DTYPES; i++) {
        if (strcmp(dtypes[i].name, text) == 0) {
            *dtype = dtypes[i].dtype;
            return BEAM_OK;
        }
    }
    return beam_error_set(err, BEAM_UNIMPLEMENTED,
                          "%s: tensor %.200s has dtype %.32s, which is not read", w->what, name,
                          text);
}

static beam_status read_shape(const beam_weights *w, const char *name, const json_t *entry,
                              beam_tensor *tensor, beam_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return bad(w, name, "has no shape", err);
    if (json_array_size(shape) > BEAM_TENSOR_MAX_RANK)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "%s: tensor %.200s has %zu dimensions, at most %d are read", w->what,
                              name, json_array_size(shape), BEAM_TENSOR_MAX_RANK);
    tensor->rank = (uint32_t)json_array_size(shape);
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *n = json_array_get(shape, i);
        if (!json_is_integer(n) || json_integer_value(n) < 0)
            return bad(w, name, "has a dimension that is no number, or negative", err);
        tensor->shape[i] = json_integer_value(n);
    }
    return BEAM_OK;
}

/* Begin and end of each tensor's bytes, to be sorted. */
typedef struct range {
    uint64_t begin, end;
    const char *name;
} range;

static beam_status read_entry(beam_weights *w, const uint8_t *data, size_t size, const char *key,
                              const json_t *entry, range *r, beam_error *err)
{
    if (!json_is_object(entry))
        return bad(w, key, "is not described by an object", err);
    beam_tensor tensor = {0};
    BEAM_TRY(read_dtype(w, key, entry, &tensor.dtype, err));
    BEAM_TRY(read_shape(w, key, entry, &tensor, err));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return bad(w, key, "has no sound data_offsets", err);
    uint64_t from = (uint64_t)json_integer_value(begin), to = (uint64_t)json_integer_value(end);
    size_t bytes = 0;
    if (beam_tensor_check(&tensor, NULL, &bytes, NULL) != BEAM_OK)
        return bad(w, key, "is too large", err);
    if (to > size)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "%s: tensor %.200s ends at byte %llu of the data, but the file has "
                              "only %zu: it is truncated or its header lies",
                              w->what, key, (unsigned long long)to, size);
    if (to - from != bytes)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "%s: tensor %.200s needs %zu bytes, but its data_offsets give it "
                              "%llu",
                              w->what, key, bytes, (unsigned long long)(to - from));
    tensor.data = data + from;
    const char *name = beam_arena_strdup(&w->arena, key);
    if (!name)
        return beam_weights_no_memory(w, err);
    *r = (range){.begin = from, .end = to, .name = name};
    return beam_weights_add(w, name, &tensor, err);
}

static beam_status read_notes(beam_weights *w, json_t *notes, beam_error *err)
{
    size_t count = json_object_size(notes);
    w->notes = beam_arena_calloc(&w->arena, count ? count : 1, sizeof *w->notes);
    if (!w->notes)
        return beam_weights_no_memory(w, err);
    const char *key;
    json_t *value;
    json_object_foreach(notes, key, value)
    {
        if (!json_is_string(value))
            return bad(w, "__metadata__", "holds something that is no text", err);
        beam_weights_note note = {beam_arena_strdup(&w->arena, key),
                                  beam_arena_strdup(&w->arena, json_string_value(value))};
        if (!note.key || !note.value)
            return beam_weights_no_memory(w, err);
        w->notes[w->num_notes++] = note;
    }
    return BEAM_OK;
}

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static beam_status check_cover(const beam_weights *w, range *ranges, size_t count, uint64_t size,
                               beam_error *err)
{
    qsort(ranges, count, sizeof *ranges, by_begin);
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].begin < at)
            return bad(w, ranges[i].name, "overlaps another", err);
        if (ranges[i].begin > at)
            return bad(w, ranges[i].name, "leaves a hole before it", err);
        at = ranges[i].end;
    }
    if (at != size)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "%s: %llu bytes behind the last tensor belong to none", w->what,
                              (unsigned long long)(size - at));
    return BEAM_OK;
}

static beam_status read_header(beam_weights *w, json_t *root, size_t header, beam_error *err)
{
    const uint8_t *data = w->data + 8 + header;
    size_t size = w->size - 8 - header, count = 0;
    range *ranges = beam_malloc(json_object_size(root) * sizeof *ranges);
    if (!ranges)
        return beam_weights_no_memory(w, err);
    beam_status status = BEAM_OK;
    const char *key;
    json_t *entry;
    json_object_foreach(root, key, entry)
    {
        if (strcmp(key, "__metadata__") == 0) {
            if (json_is_object(entry))
                status = read_notes(w, entry, err);
            else
                status = bad(w, key, "is no object", err);
        } else {
            status = read_entry(w, data, size, key, entry, &ranges[count], err);
            count++;
        }
        if (status != BEAM_OK)
            break;
    }
    if (status == BEAM_OK)
        status = check_cover(w, ranges, count, size, err);
    beam_free(ranges);
    return status;
}

beam_status beam_weights_read_safetensors(beam_weights *w, beam_error *err)
{
    w->format = "safetensors";
    uint64_t header = 0;
    for (size_t i = 0; i < 8; i++)
        header |= (uint64_t)w->data[i] << (8 * i);
    if (header > w->size - 8)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "%s: its header should have %llu bytes, but only %zu are there: it "
                              "is truncated or no safetensors file",
                              w->what, (unsigned long long)header, w->size - 8);
    if (header > MAX_HEADER)
        return beam_error_set(err, BEAM_DATA_LOSS, "%s: its header has %llu bytes, at most %d may",
                              w->what, (unsigned long long)header, MAX_HEADER);
    json_error_t why;
    /* jansson limits the depth itself, and refuses text that is not UTF-8. */
    json_t *root =
        json_loadb((const char *)w->data + 8, (size_t)header, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "%s: damaged safetensors header: %s at byte %d of it", w->what,
                              why.text, why.position);
    beam_status status = json_is_object(root)
                             ? read_header(w, root, (size_t)header, err)
                             : beam_error_set(err, BEAM_DATA_LOSS,
                                              "%s: damaged safetensors header: no object", w->what);
    json_decref(root);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------- */

static beam_status cannot(const char *path, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to write it", path);
}

static const char *dtype_name(beam_dtype dtype)
{
    for (size_t i = 0; i < DTYPES; i++)
        if (dtypes[i].dtype == dtype)
            return dtypes[i].name;
    return "";
}

static beam_status describe(const char *path, json_t *root, const beam_named_tensor *t,
                            uint64_t *offset, beam_error *err)
{
    size_t bytes = 0;
    beam_status status = beam_tensor_check(&t->tensor, NULL, &bytes, err);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "%s: tensor %s", path, t->name);
    if (!*t->name || strcmp(t->name, "__metadata__") == 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: no tensor may be called \"%s\"",
                              path, t->name);
    if (json_object_get(root, t->name))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: tensor %s is there twice", path,
                              t->name);
    json_t *shape = json_array();
    for (uint32_t i = 0; i < t->tensor.rank; i++)
        if (json_array_append_new(shape, json_integer(t->tensor.shape[i])) != 0)
            break;
    bool whole = shape && json_array_size(shape) == t->tensor.rank;
    json_t *entry =
        whole ? json_pack("{s:s, s:O, s:[I, I]}", "dtype", dtype_name(t->tensor.dtype), "shape",
                          shape, "data_offsets", (json_int_t)*offset, (json_int_t)(*offset + bytes))
              : NULL;
    json_decref(shape);
    if (!entry)
        return cannot(path, err);
    *offset += bytes;
    if (json_object_set_new(root, t->name, entry) != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: the name of a tensor is not UTF-8",
                              path);
    return BEAM_OK;
}

static beam_status describe_notes(const char *path, json_t *root, const beam_weights_note *notes,
                                  size_t num_notes, beam_error *err)
{
    if (!num_notes)
        return BEAM_OK;
    json_t *object = json_object();
    if (!object || json_object_set_new(root, "__metadata__", object) != 0)
        return cannot(path, err);
    for (size_t i = 0; i < num_notes; i++)
        if (json_object_set_new(object, notes[i].key, json_string(notes[i].value)) != 0)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "%s: note %zu is not UTF-8, or memory is out", path, i);
    return BEAM_OK;
}

/* Length, text, and spaces up to a multiple of 8. */
static beam_status put_together(const char *path, const json_t *root, beam_buffer *out,
                                beam_error *err)
{
    static const char spaces[] = "       ";
    char *text = json_dumps(root, JSON_COMPACT);
    if (!text)
        return cannot(path, err);
    size_t len = strlen(text), padding = (8 - len % 8) % 8;
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)(len + padding) >> (8 * i));
    beam_status status = beam_buffer_append(out, length, sizeof length);
    if (status == BEAM_OK)
        status = beam_buffer_append(out, text, len);
    if (status == BEAM_OK)
        status = beam_buffer_append(out, spaces, padding);
    free(text);
    return status == BEAM_OK ? status : cannot(path, err);
}

beam_status beam_safetensors_header(const char *path, const beam_named_tensor *const *tensors,
                                    size_t num_tensors, const beam_weights_note *notes,
                                    size_t num_notes, beam_buffer *out, beam_error *err)
{
    json_t *root = json_object();
    uint64_t offset = 0;
    beam_status status = root ? BEAM_OK : cannot(path, err);
    if (status == BEAM_OK)
        status = describe_notes(path, root, notes, num_notes, err);
    for (size_t i = 0; i < num_tensors && status == BEAM_OK; i++)
        status = describe(path, root, tensors[i], &offset, err);
    if (status == BEAM_OK)
        status = put_together(path, root, out, err);
    json_decref(root);
    return status;
}

static beam_status write_all(const char *path, const beam_buffer *header,
                             const beam_named_tensor *const *sorted, size_t count, beam_error *err)
{
    beam_writer *file;
    BEAM_TRY(beam_fs_create(path, false, &file, err));
    beam_status status = beam_writer_write(file, header->data, header->len, err);
    for (size_t i = 0; i < count && status == BEAM_OK; i++)
        status = beam_writer_write(file, sorted[i]->tensor.data,
                                   beam_tensor_bytes(&sorted[i]->tensor), err);
    if (status == BEAM_OK)
        return beam_writer_commit(file, err);
    beam_writer_abandon(file);
    return status;
}

/* Larger dtypes first, so that each tensor starts at a multiple of its dtype's size. */
static size_t sort_by_size(const beam_named_tensor *tensors, size_t count,
                           const beam_named_tensor **sorted)
{
    size_t filled = 0;
    for (size_t size = 8; size >= 1; size /= 2)
        for (size_t i = 0; i < count; i++)
            if (beam_dtype_size(tensors[i].tensor.dtype) == size)
                sorted[filled++] = &tensors[i];
    return filled;
}

beam_status beam_weights_save_safetensors(const char *path, const beam_named_tensor *tensors,
                                          size_t num_tensors, const beam_weights_note *notes,
                                          size_t num_notes, beam_error *err)
{
    const beam_named_tensor **sorted = beam_malloc(num_tensors * sizeof *sorted);
    beam_buffer header = {0};
    beam_status status = sorted ? BEAM_OK : cannot(path, err);
    if (status == BEAM_OK && sort_by_size(tensors, num_tensors, sorted) != num_tensors)
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: a tensor has no dtype", path);
    if (status == BEAM_OK)
        status = beam_safetensors_header(path, sorted, num_tensors, notes, num_notes, &header, err);
    if (status == BEAM_OK)
        status = write_all(path, &header, sorted, num_tensors, err);
    beam_buffer_free(&header);
    beam_free(sorted);
    return status;
}
