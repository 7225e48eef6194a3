/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* decode.c - bytes to values.  The bytes are foreign: nothing is allocated that they do not
 * pay for, one byte or more for each value.
 *
 * A failure is described where it happens; the way up adds the names of fields. */
#include <beam/tensor.h>
#include <beam/window.h>

#include "base/utf8.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/wire.h"

/* Rare or long work is kept out of decode(), whose frame then stays small. */
#define APART __attribute__((noinline))

/* Values that take no bytes (the global window) are paid for by this bound. */
enum { MAX_FREE_VALUES = 64, TENSOR_ALIGN = 64 };

static beam_status decode(const beam_decoder *d, const beam_type *type, int context,
                          beam_reader *in, void *value);

/* Describes why reading `what` gave `status`. */
APART static void describe(const beam_decoder *d, beam_status status, const char *what)
{
    if (status == BEAM_OUT_OF_RANGE)
        beam_error_set(d->err, status, "the bytes end inside %s", what);
    else if (status == BEAM_RESOURCE_EXHAUSTED)
        beam_error_set(d->err, status, "no memory for %s", what);
    else
        beam_error_set(d->err, status, "bad bytes for %s", what);
}

/* Inline, so that the compiler sees that a failure stays one. */
static inline beam_status broken(const beam_decoder *d, beam_status status, const char *what)
{
    describe(d, status, what);
    return status;
}

#define READ(call, what)                            \
    do {                                            \
        beam_status read_status_ = (call);          \
        if (BEAM_UNLIKELY(read_status_ != BEAM_OK)) \
            return broken(d, read_status_, (what)); \
    } while (0)

/* Passes a failure inside a part on, with the part's name in front. */
#define WITHIN(call, ...)                                                \
    do {                                                                 \
        beam_status within_status_ = (call);                             \
        if (BEAM_UNLIKELY(within_status_ != BEAM_OK))                    \
            return beam_error_wrap(d->err, within_status_, __VA_ARGS__); \
    } while (0)

/* ---- Scalars, text -------------------------------------------------------------------- */

static beam_status decode_bool(const beam_decoder *d, beam_reader *in, bool *value,
                               const char *what)
{
    uint8_t byte;
    READ(beam_read_u8(in, &byte), what);
    if (byte > 1)
        return broken(d, BEAM_DATA_LOSS, what);
    *value = byte != 0;
    return BEAM_OK;
}

/* Beam's VarIntCoder writes an int without sign extension; some writers extend it. */
static beam_status decode_int32(const beam_decoder *d, beam_reader *in, int32_t *value)
{
    uint64_t wide;
    READ(beam_wire_get_varint_(in, &wide), "an int32");
    if (wide > UINT32_MAX && wide < (uint64_t)(int64_t)INT32_MIN)
        return broken(d, BEAM_DATA_LOSS, "an int32");
    *value = (int32_t)(uint32_t)wide;
    return BEAM_OK;
}

static beam_status decode_timestamp(const beam_decoder *d, beam_reader *in, int64_t *millis)
{
    uint64_t wire;
    READ(beam_read_be64(in, &wire), "a timestamp");
    *millis = beam_wire_to_time_(wire);
    return BEAM_OK;
}

/* The bytes in place: as many as their length says, or all in the outer context. */
static beam_status take_bytes(const beam_decoder *d, int context, beam_reader *in,
                              beam_bytes *bytes, const char *what)
{
    uint64_t len = beam_reader_left(in);
    if (context != BEAM_OUTER)
        READ(beam_wire_get_varint_(in, &len), what);
    const uint8_t *at = NULL;
    if (BEAM_UNLIKELY(len > beam_reader_left(in)))
        return broken(d, BEAM_OUT_OF_RANGE, what);
    READ(beam_read_bytes(in, (size_t)len, &at), what);
    *bytes = (beam_bytes){at, (size_t)len};
    return BEAM_OK;
}

/* Moves bytes that were taken to where they can stay. */
static beam_status keep_bytes(const beam_decoder *d, beam_bytes *bytes, const char *what)
{
    if (d->borrow)
        return BEAM_OK;
    if (!bytes->len) {
        bytes->at = "";
        return BEAM_OK;
    }
    bytes->at = beam_arena_copy(d->arena, bytes->at, bytes->len);
    return bytes->at ? BEAM_OK : broken(d, BEAM_RESOURCE_EXHAUSTED, what);
}

static beam_status decode_bytes(const beam_decoder *d, int context, beam_reader *in,
                                beam_bytes *bytes)
{
    BEAM_TRY(take_bytes(d, context, in, bytes, "bytes"));
    return keep_bytes(d, bytes, "bytes");
}

static beam_status decode_str(const beam_decoder *d, int context, beam_reader *in, beam_str *text)
{
    beam_bytes bytes;
    BEAM_TRY(take_bytes(d, context, in, &bytes, "text"));
    if (BEAM_UNLIKELY(!d->any_text && !beam_utf8_valid(bytes.at, bytes.len)))
        return beam_error_set(d->err, BEAM_DATA_LOSS, "text that is not UTF-8");
    BEAM_TRY(keep_bytes(d, &bytes, "text"));
    *text = (beam_str){bytes.at, bytes.len};
    return BEAM_OK;
}

/* ---- Sequences ------------------------------------------------------------------------ */

/* The least number of bytes that a value takes, as far as it is easily told. */
static size_t least_bytes(const beam_type *type)
{
    switch (type->kind) {
    case BEAM_KIND_GLOBAL_WINDOW:
        return 0;
    case BEAM_KIND_DOUBLE:
        return 8;
    case BEAM_KIND_KV:
        return least_bytes(type->fields[0].type) + least_bytes(type->fields[1].type);
    default:
        return 1;
    }
}

/* An array that grows in the arena while chunks arrive. */
typedef struct growing {
    const beam_type *element;
    int context;
    char *values;
    size_t n, capacity;
} growing;

/* Room for `more` values, if the bytes left can hold that many. */
static beam_status make_room(const beam_decoder *d, const beam_reader *in, growing *to,
                             uint64_t more)
{
    size_t least = least_bytes(to->element);
    size_t most = least ? beam_reader_left(in) / least : MAX_FREE_VALUES - to->n;
    if (more > most)
        return broken(d, least ? BEAM_OUT_OF_RANGE : BEAM_RESOURCE_EXHAUSTED, "a sequence");
    if (more <= to->capacity - to->n)
        return BEAM_OK;
    size_t wanted = to->n + (size_t)more;
    if (to->n && wanted < 2 * to->capacity)
        wanted = 2 * to->capacity;
    if (wanted > SIZE_MAX / 2 / to->element->size)
        return broken(d, BEAM_RESOURCE_EXHAUSTED, "a sequence");
    char *values = beam_arena_alloc(d->arena, wanted * to->element->size);
    if (!values)
        return broken(d, BEAM_RESOURCE_EXHAUSTED, "a sequence");
    if (to->n)
        memcpy(values, to->values, to->n * to->element->size);
    to->values = values;
    to->capacity = wanted;
    return BEAM_OK;
}

static beam_status read_values(const beam_decoder *d, beam_reader *in, growing *to, uint64_t count)
{
    if (!count)
        return BEAM_OK;
    BEAM_TRY(make_room(d, in, to, count));
    char *at = to->values + to->n * to->element->size;
    for (uint64_t i = 0; i < count; i++, at += to->element->size)
        WITHIN(decode(d, to->element, to->context, in, at), "value %llu",
               (unsigned long long)(to->n + i));
    to->n += (size_t)count;
    return BEAM_OK;
}

/* Chunks until the one of length 0, or the one that announces a token (*token is set). */
static beam_status read_chunks(const beam_decoder *d, beam_reader *in, growing *to,
                               beam_bytes *token)
{
    for (;;) {
        uint64_t count;
        READ(beam_wire_get_varint_(in, &count), "the length of a chunk");
        if (count == 0)
            return BEAM_OK;
        if (count == BEAM_CHUNK_TOKEN && token) {
            BEAM_TRY(take_bytes(d, BEAM_NESTED, in, token, "a state token"));
            return BEAM_OK;
        }
        BEAM_TRY(read_values(d, in, to, count));
    }
}

/* A count and values; the count -1 means chunks.  token: NULL where there can be none. */
static beam_status read_sequence(const beam_decoder *d, beam_reader *in, growing *to,
                                 beam_bytes *token)
{
    uint32_t count;
    READ(beam_read_be32(in, &count), "the length of a sequence");
    if (count == BEAM_COUNT_UNKNOWN)
        return read_chunks(d, in, to, token);
    if (count > INT32_MAX)
        return broken(d, BEAM_DATA_LOSS, "the length of a sequence");
    return read_values(d, in, to, count);
}

static beam_status keep_tail(const beam_decoder *d, const growing *from, beam_bytes token,
                             beam_iterable *values)
{
    /* The token outlives the bytes it came in: it is asked for long after. */
    beam_iterable_tail *tail = beam_arena_alloc(d->arena, sizeof *tail + token.len);
    if (!tail)
        return broken(d, BEAM_RESOURCE_EXHAUSTED, "a state token");
    if (token.len)
        memcpy(tail + 1, token.at, token.len);
    *tail = (beam_iterable_tail){from->element, from->values, from->n, {tail + 1, token.len}};
    if (d->open_tail)
        return d->open_tail(d->user, tail, values, d->err);
    *values = (beam_iterable){&beam_iterable_tail_ops, tail, BEAM_LEN_UNKNOWN};
    return BEAM_OK;
}

APART static beam_status decode_iterable(const beam_decoder *d, const beam_type *type, int context,
                                         beam_reader *in, beam_iterable *values)
{
    growing to = {.element = beam_type_inner(type),
                  .context = context == BEAM_IN_ROW ? BEAM_IN_ROW : BEAM_NESTED};
    beam_bytes token = {NULL, 0};
    BEAM_TRY(read_sequence(d, in, &to, &token));
    if (token.at)
        return keep_tail(d, &to, token, values);
    *values = (beam_iterable){NULL, to.values, to.n};
    return BEAM_OK;
}

static void tail_start(beam_iter *iter)
{
    const beam_iterable_tail *tail = iter->iterable.source;
    iter->at = tail->n ? tail->prefix : NULL;
    iter->end = iter->at ? iter->at + tail->n * iter->stride : NULL;
}

static void tail_refill(beam_iter *iter)
{
    iter->at = iter->end;
    iter->status = BEAM_FAILED_PRECONDITION; /* nobody here can ask the engine */
}

const beam_iterable_ops beam_iterable_tail_ops = {tail_start, tail_refill};

static beam_status decode_list(const beam_decoder *d, const beam_type *type, beam_reader *in,
                               beam_list *list)
{
    growing to = {.element = beam_type_inner(type), .context = BEAM_IN_ROW};
    BEAM_TRY(read_sequence(d, in, &to, NULL));
    *list = (beam_list){to.values, to.n};
    return BEAM_OK;
}

static beam_status decode_map(const beam_decoder *d, const beam_type *type, beam_reader *in,
                              beam_list *map)
{
    growing to = {.element = beam_type_inner(type), .context = BEAM_IN_ROW};
    uint32_t count;
    READ(beam_read_be32(in, &count), "the length of a map");
    if (count > INT32_MAX)
        return broken(d, BEAM_DATA_LOSS, "the length of a map");
    BEAM_TRY(make_room(d, in, &to, count));
    const beam_field *key = &to.element->fields[0], *value = &to.element->fields[1];
    char *at = to.values;
    for (uint32_t i = 0; i < count; i++, at += to.element->size) {
        WITHIN(decode(d, key->type, BEAM_IN_ROW, in, at + key->offset), "key %u", i);
        WITHIN(decode(d, value->type, BEAM_IN_ROW, in, at + value->offset), "value %u", i);
    }
    *map = (beam_list){to.values, count};
    return BEAM_OK;
}

/* ---- Rows ----------------------------------------------------------------------------- */

typedef struct row_header {
    uint32_t n; /* fields on the wire */
    beam_bytes nulls;
} row_header;

static bool null_at(const row_header *header, uint32_t i)
{
    const uint8_t *bits = header->nulls.at;
    return i >= header->n || (i / 8 < header->nulls.len && (bits[i / 8] >> (i % 8) & 1));
}

/* A writer whose schema is older sends fewer fields; more fields cannot be skipped. */
static beam_status read_row_header(const beam_decoder *d, uint32_t n_fields, beam_reader *in,
                                   row_header *header)
{
    uint64_t n;
    READ(beam_wire_get_varint_(in, &n), "the header of a row");
    if (n > n_fields)
        return beam_error_set(d->err, BEAM_DATA_LOSS, "a row of %llu fields where the type has %u",
                              (unsigned long long)n, n_fields);
    header->n = (uint32_t)n;
    BEAM_TRY(take_bytes(d, BEAM_NESTED, in, &header->nulls, "a row's bitmap of null fields"));
    size_t len = header->nulls.len;
    if (len > (n + 7) / 8)
        return broken(d, BEAM_DATA_LOSS, "a row's bitmap of null fields");
    const uint8_t *bits = header->nulls.at;
    if (len && len == (n + 7) / 8 && n % 8 && bits[len - 1] >> (n % 8))
        return broken(d, BEAM_DATA_LOSS, "a row's bitmap of null fields");
    return BEAM_OK;
}

static beam_status decode_field(const beam_decoder *d, const beam_field *field, bool null,
                                beam_reader *in, char *at)
{
    const beam_type *type = field->type;
    if (type->kind != BEAM_KIND_NULLABLE) {
        if (BEAM_UNLIKELY(null))
            return beam_error_set(d->err, BEAM_DATA_LOSS,
                                  "no value for a field that is not nullable");
        return decode(d, type, BEAM_IN_ROW, in, at);
    }
    if (null) {
        memset(at, 0, type->size);
        return BEAM_OK;
    }
    *beam_nullable_present_(at) = true;
    return decode(d, beam_type_inner(type), BEAM_IN_ROW, in, at + type->fields[0].offset);
}

/* A row, or a KV inside one. */
static beam_status decode_row(const beam_decoder *d, const beam_type *type, beam_reader *in,
                              char *row)
{
    row_header header;
    BEAM_TRY(read_row_header(d, type->n_fields, in, &header));
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const beam_field *field = &type->fields[beam_wire_field_(type, i)];
        WITHIN(decode_field(d, field, null_at(&header, i), in, row + field->offset), "field '%s'",
               field->name);
    }
    return BEAM_OK;
}

/* A row header that can only have so many fields, none of them null. */
static beam_status read_full_header(const beam_decoder *d, uint32_t n_fields, beam_reader *in)
{
    row_header header;
    BEAM_TRY(read_row_header(d, n_fields, in, &header));
    for (uint32_t i = 0; i < n_fields; i++)
        if (null_at(&header, i))
            return beam_error_set(d->err, BEAM_DATA_LOSS,
                                  "no value for a field that is not nullable");
    return BEAM_OK;
}

/* ---- Tensors -------------------------------------------------------------------------- */

/* Vector units and devices want their data aligned. */
static beam_status keep_tensor_data(const beam_decoder *d, beam_bytes from, beam_tensor *tensor)
{
    bool aligned = ((uintptr_t)from.at & (TENSOR_ALIGN - 1)) == 0;
    if (d->borrow && aligned) {
        tensor->data = from.at;
        return BEAM_OK;
    }
    char *data = beam_arena_alloc(d->arena, from.len + TENSOR_ALIGN);
    if (!data)
        return broken(d, BEAM_RESOURCE_EXHAUSTED, "a tensor");
    data += -(uintptr_t)data & (TENSOR_ALIGN - 1);
    if (from.len)
        memcpy(data, from.at, from.len);
    tensor->data = data;
    return BEAM_OK;
}

APART static beam_status decode_tensor(const beam_decoder *d, beam_reader *in, beam_tensor *tensor)
{
    int32_t dtype;
    uint32_t rank;
    beam_bytes data;
    size_t bytes;
    BEAM_TRY(read_full_header(d, 3, in));
    BEAM_TRY(decode_int32(d, in, &dtype));
    READ(beam_read_be32(in, &rank), "a tensor's shape");
    if (rank > BEAM_TENSOR_MAX_RANK)
        return beam_error_set(d->err, BEAM_DATA_LOSS, "a tensor of rank %u, at most %d is held",
                              rank, BEAM_TENSOR_MAX_RANK);
    *tensor = (beam_tensor){.dtype = (beam_dtype)dtype, .rank = rank};
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t dimension;
        READ(beam_wire_get_varint_(in, &dimension), "a tensor's shape");
        tensor->shape[i] = (int64_t)dimension;
    }
    beam_error why = {0};
    if (beam_tensor_check(tensor, NULL, &bytes, &why) != BEAM_OK)
        return beam_error_set(d->err, BEAM_DATA_LOSS, "%s", why.message);
    BEAM_TRY(take_bytes(d, BEAM_NESTED, in, &data, "a tensor's data"));
    if (data.len != bytes)
        return beam_error_set(d->err, BEAM_DATA_LOSS, "a tensor with %zu bytes of data, not %zu",
                              data.len, bytes);
    return keep_tensor_data(d, data, tensor);
}

/* Kinds that only a schema has. */
APART static beam_status decode_in_row(const beam_decoder *d, const beam_type *type, int context,
                                       beam_reader *in, void *value)
{
    if (context != BEAM_IN_ROW)
        BEAM_TRY(read_full_header(d, 1, in));
    switch (type->kind) {
    case BEAM_KIND_BYTE:
        READ(beam_read_u8(in, value), "a byte");
        return BEAM_OK;
    case BEAM_KIND_INT16: {
        const uint8_t *at;
        READ(beam_read_bytes(in, 2, &at), "an int16");
        *(int16_t *)value = (int16_t)(at[0] << 8 | at[1]);
        return BEAM_OK;
    }
    case BEAM_KIND_INT32:
        return decode_int32(d, in, value);
    case BEAM_KIND_FLOAT: {
        uint32_t bits;
        READ(beam_read_be32(in, &bits), "a float");
        memcpy(value, &bits, sizeof bits);
        return BEAM_OK;
    }
    case BEAM_KIND_TIMESTAMP:
        return decode_timestamp(d, in, value);
    case BEAM_KIND_DECIMAL: {
        beam_decimal *decimal = value;
        BEAM_TRY(decode_int32(d, in, &decimal->scale));
        BEAM_TRY(decode_bytes(d, BEAM_NESTED, in, &decimal->unscaled));
        return decimal->unscaled.len ? BEAM_OK : broken(d, BEAM_DATA_LOSS, "a decimal");
    }
    case BEAM_KIND_LIST:
        return decode_list(d, type, in, value);
    case BEAM_KIND_MAP:
        return decode_map(d, type, in, value);
    case BEAM_KIND_TENSOR:
        return decode_tensor(d, in, value);
    default:
        return beam_error_set(d->err, BEAM_INTERNAL, "a type of unknown kind %d", (int)type->kind);
    }
}

/* ---- The rest ------------------------------------------------------------------------- */

static beam_status decode_window(const beam_decoder *d, beam_reader *in, beam_window *window)
{
    uint64_t span;
    BEAM_TRY(decode_timestamp(d, in, &window->end));
    READ(beam_wire_get_varint_(in, &span), "a window");
    /* Neither the start nor the window's last millisecond may lie outside int64. */
    if (span > INT64_MAX || window->end == INT64_MIN ||
        __builtin_sub_overflow(window->end, (int64_t)span, &window->start))
        return broken(d, BEAM_DATA_LOSS, "a window");
    return BEAM_OK;
}

APART static beam_status decode_custom_window(const beam_decoder *d, const beam_type *type,
                                              beam_reader *in, beam_window *window)
{
    beam_timestamp last;
    BEAM_TRY(decode_timestamp(d, in, &last));
    BEAM_TRY(decode(d, beam_type_inner(type), BEAM_NESTED, in, window));
    if (last != beam_window_max_timestamp(*window))
        return broken(d, BEAM_DATA_LOSS, "a custom window");
    return BEAM_OK;
}

/* Half of a KV; most often it is an int64. */
static inline beam_status decode_half(const beam_decoder *d, const beam_type *type, int context,
                                      beam_reader *in, char *value)
{
    uint64_t wire;
    if (type->kind != BEAM_KIND_INT64)
        return decode(d, type, context, in, value);
    READ(beam_wire_get_varint_(in, &wire), "an int64");
    memcpy(value, &wire, sizeof wire);
    return BEAM_OK;
}

static beam_status decode_kv(const beam_decoder *d, const beam_type *type, int context,
                             beam_reader *in, char *value)
{
    if (context == BEAM_IN_ROW)
        return decode_row(d, type, in, value);
    const beam_field *key = &type->fields[0], *second = &type->fields[1];
    WITHIN(decode_half(d, key->type, BEAM_NESTED, in, value + key->offset), "key");
    WITHIN(decode_half(d, second->type, context, in, value + second->offset), "value");
    return BEAM_OK;
}

static beam_status decode_nullable(const beam_decoder *d, const beam_type *type, int context,
                                   beam_reader *in, char *value)
{
    bool present;
    BEAM_TRY(decode_bool(d, in, &present, "a nullable"));
    if (!present) {
        memset(value, 0, type->size);
        return BEAM_OK;
    }
    *beam_nullable_present_(value) = true;
    return decode(d, beam_type_inner(type), context, in, value + type->fields[0].offset);
}

static beam_status all_used(const beam_decoder *d, const beam_reader *in)
{
    if (in->at == in->end)
        return BEAM_OK;
    return beam_error_set(d->err, BEAM_DATA_LOSS, "%zu bytes are left over behind the value",
                          beam_reader_left(in));
}

APART static beam_status decode_prefixed(const beam_decoder *d, const beam_type *type,
                                         beam_reader *in, void *value)
{
    beam_bytes bytes;
    BEAM_TRY(take_bytes(d, BEAM_NESTED, in, &bytes, "a value with its length"));
    beam_reader inner = beam_reader_of(bytes.at, bytes.len);
    BEAM_TRY(decode(d, beam_type_inner(type), BEAM_OUTER, &inner, value));
    return all_used(d, &inner);
}

static beam_status decode(const beam_decoder *d, const beam_type *type, int context,
                          beam_reader *in, void *value)
{
    switch (type->kind) {
    case BEAM_KIND_INT64: {
        uint64_t wire;
        READ(beam_wire_get_varint_(in, &wire), "an int64");
        *(int64_t *)value = (int64_t)wire;
        return BEAM_OK;
    }
    case BEAM_KIND_DOUBLE: {
        uint64_t bits;
        READ(beam_read_be64(in, &bits), "a double");
        memcpy(value, &bits, sizeof bits);
        return BEAM_OK;
    }
    case BEAM_KIND_BOOL:
        return decode_bool(d, in, value, "a bool");
    case BEAM_KIND_STR:
        return decode_str(d, context, in, value);
    case BEAM_KIND_BYTES:
        return decode_bytes(d, context, in, value);
    case BEAM_KIND_KV:
        return decode_kv(d, type, context, in, value);
    case BEAM_KIND_ROW:
        return decode_row(d, type, in, value);
    case BEAM_KIND_ITERABLE:
        return decode_iterable(d, type, context, in, value);
    case BEAM_KIND_NULLABLE:
        return decode_nullable(d, type, context, in, value);
    case BEAM_KIND_GLOBAL_WINDOW:
        *(beam_window *)value = (beam_window)BEAM_GLOBAL_WINDOW;
        return BEAM_OK;
    case BEAM_KIND_INTERVAL_WINDOW:
        return decode_window(d, in, value);
    case BEAM_KIND_CUSTOM_WINDOW:
        return decode_custom_window(d, type, in, value);
    case BEAM_KIND_LENGTH_PREFIX:
        return decode_prefixed(d, type, in, value);
    case BEAM_KIND_SHARDED_KEY: {
        char *at = value;
        WITHIN(decode_bytes(d, BEAM_NESTED, in, value), "shard id");
        WITHIN(decode(d, type->fields[1].type, BEAM_NESTED, in, at + type->fields[1].offset),
               "key");
        return BEAM_OK;
    }
    default:
        return decode_in_row(d, type, context, in, value);
    }
}

/* Says what was being decoded, and where it went wrong. */
APART static beam_status report(const beam_decoder *d, const beam_type *type, size_t at, size_t of,
                                beam_status status)
{
    char text[128];
    beam_error_wrap(d->err, status, "%s cannot be decoded (at byte %zu of %zu)",
                    beam_type_describe(type, text, sizeof text), at, of);
    return status;
}

beam_status beam_decode_with(const beam_decoder *decoder, const beam_type *type,
                             beam_coder_context context, beam_reader *reader, void *value)
{
    const beam_reader start = *reader;
    beam_status status = decode(decoder, type, (int)context, reader, value);
    if (BEAM_LIKELY(status == BEAM_OK) && context == BEAM_OUTER)
        status = all_used(decoder, reader);
    if (BEAM_LIKELY(status == BEAM_OK))
        return BEAM_OK;
    size_t at = (size_t)(reader->at - start.at), of = beam_reader_left(&start);
    *reader = start;
    return report(decoder, type, at, of, status);
}

beam_status beam_decode(const beam_type *type, beam_coder_context context, beam_reader *reader,
                        void *value, beam_arena *arena, beam_error *err)
{
    const beam_decoder decoder = {.arena = arena, .err = err};
    return beam_decode_with(&decoder, type, context, reader, value);
}
