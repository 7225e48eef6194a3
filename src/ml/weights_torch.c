/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights_torch.c - what torch.save writes: a pickle that describes tensors as windows on
 * storages, and the storages' bytes.
 *
 *   zip form      an archive with NAME/data.pkl and one member NAME/data/KEY a storage
 *   legacy form   one after the other: three small pickles (a magic number, a version, sizes of
 *                 types), the pickle, a pickle with the list of storage keys, and in its order
 *                 each storage's number of values (8 bytes) and bytes */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/pickle.h"
#include "ml/weights_file.h"
#include "ml/zip.h"

enum {
    MAX_DEPTH = 32,       /* of dictionaries in each other */
    MAX_VISITS = 4 << 20, /* of values, since one may be reached on many ways */
    MAX_NAME = 1024,
    MAX_PICKLE = 64 << 20,
    VALUE_BYTES = 160 /* the most that one byte of pickle can cost in the arena, about */
};

/* One storage of a legacy file. */
typedef struct storage {
    const char *key;
    size_t key_len;
    const uint8_t *data;
    size_t bytes;
} storage;

typedef struct torch_file {
    beam_weights *w;
    beam_error *err;
    beam_arena values; /* the pickle's tree */
    beam_zip zip;      /* zip form: its members, and NAME */
    const char *folder;
    size_t folder_len;
    storage *storages; /* legacy form: sorted by key */
    size_t num_storages;
    size_t visits;
    char name[MAX_NAME]; /* of the value being visited */
} torch_file;

static beam_status damaged(const torch_file *f, const char *why)
{
    return beam_error_set(f->err, BEAM_DATA_LOSS, "%s: damaged: %s", f->w->what, why);
}

static void close_torch(torch_file *f)
{
    beam_arena_free(&f->values);
    beam_zip_close(&f->zip);
    beam_free(f->storages);
}

/* ---- storages ---------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const storage *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);
    return order ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* A member's bytes, unpacked and checked the first time. */
static beam_status member_bytes(torch_file *f, beam_zip_entry *entry, const uint8_t **data)
{
    if (!entry->data) {
        const uint8_t *bytes = entry->packed;
        if (entry->deflated) {
            void *space = NULL;
            BEAM_TRY(beam_weights_copy_space(f->w, entry->size, &space, f->err));
            BEAM_TRY(beam_zip_inflate(entry, f->w->what, space, f->err));
            bytes = space;
        }
        BEAM_TRY(beam_zip_check(entry, f->w->what, bytes, f->err));
        entry->data = bytes;
    }
    *data = entry->data;
    return BEAM_OK;
}

static beam_zip_entry *member(const torch_file *f, const char *kind, const char *name,
                              size_t name_len)
{
    char path[MAX_NAME];
    int n = snprintf(path, sizeof path, "%.*s%s%.*s", (int)f->folder_len, f->folder, kind,
                     name_len < INT_MAX ? (int)name_len : INT_MAX, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return NULL;
    return beam_zip_find(&f->zip, path, (size_t)n);
}

static beam_status find_storage(torch_file *f, const beam_pickle_value *s, const uint8_t **data,
                                size_t *bytes)
{
    if (f->zip.entries) {
        beam_zip_entry *entry = member(f, "data/", s->as.storage.key, s->as.storage.key_len);
        if (!entry)
            return damaged(f, "the bytes of a tensor are missing");
        *bytes = entry->size;
        return member_bytes(f, entry, data);
    }
    storage key = {.key = s->as.storage.key, .key_len = s->as.storage.key_len};
    const storage *found =
        f->num_storages ? bsearch(&key, f->storages, f->num_storages, sizeof key, by_key) : NULL;
    if (!found)
        return damaged(f, "the bytes of a tensor are missing");
    *data = found->data;
    *bytes = found->bytes;
    return BEAM_OK;
}

/* ---- tensors ----------------------------------------------------------------------------- */

/* How many values a window holds, and the first value behind its last; false if that is more
 * than can be. */
static bool extent(const beam_pickle_tensor *t, int64_t offset, int64_t *count, int64_t *end)
{
    int64_t last = offset;
    *count = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        if (t->shape[i] == 0)
            *count = 0;
    if (*count == 0) {
        *end = 0;
        return true;
    }
    for (uint32_t i = 0; i < t->rank; i++) {
        int64_t reach;
        if (__builtin_mul_overflow(*count, t->shape[i], count) ||
            __builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    }
    return !__builtin_add_overflow(last, 1, end);
}

static bool is_contiguous(const beam_pickle_tensor *t)
{
    int64_t expected = 1;
    for (uint32_t i = t->rank; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->shape[i];
    }
    return true;
}

/* Copies a strided window row by row of its last dimension. */
static void copy_window(const beam_pickle_tensor *t, size_t size, const uint8_t *from, uint8_t *to,
                        int64_t count)
{
    int64_t at[BEAM_TENSOR_MAX_RANK] = {0}, offset = 0;
    int64_t row = t->rank ? t->shape[t->rank - 1] : 1;
    int64_t step = t->rank ? t->stride[t->rank - 1] : 1;
    for (int64_t done = 0; done < count; done += row) {
        for (int64_t i = 0; i < row; i++, to += size)
            memcpy(to, from + (size_t)(offset + i * step) * size, size);
        for (uint32_t d = t->rank > 0 ? t->rank - 1 : 0; d-- > 0;) {
            if (at[d] + 1 < t->shape[d]) {
                offset += t->stride[d];
                at[d]++;
                break;
            }
            offset -= t->stride[d] * at[d];
            at[d] = 0;
        }
    }
}

static beam_status add_tensor(torch_file *f, const beam_pickle_tensor *t)
{
    const beam_pickle_value *s = t->storage;
    beam_tensor tensor = {.dtype = s->as.storage.dtype, .rank = t->rank};
    memcpy(tensor.shape, t->shape, sizeof tensor.shape);
    size_t size = beam_dtype_size(tensor.dtype), bytes = 0, storage_bytes = 0;
    int64_t offset = 0, count = 0, end = 0;
    if (__builtin_add_overflow(t->offset, s->as.storage.offset, &offset) ||
        !extent(t, offset, &count, &end) || beam_tensor_check(&tensor, NULL, &bytes, NULL))
        return beam_error_set(f->err, BEAM_DATA_LOSS, "%s: damaged: tensor %s is impossibly large",
                              f->w->what, f->name);
    const uint8_t *data = f->w->data;
    if (count > 0) {
        BEAM_TRY(find_storage(f, s, &data, &storage_bytes));
        if ((uint64_t)end > storage_bytes / size)
            return beam_error_set(f->err, BEAM_DATA_LOSS,
                                  "%s: damaged: tensor %s reaches past its %zu bytes", f->w->what,
                                  f->name, storage_bytes);
        data += (size_t)offset * size;
        if (!is_contiguous(t)) {
            void *copy = NULL;
            BEAM_TRY(beam_weights_copy_space(f->w, bytes, &copy, f->err));
            copy_window(t, size, data, copy, count);
            data = copy;
        }
    }
    tensor.data = data;
    const char *name = beam_arena_strdup(&f->w->arena, f->name);
    if (!name)
        return beam_weights_no_memory(f->w, f->err);
    return beam_weights_add(f->w, name, &tensor, f->err);
}

/* ---- from the tree to a flat list -------------------------------------------------------- */

/* Appends ".key" to f->name; text with a NUL in it cannot be a name. */
static beam_status append_name(torch_file *f, size_t len, const char *key, size_t key_len)
{
    if (memchr(key, 0, key_len))
        return damaged(f, "a name has a NUL in it");
    if (len + key_len + 2 > sizeof f->name)
        return damaged(f, "a name is too long");
    if (len)
        f->name[len++] = '.';
    memcpy(f->name + len, key, key_len);
    f->name[len + key_len] = '\0';
    return BEAM_OK;
}

static beam_status visit(torch_file *f, const beam_pickle_value *v, size_t len, unsigned depth);

static beam_status visit_items(torch_file *f, const beam_pickle_value *v, size_t len,
                               unsigned depth)
{
    bool dict = v->kind == BEAM_PICKLE_DICT;
    for (size_t i = 0; i < v->as.list.len; i += dict ? 2 : 1) {
        const beam_pickle_value *key = v->as.list.items[i];
        char number[24];
        int n = -1;
        if (!dict)
            n = snprintf(number, sizeof number, "%zu", i);
        else if (key->kind == BEAM_PICKLE_INT)
            n = snprintf(number, sizeof number, "%lld", (long long)key->as.integer);
        if (n >= 0)
            BEAM_TRY(append_name(f, len, number, (size_t)n));
        else if (key->kind == BEAM_PICKLE_TEXT)
            BEAM_TRY(append_name(f, len, key->as.text.data, key->as.text.len));
        else
            continue; /* nothing that a name could be made of */
        BEAM_TRY(visit(f, v->as.list.items[dict ? i + 1 : i], strlen(f->name), depth + 1));
    }
    f->name[len] = '\0';
    return BEAM_OK;
}

static beam_status visit(torch_file *f, const beam_pickle_value *v, size_t len, unsigned depth)
{
    if (++f->visits > MAX_VISITS)
        return damaged(f, "it has too many values");
    switch (v->kind) {
    case BEAM_PICKLE_TENSOR:
        return add_tensor(f, v->as.tensor);
    case BEAM_PICKLE_TUPLE:
    case BEAM_PICKLE_LIST:
    case BEAM_PICKLE_DICT:
        if (depth >= MAX_DEPTH)
            return damaged(f, "its values are nested too deeply");
        return visit_items(f, v, len, depth);
    default:
        return BEAM_OK;
    }
}

static bool holds_tensors(torch_file *f, const beam_pickle_value *v, unsigned depth)
{
    if (v->kind == BEAM_PICKLE_TENSOR)
        return true;
    bool list = v->kind == BEAM_PICKLE_TUPLE || v->kind == BEAM_PICKLE_LIST;
    if ((!list && v->kind != BEAM_PICKLE_DICT) || depth >= MAX_DEPTH)
        return false;
    for (size_t i = list ? 0 : 1; i < v->as.list.len; i += list ? 1 : 2)
        if (++f->visits > MAX_VISITS || holds_tensors(f, v->as.list.items[i], depth + 1))
            return true;
    return false;
}

static bool is_wrapper(const beam_pickle_value *key)
{
    static const char *const names[] = {"state_dict", "model_state_dict", "model", "net"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (beam_pickle_text_is(key, names[i]))
            return true;
    return false;
}

/* Whether it has tensors of its own, as a state_dict has and an optimizer's state has not. */
static bool lists_tensors(const beam_pickle_value *v)
{
    for (size_t i = 1; v->kind == BEAM_PICKLE_DICT && i < v->as.list.len; i += 2)
        if (v->as.list.items[i]->kind == BEAM_PICKLE_TENSOR)
            return true;
    return false;
}

/* The value whose tensors are the file's: see weights.h about wrappers. */
static const beam_pickle_value *unwrap(torch_file *f, const beam_pickle_value *root)
{
    const beam_pickle_value *found = NULL;
    for (size_t i = 0; root->kind == BEAM_PICKLE_DICT && i < root->as.list.len; i += 2) {
        const beam_pickle_value *key = root->as.list.items[i], *v = root->as.list.items[i + 1];
        bool wrapper = v->kind == BEAM_PICKLE_DICT && is_wrapper(key) && holds_tensors(f, v, 0);
        if (wrapper ? found != NULL : lists_tensors(v))
            return root;
        if (wrapper)
            found = v;
    }
    return found ? found : root;
}

static beam_status add_all(torch_file *f, const beam_pickle_value *root)
{
    const beam_pickle_value *from = unwrap(f, root);
    f->visits = 0;
    BEAM_TRY(visit(f, from, 0, 0));
    if (f->w->num_tensors == 0)
        return beam_error_set(f->err, BEAM_INVALID_ARGUMENT, "%s holds no tensors", f->w->what);
    return BEAM_OK;
}

/* ---- zip form ---------------------------------------------------------------------------- */

static beam_status find_pickle(torch_file *f, beam_zip_entry **pickle)
{
    static const char name[] = "data.pkl";
    size_t len = sizeof name - 1;
    for (size_t i = 0; i < f->zip.count; i++) {
        beam_zip_entry *e = &f->zip.entries[i];
        if (e->name_len < len || memcmp(e->name + e->name_len - len, name, len) != 0)
            continue;
        size_t before = e->name_len - len;
        if (before && e->name[before - 1] != '/')
            continue;
        f->folder = e->name;
        f->folder_len = before;
        *pickle = e;
        return BEAM_OK;
    }
    return beam_error_set(f->err, BEAM_INVALID_ARGUMENT,
                          "%s is a zip archive, but not one that torch.save wrote: it has no "
                          "data.pkl",
                          f->w->what);
}

static beam_status check_byte_order(torch_file *f)
{
    beam_zip_entry *entry = member(f, "byteorder", "", 0);
    const uint8_t *order = NULL;
    if (!entry) /* files older than this member are all little endian */
        return BEAM_OK;
    BEAM_TRY(member_bytes(f, entry, &order));
    if (entry->size == 6 && memcmp(order, "little", 6) == 0)
        return BEAM_OK;
    return beam_error_set(f->err, BEAM_UNIMPLEMENTED, "%s was saved on a big-endian machine",
                          f->w->what);
}

static beam_status read_pickle(torch_file *f, beam_reader *reader, beam_pickle_value **root)
{
    return beam_pickle_read(reader, f->w->what, &f->values, root, f->err);
}

static beam_status read_zip(torch_file *f)
{
    beam_zip_entry *entry = NULL;
    const uint8_t *bytes = NULL;
    beam_pickle_value *root = NULL;
    BEAM_TRY(beam_zip_open(f->w->data, f->w->size, f->w->what, &f->zip, f->err));
    BEAM_TRY(find_pickle(f, &entry));
    BEAM_TRY(check_byte_order(f));
    if (entry->size > MAX_PICKLE)
        return damaged(f, "its data.pkl is too large");
    BEAM_TRY(member_bytes(f, entry, &bytes));
    f->values.limit = (size_t)VALUE_BYTES * entry->size + (1 << 20);
    beam_reader reader = beam_reader_of(bytes, entry->size);
    BEAM_TRY(read_pickle(f, &reader, &root));
    return add_all(f, root);
}

beam_status beam_weights_read_torch_zip(beam_weights *w, beam_error *err)
{
    w->format = "pytorch zip";
    torch_file f = {.w = w, .err = err};
    beam_status status = read_zip(&f);
    close_torch(&f);
    return status;
}

/* ---- legacy form ------------------------------------------------------------------------- */

static beam_status read_preamble(torch_file *f, beam_reader *reader)
{
    /* torch's magic number 0x1950a86a20f9469cfc6c, of which the reader keeps 64 bits. */
    static const uint64_t magic = 0xa86a20f9469cfc6c;
    beam_pickle_value *v = NULL;
    BEAM_TRY(read_pickle(f, reader, &v));
    if (v->kind != BEAM_PICKLE_INT || (uint64_t)v->as.integer != magic)
        return beam_error_set(f->err, BEAM_INVALID_ARGUMENT,
                              "%s is a pickle, but not one that torch.save wrote", f->w->what);
    BEAM_TRY(read_pickle(f, reader, &v));
    if (v->kind != BEAM_PICKLE_INT || v->as.integer != 1001)
        return beam_error_set(f->err, BEAM_UNIMPLEMENTED,
                              "%s: its version of torch.save's legacy form is not 1001",
                              f->w->what);
    BEAM_TRY(read_pickle(f, reader, &v));
    const beam_pickle_value *little = beam_pickle_member(v, "little_endian");
    if (!little || little->kind != BEAM_PICKLE_BOOL || !little->as.integer)
        return beam_error_set(f->err, BEAM_UNIMPLEMENTED, "%s was saved on a big-endian machine",
                              f->w->what);
    return BEAM_OK;
}

/* The size of a storage's values is only in the main pickle: where its tensors are. */
typedef struct sized_key {
    storage key;
    size_t size;
} sized_key;

typedef struct key_list {
    sized_key *items;
    size_t count, capacity;
} key_list;

static beam_status collect_sizes(torch_file *f, const beam_pickle_value *v, key_list *keys,
                                 unsigned depth)
{
    if (++f->visits > MAX_VISITS || depth > MAX_DEPTH)
        return damaged(f, "it has too many values, or they are nested too deeply");
    if (v->kind == BEAM_PICKLE_TENSOR) {
        const beam_pickle_value *s = v->as.tensor->storage;
        if (beam_grow((void **)&keys->items, &keys->capacity, keys->count + 1, sizeof *keys->items))
            return beam_weights_no_memory(f->w, f->err);
        keys->items[keys->count++] = (sized_key){
            .key = {.key = s->as.storage.key, .key_len = s->as.storage.key_len},
            .size = beam_dtype_size(s->as.storage.dtype),
        };
    } else if (v->kind == BEAM_PICKLE_DICT || v->kind == BEAM_PICKLE_LIST ||
               v->kind == BEAM_PICKLE_TUPLE) {
        for (size_t i = 0; i < v->as.list.len; i++)
            BEAM_TRY(collect_sizes(f, v->as.list.items[i], keys, depth + 1));
    }
    return BEAM_OK;
}

static beam_status read_storages(torch_file *f, beam_reader *reader, const beam_pickle_value *list,
                                 const key_list *keys)
{
    f->storages = beam_calloc(list->as.list.len, sizeof *f->storages);
    if (!f->storages)
        return beam_weights_no_memory(f->w, f->err);
    for (size_t i = 0; i < list->as.list.len; i++) {
        const beam_pickle_value *key = list->as.list.items[i];
        if (key->kind != BEAM_PICKLE_TEXT)
            return damaged(f, "its list of storages holds something else");
        storage s = {.key = key->as.text.data, .key_len = key->as.text.len};
        const sized_key *sized =
            keys->count ? bsearch(&s, keys->items, keys->count, sizeof *sized, by_key) : NULL;
        if (!sized)
            return damaged(f, "a storage belongs to no tensor");
        const uint8_t *at;
        uint64_t count = 0;
        if (beam_read_bytes(reader, 8, &at) != BEAM_OK)
            return damaged(f, "it ends before its last tensor, so it is truncated");
        memcpy(&count, at, sizeof count);
        if (count > beam_reader_left(reader) / sized->size)
            return damaged(f, "it ends inside of a tensor, so it is truncated");
        s.bytes = (size_t)count * sized->size;
        BEAM_TRY(beam_read_bytes(reader, s.bytes, &s.data));
        f->storages[f->num_storages++] = s;
    }
    qsort(f->storages, f->num_storages, sizeof *f->storages, by_key);
    return BEAM_OK;
}

static beam_status read_legacy(torch_file *f, key_list *keys)
{
    beam_reader reader = beam_reader_of(f->w->data, f->w->size);
    beam_pickle_value *root = NULL, *list = NULL;
    size_t pickle = f->w->size < MAX_PICKLE ? f->w->size : MAX_PICKLE;
    f->values.limit = (size_t)VALUE_BYTES * pickle + (1 << 20);
    BEAM_TRY(read_preamble(f, &reader));
    BEAM_TRY(read_pickle(f, &reader, &root));
    BEAM_TRY(read_pickle(f, &reader, &list));
    if (list->kind != BEAM_PICKLE_LIST)
        return damaged(f, "its list of storages is missing");
    BEAM_TRY(collect_sizes(f, root, keys, 0));
    f->visits = 0;
    if (keys->count)
        qsort(keys->items, keys->count, sizeof *keys->items, by_key);
    BEAM_TRY(read_storages(f, &reader, list, keys));
    return add_all(f, root);
}

beam_status beam_weights_read_torch_legacy(beam_weights *w, beam_error *err)
{
    w->format = "pytorch legacy";
    torch_file f = {.w = w, .err = err};
    key_list keys = {0};
    beam_status status = read_legacy(&f, &keys);
    beam_free(keys.items);
    close_torch(&f);
    return status;
}
