/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c - one checkpoint: written state by state, read back only if it is whole. */
#include "ml/checkpoint.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "io/filesystem.h"
#include "ml/train_json.h"
#include "ml/weights_file.h"

enum {
    VERSION = 1,
    BLOCK = 1 << 20, /* hashed at a time, each block's hash being the next one's seed */
    SUM = 8          /* bytes of the checksum */
};
static const char note_key[] = "training", sum_name[] = "checksum";

static beam_status no_memory(const char *path, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory for a checkpoint", path);
}

uint64_t beam_checkpoint_sum(const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < size; at += BLOCK)
        sum = beam_hash64(data + at, size - at < BLOCK ? size - at : BLOCK, sum);
    return sum;
}

/* ---- Writing --------------------------------------------------------------------------------- */

typedef struct writer {
    beam_writer *file;
    uint8_t *block;
    size_t len; /* bytes of the block that wait */
    uint64_t sum;
} writer;

static beam_status flush(writer *w, beam_error *err)
{
    if (!w->len)
        return BEAM_OK;
    w->sum = beam_hash64(w->block, w->len, w->sum);
    size_t len = w->len;
    w->len = 0;
    return beam_writer_write(w->file, w->block, len, err);
}

static beam_status put(writer *w, const void *data, size_t size, beam_error *err)
{
    const uint8_t *at = data;
    while (size) {
        size_t n = size < BLOCK - w->len ? size : BLOCK - w->len;
        memcpy(w->block + w->len, at, n);
        w->len += n;
        at += n;
        size -= n;
        if (w->len == BLOCK)
            BEAM_TRY(flush(w, err));
    }
    return BEAM_OK;
}

static beam_status put_sum(writer *w, beam_error *err)
{
    uint8_t bytes[SUM];
    BEAM_TRY(flush(w, err));
    for (size_t i = 0; i < SUM; i++)
        bytes[i] = (uint8_t)(w->sum >> (8 * i));
    return beam_writer_write(w->file, bytes, SUM, err);
}

/* What a file will hold: the states and, behind them, the checksum. */
typedef struct contents {
    beam_named_tensor *tensors;
    const beam_named_tensor **order;
    size_t count, largest; /* bytes of the largest state */
    beam_buffer header;
} contents;

static void contents_free(contents *c)
{
    beam_buffer_free(&c->header);
    beam_free(c->order);
    beam_free(c->tensors);
}

static beam_status make_header(const char *path, const beam_checkpoint_head *head, contents *c,
                               beam_error *err)
{
    beam_buffer text = {0};
    beam_checkpoint_head numbered = *head;
    numbered.version = VERSION;
    beam_status status = beam_row_to_json(&beam_checkpoint_head_type, &numbered, &text, err);
    if (status == BEAM_OK && beam_buffer_u8(&text, 0) != BEAM_OK)
        status = no_memory(path, err);
    if (status == BEAM_OK) {
        const beam_weights_note note = {note_key, (const char *)text.data};
        status = beam_safetensors_header(path, c->order, c->count, &note, 1, &c->header, err);
    }
    beam_buffer_free(&text);
    return status;
}

static beam_status describe_all(const char *path, const beam_checkpoint_head *head,
                                const beam_states *states, contents *c, beam_error *err)
{
    c->count = states->count + 1;
    c->tensors = beam_calloc(c->count, sizeof *c->tensors);
    c->order = beam_calloc(c->count, sizeof *c->order);
    if (!c->tensors || !c->order)
        return no_memory(path, err);
    for (size_t i = 0; i < states->count; i++) {
        beam_named_tensor *t = &c->tensors[i];
        size_t bytes = 0;
        BEAM_TRY(states->describe(states->user, i, &t->name, &t->tensor));
        BEAM_TRY(beam_tensor_check(&t->tensor, NULL, &bytes, err));
        if (t->tensor.dtype != BEAM_F32 && t->tensor.dtype != BEAM_I32)
            return beam_error_set(err, BEAM_INTERNAL, "%s: state %s is neither f32 nor i32", path,
                                  t->name);
        c->largest = bytes > c->largest ? bytes : c->largest;
    }
    c->tensors[states->count] = (beam_named_tensor){
        .name = sum_name, .tensor = {.dtype = BEAM_U8, .rank = 1, .shape = {SUM}}};
    for (size_t i = 0; i < c->count; i++)
        c->order[i] = &c->tensors[i];
    return make_header(path, head, c, err);
}

static beam_status put_all(writer *w, const contents *c, const beam_states *states, float *space,
                           beam_error *err)
{
    BEAM_TRY(put(w, c->header.data, c->header.len, err));
    for (size_t i = 0; i < states->count; i++) {
        const beam_named_tensor *t = &c->tensors[i];
        BEAM_TRY(states->read(states->user, t->name, space, err));
        BEAM_TRY(put(w, space, beam_tensor_bytes(&t->tensor), err));
    }
    return put_sum(w, err);
}

static beam_status write_file(const char *path, const contents *c, const beam_states *states,
                              beam_error *err)
{
    writer w = {.block = beam_malloc(BLOCK)};
    float *space = beam_malloc(c->largest);
    beam_status status = w.block && space ? BEAM_OK : no_memory(path, err);
    if (status == BEAM_OK)
        status = beam_fs_create(path, false, &w.file, err);
    if (status == BEAM_OK) {
        status = put_all(&w, c, states, space, err);
        if (status == BEAM_OK)
            status = beam_writer_commit(w.file, err);
        else
            beam_writer_abandon(w.file);
    }
    beam_free(space);
    beam_free(w.block);
    return status;
}

beam_status beam_checkpoint_write(const char *path, const beam_checkpoint_head *head,
                                  const beam_states *states, beam_error *err)
{
    contents c = {0};
    beam_status status = describe_all(path, head, states, &c, err);
    if (status == BEAM_OK)
        status = write_file(path, &c, states, err);
    contents_free(&c);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static beam_status check_sum(const char *path, const uint8_t *data, size_t size, beam_error *err)
{
    uint64_t sum = 0;
    if (size <= SUM)
        return beam_error_set(err, BEAM_DATA_LOSS, "%s is damaged: it has only %zu bytes", path,
                              size);
    for (size_t i = 0; i < SUM; i++)
        sum |= (uint64_t)data[size - SUM + i] << (8 * i);
    if (sum == beam_checkpoint_sum(data, size - SUM))
        return BEAM_OK;
    return beam_error_set(err, BEAM_DATA_LOSS,
                          "%s is damaged or cut short: its checksum is not that of its bytes",
                          path);
}

static beam_status read_head(const char *path, beam_checkpoint *c, beam_error *err)
{
    const char *note = beam_weights_metadata(c->weights, note_key);
    json_t *value = NULL;
    beam_error why = {0};
    if (!note)
        return beam_error_set(err, BEAM_DATA_LOSS, "%s is no checkpoint: it has no note \"%s\"",
                              path, note_key);
    beam_status status = beam_json_parse(beam_str_of(note), NULL, &value, &why);
    if (status == BEAM_OK && json_integer_value(json_object_get(value, "version")) != VERSION)
        status =
            beam_error_set(err, BEAM_FAILED_PRECONDITION,
                           "%s is of another version of libbeam and cannot be read by this", path);
    else if (status == BEAM_OK)
        status = beam_row_from_json(&beam_checkpoint_head_type, value, c->pool, &c->head, &why);
    json_decref(value);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return no_memory(path, err);
    if (status == BEAM_INVALID_ARGUMENT)
        return beam_error_set(err, BEAM_DATA_LOSS, "%s: its note \"%s\": %s", path, note_key,
                              why.message);
    if (status == BEAM_OK && (c->head.step < 0 || c->head.epoch_correct < 0))
        return beam_error_set(err, BEAM_DATA_LOSS, "%s: step %lld cannot be", path,
                              (long long)c->head.step);
    return status;
}

beam_status beam_checkpoint_parse(const char *path, const uint8_t *data, size_t size,
                                  beam_checkpoint *c, beam_error *err)
{
    *c = (beam_checkpoint){0};
    beam_error why = {0};
    BEAM_TRY(check_sum(path, data, size, err));
    c->pool = beam_pool_new();
    beam_status status =
        c->pool ? beam_weights_open_memory(data, size, &c->weights, &why) : BEAM_RESOURCE_EXHAUSTED;
    if (status == BEAM_RESOURCE_EXHAUSTED)
        status = no_memory(path, err);
    else if (status != BEAM_OK)
        status = beam_error_set(err, BEAM_DATA_LOSS, "%s: %s", path, why.message);
    if (status == BEAM_OK)
        status = read_head(path, c, err);
    if (status != BEAM_OK)
        beam_checkpoint_close(c);
    return status;
}

beam_status beam_checkpoint_open(const char *path, beam_checkpoint *c, beam_error *err)
{
    beam_file_view view;
    *c = (beam_checkpoint){0};
    BEAM_TRY(beam_fs_view(path, &view, err));
    beam_status status = beam_checkpoint_parse(path, view.data, view.size, c, err);
    if (status == BEAM_OK)
        c->view = view;
    else
        beam_file_view_close(&view);
    return status;
}

void beam_checkpoint_close(beam_checkpoint *c)
{
    beam_weights_close(c->weights);
    beam_pool_free(c->pool);
    beam_file_view_close(&c->view);
    *c = (beam_checkpoint){0};
}
