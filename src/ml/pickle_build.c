/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pickle_build.c - the closed list of constructors, and the values they stand for. */
#include "ml/pickle_build.h"

#include <string.h>

typedef beam_pickle_value value;

static const struct {
    const char *module, *name;
    beam_pickle_global id;
    beam_dtype dtype;
} globals[] = {
    {"collections", "OrderedDict", BEAM_GLOBAL_ORDERED_DICT, 0},
    {"builtins", "set", BEAM_GLOBAL_SET, 0},
    {"__builtin__", "set", BEAM_GLOBAL_SET, 0},
    {"torch", "Size", BEAM_GLOBAL_SIZE, 0},
    {"torch._utils", "_rebuild_tensor", BEAM_GLOBAL_REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v2", BEAM_GLOBAL_REBUILD_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_parameter", BEAM_GLOBAL_REBUILD_PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", BEAM_GLOBAL_REBUILD_PARAMETER, 0},
    {"torch", "FloatStorage", BEAM_GLOBAL_STORAGE, BEAM_F32},
    {"torch", "DoubleStorage", BEAM_GLOBAL_STORAGE, BEAM_F64},
    {"torch", "HalfStorage", BEAM_GLOBAL_STORAGE, BEAM_F16},
    {"torch", "BFloat16Storage", BEAM_GLOBAL_STORAGE, BEAM_BF16},
    {"torch", "CharStorage", BEAM_GLOBAL_STORAGE, BEAM_I8},
    {"torch", "ShortStorage", BEAM_GLOBAL_STORAGE, BEAM_I16},
    {"torch", "IntStorage", BEAM_GLOBAL_STORAGE, BEAM_I32},
    {"torch", "LongStorage", BEAM_GLOBAL_STORAGE, BEAM_I64},
    {"torch", "ByteStorage", BEAM_GLOBAL_STORAGE, BEAM_U8},
    {"torch", "BoolStorage", BEAM_GLOBAL_STORAGE, BEAM_BOOL},
    {"collections", "Counter", BEAM_GLOBAL_OPAQUE, 0}, /* milestones of a learning rate */
    {"_codecs", "encode", BEAM_GLOBAL_OPAQUE, 0},      /* bytes */
    {"builtins", "bytearray", BEAM_GLOBAL_OPAQUE, 0},
    {"__builtin__", "bytearray", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "device", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "float32", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "float64", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "float16", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "bfloat16", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "int64", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "int32", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "int16", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "int8", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "uint8", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "bool", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "complex64", BEAM_GLOBAL_OPAQUE, 0},
    {"torch", "complex128", BEAM_GLOBAL_OPAQUE, 0},
};

/* What sound files have for tensors that are not read: complex, of eight bits' floats or larger
 * unsigned numbers, sparse, quantized, without numbers, of subclasses; and bare storages. */
static const char *const unread[][2] = {
    {"torch", "ComplexFloatStorage"},           {"torch", "ComplexDoubleStorage"},
    {"torch._utils", "_rebuild_tensor_v3"},     {"torch._utils", "_rebuild_sparse_tensor"},
    {"torch._utils", "_rebuild_qtensor"},       {"torch._utils", "_rebuild_meta_tensor_no_storage"},
    {"torch._tensor", "_rebuild_from_type_v2"}, {"torch.storage", "UntypedStorage"},
};

static bool same(const char *text, size_t len, const char *known)
{
    return strlen(known) == len && memcmp(text, known, len) == 0;
}

/* A name from a file goes into a message: cut, and without what a terminal would obey. */
static void printable(char *to, size_t size, const char *from, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
    to[n] = '\0';
}

beam_status beam_pickle_find_global(const char *what, const char *module, size_t module_len,
                                    const char *name, size_t name_len, value *global,
                                    beam_error *err)
{
    /* A tensor saved on a GPU names torch.cuda.FloatStorage and the like. */
    bool cuda = same(module, module_len, "torch.cuda");
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        bool in_module = same(module, module_len, globals[i].module) ||
                         (cuda && globals[i].id == BEAM_GLOBAL_STORAGE);
        if (in_module && same(name, name_len, globals[i].name)) {
            global->as.global.id = globals[i].id;
            global->as.global.dtype = globals[i].dtype;
            return BEAM_OK;
        }
    }
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        if (same(module, module_len, unread[i][0]) && same(name, name_len, unread[i][1]))
            return beam_error_set(err, BEAM_UNIMPLEMENTED,
                                  "%s: it holds a tensor of a kind that is not read (%s.%s)", what,
                                  unread[i][0], unread[i][1]);
    char module_words[128], name_words[128];
    printable(module_words, sizeof module_words, module, module_len);
    printable(name_words, sizeof name_words, name, name_len);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "%s: refused: it asks to call %s.%s, and a file of tensors may only "
                          "build tensors; save it with torch.save(model.state_dict(), ...), or "
                          "do not trust it",
                          what, module_words, name_words);
}

static beam_status wrong(const char *what, const char *why, beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS, "%s: damaged pickle: %s", what, why);
}

static beam_status no_memory(const char *what, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to read it", what);
}

static const value *argument(const value *args, size_t index, beam_pickle_kind kind)
{
    if (index >= args->as.list.len || args->as.list.items[index]->kind != kind)
        return NULL;
    return args->as.list.items[index];
}

static beam_status sizes(const char *what, const value *tuple, int64_t *to, beam_error *err)
{
    for (size_t i = 0; i < tuple->as.list.len; i++) {
        const value *n = tuple->as.list.items[i];
        if (n->kind != BEAM_PICKLE_INT || n->as.integer < 0)
            return wrong(what, "a tensor's shape or stride is no number, or negative", err);
        to[i] = n->as.integer;
    }
    return BEAM_OK;
}

/* Whether a tensor's metadata says that its numbers are not those in its storage, but their
 * negatives or conjugates: x.conj().imag is saved so. */
static bool is_turned(const value *args)
{
    const value *metadata = argument(args, 6, BEAM_PICKLE_DICT);
    for (size_t i = 1; metadata && i < metadata->as.list.len; i += 2)
        if (metadata->as.list.items[i]->kind == BEAM_PICKLE_BOOL &&
            metadata->as.list.items[i]->as.integer)
            return true;
    return false;
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks[, metadata]) */
static beam_status rebuild_tensor(const char *what, beam_arena *arena, const value *args,
                                  value *result, beam_error *err)
{
    const value *storage = argument(args, 0, BEAM_PICKLE_STORAGE);
    const value *offset = argument(args, 1, BEAM_PICKLE_INT);
    const value *shape = argument(args, 2, BEAM_PICKLE_TUPLE);
    const value *stride = argument(args, 3, BEAM_PICKLE_TUPLE);
    if (!storage || !offset || offset->as.integer < 0 || !shape || !stride ||
        shape->as.list.len != stride->as.list.len)
        return wrong(what, "a tensor is built from the wrong arguments", err);
    if (is_turned(args))
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "%s: a tensor is saved as the negative or conjugate of its numbers, "
                              "which is not read; save its resolve_neg()",
                              what);
    if (shape->as.list.len > BEAM_TENSOR_MAX_RANK)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "%s: a tensor has %zu dimensions, at most %d are read", what,
                              shape->as.list.len, BEAM_TENSOR_MAX_RANK);
    beam_pickle_tensor *tensor = beam_arena_calloc(arena, 1, sizeof *tensor);
    if (!tensor)
        return no_memory(what, err);
    tensor->storage = storage;
    tensor->offset = offset->as.integer;
    tensor->rank = (uint32_t)shape->as.list.len;
    BEAM_TRY(sizes(what, shape, tensor->shape, err));
    BEAM_TRY(sizes(what, stride, tensor->stride, err));
    result->kind = BEAM_PICKLE_TENSOR;
    result->as.tensor = tensor;
    return BEAM_OK;
}

/* OrderedDict() or OrderedDict([(key, value), ...]) */
static beam_status ordered_dict(const char *what, beam_arena *arena, const value *args,
                                value *result, beam_error *err)
{
    result->kind = BEAM_PICKLE_DICT;
    if (args->as.list.len == 0)
        return BEAM_OK;
    const value *pairs = argument(args, 0, BEAM_PICKLE_LIST);
    if (!pairs)
        return wrong(what, "an OrderedDict is built from the wrong arguments", err);
    size_t count = pairs->as.list.len;
    value **items = beam_arena_alloc(arena, 2 * count * sizeof *items);
    if (!items)
        return no_memory(what, err);
    for (size_t i = 0; i < count; i++) {
        const value *pair = pairs->as.list.items[i];
        if ((pair->kind != BEAM_PICKLE_TUPLE && pair->kind != BEAM_PICKLE_LIST) ||
            pair->as.list.len != 2)
            return wrong(what, "an OrderedDict is built from the wrong arguments", err);
        items[2 * i] = pair->as.list.items[0];
        items[2 * i + 1] = pair->as.list.items[1];
    }
    result->as.list.items = items;
    result->as.list.len = result->as.list.capacity = 2 * count;
    return BEAM_OK;
}

beam_status beam_pickle_call(const char *what, beam_arena *arena, const value *function,
                             const value *args, value **result, beam_error *err)
{
    const value *first;
    value *made = beam_arena_calloc(arena, 1, sizeof *made);
    *result = made;
    if (!made)
        return no_memory(what, err);
    switch (function->as.global.id) {
    case BEAM_GLOBAL_ORDERED_DICT:
        return ordered_dict(what, arena, args, made, err);
    case BEAM_GLOBAL_REBUILD_TENSOR:
    case BEAM_GLOBAL_REBUILD_TENSOR_V2:
        return rebuild_tensor(what, arena, args, made, err);
    case BEAM_GLOBAL_REBUILD_PARAMETER: /* (tensor, requires_grad, hooks[, state]) */
        first = argument(args, 0, BEAM_PICKLE_TENSOR);
        if (!first)
            return wrong(what, "a parameter is built from the wrong arguments", err);
        *made = *first;
        return BEAM_OK;
    case BEAM_GLOBAL_SIZE: /* (a tuple) */
        first = argument(args, 0, BEAM_PICKLE_TUPLE);
        if (!first)
            return wrong(what, "a torch.Size is built from the wrong arguments", err);
        *made = *first;
        return BEAM_OK;
    case BEAM_GLOBAL_SET:
    case BEAM_GLOBAL_OPAQUE:
        made->kind = BEAM_PICKLE_NONE;
        return BEAM_OK;
    case BEAM_GLOBAL_STORAGE:
        break;
    }
    return wrong(what, "a storage is made without its bytes", err);
}

beam_status beam_pickle_storage(const char *what, beam_arena *arena, const value *id,
                                value **storage, beam_error *err)
{
    static const char odd[] = "a persistent id is not a storage's";
    if (id->kind != BEAM_PICKLE_TUPLE)
        return wrong(what, odd, err);
    const value *tag = argument(id, 0, BEAM_PICKLE_TEXT);
    const value *class = argument(id, 1, BEAM_PICKLE_GLOBAL);
    const value *key = argument(id, 2, BEAM_PICKLE_TEXT);
    const value *count = argument(id, 4, BEAM_PICKLE_INT);
    if (!tag || !beam_pickle_text_is(tag, "storage") || !class ||
        class->as.global.id != BEAM_GLOBAL_STORAGE || !key || !count || count->as.integer < 0)
        return wrong(what, odd, err);
    value *made = beam_arena_calloc(arena, 1, sizeof *made);
    if (!made)
        return no_memory(what, err);
    made->kind = BEAM_PICKLE_STORAGE;
    made->as.storage.dtype = class->as.global.dtype;
    made->as.storage.key = key->as.text.data;
    made->as.storage.key_len = key->as.text.len;
    made->as.storage.count = count->as.integer;
    /* Legacy files: (key of the view, offset in the storage, count of the view). */
    const value *view = argument(id, 5, BEAM_PICKLE_TUPLE);
    if (view) {
        const value *offset = argument(view, 1, BEAM_PICKLE_INT);
        if (!offset || offset->as.integer < 0)
            return wrong(what, odd, err);
        made->as.storage.offset = offset->as.integer;
    }
    *storage = made;
    return BEAM_OK;
}
