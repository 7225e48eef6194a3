/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pickle.c - the stack machine: a pickle's instructions to a tree of values.  What the known
 * functions make of their arguments is in pickle_build.c. */
#include "ml/pickle.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "ml/pickle_build.h"

/* The instructions, by the names that Python's pickletools gives them. */
enum {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_DICT = 'd',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_LIST = 'l',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_EMPTY_TUPLE = ')',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95
};

typedef beam_pickle_value value;

typedef struct machine {
    beam_reader in;
    const uint8_t *start;
    const char *what;
    beam_arena *arena;
    beam_error *err;
    value **stack;
    size_t depth, stack_capacity;
    size_t *marks; /* stack depths */
    size_t num_marks, marks_capacity;
    value **memo;
    size_t memo_len, memo_capacity, memo_limit;
} machine;

static beam_status no_memory(machine *m)
{
    return beam_error_set(m->err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to read it", m->what);
}

static beam_status damaged(machine *m, const char *why)
{
    return beam_error_set(m->err, BEAM_DATA_LOSS, "%s: damaged pickle: %s at byte %zu", m->what,
                          why, (size_t)(m->in.at - m->start));
}

static beam_status cut_short(machine *m)
{
    return damaged(m, "it ends too early");
}

/* ---- stack and memo ---------------------------------------------------------------------- */

static value *new_value(machine *m, beam_pickle_kind kind)
{
    value *v = beam_arena_calloc(m->arena, 1, sizeof *v);
    if (v)
        v->kind = kind;
    return v;
}

static beam_status push(machine *m, value *v)
{
    if (!v || beam_grow((void **)&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack))
        return no_memory(m);
    m->stack[m->depth++] = v;
    return BEAM_OK;
}

/* What instructions may take off: not past the newest mark. */
static size_t available(const machine *m)
{
    return m->depth - (m->num_marks ? m->marks[m->num_marks - 1] : 0);
}

static beam_status pop(machine *m, value **v)
{
    if (!available(m))
        return damaged(m, "its stack runs empty");
    *v = m->stack[--m->depth];
    return BEAM_OK;
}

/* Takes off the newest mark; the values above it stay, `count` of them. */
static beam_status pop_mark(machine *m, size_t *count)
{
    if (!m->num_marks)
        return damaged(m, "a mark is missing");
    *count = m->depth - m->marks[--m->num_marks];
    return BEAM_OK;
}

static beam_status push_mark(machine *m)
{
    if (beam_grow((void **)&m->marks, &m->marks_capacity, m->num_marks + 1, sizeof *m->marks))
        return no_memory(m);
    m->marks[m->num_marks++] = m->depth;
    return BEAM_OK;
}

static beam_status remember(machine *m, size_t index)
{
    if (!available(m))
        return damaged(m, "its stack runs empty");
    if (index >= m->memo_limit)
        return damaged(m, "a memo number is out of range");
    if (beam_grow((void **)&m->memo, &m->memo_capacity, index + 1, sizeof *m->memo))
        return no_memory(m);
    while (m->memo_len <= index)
        m->memo[m->memo_len++] = NULL;
    m->memo[index] = m->stack[m->depth - 1];
    return BEAM_OK;
}

static beam_status recall(machine *m, size_t index)
{
    if (index >= m->memo_len || !m->memo[index])
        return damaged(m, "a memo number was never set");
    return push(m, m->memo[index]);
}

/* ---- operands ---------------------------------------------------------------------------- */

/* An unsigned little-endian number of `size` bytes. */
static beam_status number(machine *m, size_t size, uint64_t *n)
{
    const uint8_t *at;
    if (beam_read_bytes(&m->in, size, &at) != BEAM_OK)
        return cut_short(m);
    *n = 0;
    for (size_t i = 0; i < size; i++)
        *n |= (uint64_t)at[i] << (8 * i);
    return BEAM_OK;
}

static beam_status push_int(machine *m, beam_pickle_kind kind, int64_t n)
{
    value *v = new_value(m, kind);
    if (v)
        v->as.integer = n;
    return push(m, v);
}

static beam_status push_number(machine *m, size_t size)
{
    uint64_t n = 0;
    BEAM_TRY(number(m, size, &n));
    return push_int(m, BEAM_PICKLE_INT, size == 4 ? (int32_t)n : (int64_t)n);
}

/* LONG1: two's complement of as many bytes as it takes.  The magic number that opens legacy
 * files has 10; nothing else here needs more than 8, so longer ones keep their low 64 bits. */
static beam_status push_long(machine *m)
{
    uint64_t size = 0, n = 0;
    const uint8_t *at;
    BEAM_TRY(number(m, 1, &size));
    if (beam_read_bytes(&m->in, (size_t)size, &at) != BEAM_OK)
        return cut_short(m);
    for (size_t i = 0; i < 8; i++) {
        uint8_t byte = i < size ? at[i] : size && (at[size - 1] & 0x80) ? 0xff : 0;
        n |= (uint64_t)byte << (8 * i);
    }
    return push_int(m, BEAM_PICKLE_INT, (int64_t)n);
}

static beam_status push_float(machine *m)
{
    uint64_t bits;
    if (beam_read_be64(&m->in, &bits) != BEAM_OK)
        return cut_short(m);
    value *v = new_value(m, BEAM_PICKLE_FLOAT);
    if (v)
        memcpy(&v->as.real, &bits, sizeof bits);
    return push(m, v);
}

static beam_status push_text(machine *m, size_t length_size)
{
    uint64_t len = 0;
    const uint8_t *at;
    BEAM_TRY(number(m, length_size, &len));
    if (len > beam_reader_left(&m->in) || beam_read_bytes(&m->in, (size_t)len, &at) != BEAM_OK)
        return cut_short(m);
    value *v = new_value(m, BEAM_PICKLE_TEXT);
    if (v) {
        v->as.text.data = (const char *)at;
        v->as.text.len = (size_t)len;
    }
    return push(m, v);
}

/* ---- containers -------------------------------------------------------------------------- */

static beam_status extend(machine *m, value *list, value *const *items, size_t count)
{
    size_t need = list->as.list.len + count;
    if (need > list->as.list.capacity) {
        size_t capacity = need > 2 * list->as.list.capacity ? need : 2 * list->as.list.capacity;
        value **grown = beam_arena_alloc(m->arena, capacity * sizeof *grown);
        if (!grown)
            return no_memory(m);
        if (list->as.list.len)
            memcpy(grown, list->as.list.items, list->as.list.len * sizeof *grown);
        list->as.list.items = grown;
        list->as.list.capacity = capacity;
    }
    if (count)
        memcpy(list->as.list.items + list->as.list.len, items, count * sizeof *items);
    list->as.list.len = need;
    return BEAM_OK;
}

/* Replaces the topmost `count` values by one container of them. */
static beam_status gather(machine *m, beam_pickle_kind kind, size_t count)
{
    if (available(m) < count)
        return damaged(m, "its stack runs empty");
    if (kind == BEAM_PICKLE_DICT && count % 2)
        return damaged(m, "a key has no value");
    value *v = new_value(m, kind);
    if (!v)
        return no_memory(m);
    m->depth -= count;
    BEAM_TRY(extend(m, v, m->stack + m->depth, count));
    return push(m, v);
}

static beam_status gather_marked(machine *m, beam_pickle_kind kind)
{
    size_t count = 0;
    BEAM_TRY(pop_mark(m, &count));
    return gather(m, kind, count);
}

/* Adds the topmost `count` values to the container below them. */
static beam_status add(machine *m, beam_pickle_kind kind, size_t count)
{
    if (available(m) < count + 1)
        return damaged(m, "its stack runs empty");
    value *to = m->stack[m->depth - count - 1];
    if (to->kind != kind)
        return damaged(m, "values are added to something that holds none");
    if (kind == BEAM_PICKLE_DICT && count % 2)
        return damaged(m, "a key has no value");
    m->depth -= count;
    return extend(m, to, m->stack + m->depth, count);
}

static beam_status add_marked(machine *m, beam_pickle_kind kind)
{
    size_t count = 0;
    BEAM_TRY(pop_mark(m, &count));
    return add(m, kind, count);
}

/* ---- what Python would call -------------------------------------------------------------- */

static beam_status push_global(machine *m, const char *module, size_t module_len, const char *name,
                               size_t name_len)
{
    value *v = new_value(m, BEAM_PICKLE_GLOBAL);
    if (!v)
        return no_memory(m);
    BEAM_TRY(beam_pickle_find_global(m->what, module, module_len, name, name_len, v, m->err));
    return push(m, v);
}

static beam_status line(machine *m, const char **text, size_t *len)
{
    const uint8_t *at = m->in.at;
    const uint8_t *end = memchr(at, '\n', beam_reader_left(&m->in));
    if (!end)
        return cut_short(m);
    *text = (const char *)at;
    *len = (size_t)(end - at);
    m->in.at = end + 1;
    return BEAM_OK;
}

static beam_status global_by_lines(machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_len = 0, name_len = 0;
    BEAM_TRY(line(m, &module, &module_len));
    BEAM_TRY(line(m, &name, &name_len));
    return push_global(m, module, module_len, name, name_len);
}

static beam_status global_by_stack(machine *m)
{
    value *module = NULL, *name = NULL;
    BEAM_TRY(pop(m, &name));
    BEAM_TRY(pop(m, &module));
    if (module->kind != BEAM_PICKLE_TEXT || name->kind != BEAM_PICKLE_TEXT)
        return damaged(m, "the name of a function is no text");
    return push_global(m, module->as.text.data, module->as.text.len, name->as.text.data,
                       name->as.text.len);
}

static beam_status reduce(machine *m)
{
    value *args = NULL, *function = NULL, *result = NULL;
    BEAM_TRY(pop(m, &args));
    BEAM_TRY(pop(m, &function));
    if (function->kind != BEAM_PICKLE_GLOBAL || args->kind != BEAM_PICKLE_TUPLE)
        return damaged(m, "something that is no function is called");
    BEAM_TRY(beam_pickle_call(m->what, m->arena, function, args, &result, m->err));
    return push(m, result);
}

/* The state that an object is given after it was made: the _metadata of a state_dict, hooks of
 * a tensor.  None of it holds weights. */
static beam_status build(machine *m)
{
    value *state = NULL, *object = NULL;
    BEAM_TRY(pop(m, &state));
    BEAM_TRY(pop(m, &object));
    if (object->kind != BEAM_PICKLE_DICT && object->kind != BEAM_PICKLE_TENSOR &&
        object->kind != BEAM_PICKLE_NONE)
        return damaged(m, "something that is no object is given a state");
    return push(m, object);
}

static beam_status persistent(machine *m)
{
    value *id = NULL, *storage = NULL;
    BEAM_TRY(pop(m, &id));
    BEAM_TRY(beam_pickle_storage(m->what, m->arena, id, &storage, m->err));
    return push(m, storage);
}

/* ---- the instructions -------------------------------------------------------------------- */

static beam_status unknown(machine *m, uint8_t op)
{
    m->in.at--;
    return beam_error_set(m->err, BEAM_UNIMPLEMENTED,
                          "%s: pickle instruction 0x%02x at byte %zu is not one that a file of "
                          "tensors needs; save it with torch.save(model.state_dict(), ...)",
                          m->what, op, (size_t)(m->in.at - m->start));
}

static beam_status skip_number(machine *m, size_t size)
{
    uint64_t ignored = 0;
    return number(m, size, &ignored);
}

static beam_status memo_op(machine *m, uint8_t op)
{
    uint64_t index = m->memo_len;
    if (op != OP_MEMOIZE)
        BEAM_TRY(number(m, op == OP_BINPUT || op == OP_BINGET ? 1 : 4, &index));
    if (op == OP_BINGET || op == OP_LONG_BINGET)
        return recall(m, (size_t)index);
    return remember(m, (size_t)index);
}

static beam_status stack_op(machine *m, uint8_t op)
{
    value *v = NULL;
    size_t count = 0;
    switch (op) {
    case OP_MARK:
        return push_mark(m);
    case OP_POP:
        return pop(m, &v);
    case OP_POP_MARK:
        BEAM_TRY(pop_mark(m, &count));
        m->depth -= count;
        return BEAM_OK;
    default: /* OP_DUP */
        BEAM_TRY(pop(m, &v));
        m->depth++;
        return push(m, v);
    }
}

static beam_status container_op(machine *m, uint8_t op)
{
    switch (op) {
    case OP_EMPTY_TUPLE:
        return gather(m, BEAM_PICKLE_TUPLE, 0);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return gather(m, BEAM_PICKLE_TUPLE, (size_t)(op - OP_TUPLE1) + 1);
    case OP_TUPLE:
        return gather_marked(m, BEAM_PICKLE_TUPLE);
    case OP_EMPTY_LIST:
    case OP_EMPTY_SET:
        return gather(m, BEAM_PICKLE_LIST, 0);
    case OP_LIST:
        return gather_marked(m, BEAM_PICKLE_LIST);
    case OP_EMPTY_DICT:
        return gather(m, BEAM_PICKLE_DICT, 0);
    case OP_DICT:
        return gather_marked(m, BEAM_PICKLE_DICT);
    case OP_APPEND:
        return add(m, BEAM_PICKLE_LIST, 1);
    case OP_APPENDS:
    case OP_ADDITEMS:
        return add_marked(m, BEAM_PICKLE_LIST);
    case OP_SETITEM:
        return add(m, BEAM_PICKLE_DICT, 2);
    case OP_SETITEMS:
        return add_marked(m, BEAM_PICKLE_DICT);
    default:
        return unknown(m, op);
    }
}

static beam_status run_one(machine *m, uint8_t op)
{
    switch (op) {
    case OP_PROTO:
        return skip_number(m, 1);
    case OP_FRAME:
        return skip_number(m, 8);
    case OP_MARK:
    case OP_POP:
    case OP_POP_MARK:
    case OP_DUP:
        return stack_op(m, op);
    case OP_BINPUT:
    case OP_LONG_BINPUT:
    case OP_MEMOIZE:
    case OP_BINGET:
    case OP_LONG_BINGET:
        return memo_op(m, op);
    case OP_NONE:
        return push(m, new_value(m, BEAM_PICKLE_NONE));
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push_int(m, BEAM_PICKLE_BOOL, op == OP_NEWTRUE);
    case OP_BININT1:
        return push_number(m, 1);
    case OP_BININT2:
        return push_number(m, 2);
    case OP_BININT:
        return push_number(m, 4);
    case OP_LONG1:
        return push_long(m);
    case OP_BINFLOAT:
        return push_float(m);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINBYTES:
    case OP_SHORT_BINUNICODE:
        return push_text(m, 1);
    case OP_BINSTRING:
    case OP_BINBYTES:
    case OP_BINUNICODE:
        return push_text(m, 4);
    case OP_BINUNICODE8:
        return push_text(m, 8);
    case OP_GLOBAL:
        return global_by_lines(m);
    case OP_STACK_GLOBAL:
        return global_by_stack(m);
    case OP_REDUCE:
        return reduce(m);
    case OP_BUILD:
        return build(m);
    case OP_BINPERSID:
        return persistent(m);
    default:
        return container_op(m, op);
    }
}

static beam_status run(machine *m, value **result)
{
    for (;;) {
        uint8_t op;
        if (beam_read_u8(&m->in, &op) != BEAM_OK)
            return cut_short(m);
        if (op == OP_STOP)
            return pop(m, result);
        BEAM_TRY(run_one(m, op));
    }
}

beam_status beam_pickle_read(beam_reader *reader, const char *what, beam_arena *arena,
                             beam_pickle_value **value_out, beam_error *err)
{
    machine m = {.in = *reader, .start = reader->at, .what = what, .arena = arena, .err = err};
    /* Each memo entry takes at least two bytes to set, so no sound number is larger. */
    m.memo_limit = beam_reader_left(reader);
    /* From the start, so that no instruction meets a stack that is NULL. */
    beam_status status = beam_grow((void **)&m.stack, &m.stack_capacity, 64, sizeof *m.stack)
                             ? no_memory(&m)
                             : run(&m, value_out);
    if (status == BEAM_OK)
        *reader = m.in;
    beam_free(m.stack);
    beam_free(m.marks);
    beam_free(m.memo);
    return status;
}

bool beam_pickle_text_is(const beam_pickle_value *v, const char *text)
{
    return v->kind == BEAM_PICKLE_TEXT && strlen(text) == v->as.text.len &&
           memcmp(v->as.text.data, text, v->as.text.len) == 0;
}

const beam_pickle_value *beam_pickle_member(const beam_pickle_value *dict, const char *key)
{
    for (size_t i = 0; dict->kind == BEAM_PICKLE_DICT && i + 1 < dict->as.list.len; i += 2)
        if (beam_pickle_text_is(dict->as.list.items[i], key))
            return dict->as.list.items[i + 1];
    return NULL;
}
