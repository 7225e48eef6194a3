/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_standard_coders.c - every example of Beam's standard_coders.yaml, which
 * scripts/fetch-standard-coders brings: decoded, held against the value it says, encoded
 * again, and cut short at every byte.  A section that nobody here knows is a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "schema_proto.h"
#include "type/coder.h"
#include "type/value.h"
#include "type/windowed.h"

/* One section of the file. */
typedef struct section {
    yaml_document_t *yaml;
    beam_arena *arena;
    const char *urn;
    const beam_type *type;   /* of the value; of the user's key for timers */
    const beam_type *window; /* of windowed values and timers */
    beam_bytes payload;      /* of a param_windowed_value */
    yaml_node_t *state;      /* token -> bytes, for state-backed iterables */
    bool deterministic;
} section;

static int examples_run, encodings_run;

/* ---- YAML ----------------------------------------------------------------------------- */

static yaml_node_t *node_at(section *s, int index)
{
    return yaml_document_get_node(s->yaml, index);
}

static const char *text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static yaml_node_t *get(section *s, yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
        if (strcmp(text(node_at(s, p->key)), key) == 0)
            return node_at(s, p->value);
    return NULL;
}

static yaml_node_t *item(section *s, yaml_node_t *list, size_t i)
{
    return node_at(s, list->data.sequence.items.start[i]);
}

static size_t count(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

/* The file writes a byte as the character of that number. */
static beam_bytes latin1(section *s, const yaml_node_t *node)
{
    const uint8_t *from = node->data.scalar.value;
    size_t len = node->data.scalar.length, n = 0;
    uint8_t *to = beam_arena_alloc(s->arena, len + 1);
    assert_non_null(to);
    for (size_t i = 0; i < len; i++) {
        if (from[i] < 0x80) {
            to[n++] = from[i];
        } else {
            assert_true(from[i] == 0xc2 || from[i] == 0xc3);
            to[n++] = (uint8_t)((from[i] & 3) << 6 | (from[i + 1] & 0x3f));
            i++;
        }
    }
    return (beam_bytes){to, n};
}

static int64_t integer(const yaml_node_t *node)
{
    assert_non_null(node);
    return strtoll(text(node), NULL, 10);
}

static bool is_true(const yaml_node_t *node)
{
    return node && strcmp(text(node), "true") == 0;
}

static double number(const yaml_node_t *node)
{
    return strtod(text(node), NULL);
}

/* ---- Types ---------------------------------------------------------------------------- */

static const beam_type *make_type(section *s, yaml_node_t *coder);

static const beam_type *component(section *s, yaml_node_t *coder, size_t i)
{
    yaml_node_t *components = get(s, coder, "components");
    assert_non_null(components);
    return make_type(s, item(s, components, i));
}

static const beam_type *make_type(section *s, yaml_node_t *coder)
{
    static const struct {
        const char *urn;
        const beam_type *type;
    } plain[] = {
        {"beam:coder:bytes:v1", &beam_bytes_type},
        {"beam:coder:bool:v1", &beam_bool_type},
        {"beam:coder:string_utf8:v1", &beam_str_type},
        {"beam:coder:varint:v1", &beam_int64_type},
        {"beam:coder:double:v1", &beam_double_type},
        {"beam:coder:global_window:v1", &beam_global_window_type},
        {"beam:coder:interval_window:v1", &beam_window_type},
    };
    const char *urn = text(get(s, coder, "urn"));
    const beam_type *type = NULL;
    beam_error err = {0};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(urn, plain[i].urn) == 0)
            return plain[i].type;
    if (strcmp(urn, "beam:coder:kv:v1") == 0) {
        beam_type_make_kv(s->arena, component(s, coder, 0), component(s, coder, 1), &type, &err);
    } else if (strcmp(urn, "beam:coder:iterable:v1") == 0 ||
               strcmp(urn, "beam:coder:state_backed_iterable:v1") == 0) {
        beam_type_make_iterable(s->arena, component(s, coder, 0), &type, &err);
    } else if (strcmp(urn, "beam:coder:nullable:v1") == 0) {
        beam_type_make_nullable(s->arena, component(s, coder, 0), &type, &err);
    } else if (strcmp(urn, "beam:coder:sharded_key:v1") == 0) {
        beam_type_make_sharded_key(s->arena, component(s, coder, 0), &type, &err);
    } else if (strcmp(urn, "beam:coder:custom_window:v1") == 0) {
        beam_type_make_custom_window(s->arena, component(s, coder, 0), &type, &err);
    } else if (strcmp(urn, "beam:coder:row:v1") == 0) {
        beam_bytes schema = latin1(s, get(s, coder, "payload"));
        beam_status status =
            schema_type(s->arena, beam_reader_of(schema.at, schema.len), &type, &err);
        assert_int_equal(status, BEAM_OK);
    } else {
        fail_msg("standard_coders.yaml has a coder that this test does not know: %s", urn);
    }
    if (!type)
        fail_msg("%s: %s", urn, err.message);
    return type;
}

/* ---- Values --------------------------------------------------------------------------- */

static void check_value(section *s, const beam_type *type, const void *value, yaml_node_t *node);

static void check_bytes(beam_bytes expected, const void *at, size_t len)
{
    assert_int_equal(len, expected.len);
    if (len)
        assert_memory_equal(at, expected.at, len);
}

static void check_double(double value, const yaml_node_t *node, double tolerance)
{
    double expected = number(node);
    if (expected != expected)
        assert_true(value != value);
    else if (expected - expected != 0) /* infinite */
        assert_true(value == expected);
    else
        assert_true(value - expected <= tolerance && expected - value <= tolerance);
    uint64_t a, b;
    memcpy(&a, &value, sizeof a);
    memcpy(&b, &expected, sizeof b);
    if (tolerance == 0 && expected == expected)
        assert_int_equal(a, b);
}

static void check_decimal(const beam_decimal *value, const yaml_node_t *node)
{
    const int8_t *at = value->unscaled.at;
    int64_t unscaled = at[0];
    for (size_t i = 1; i < value->unscaled.len; i++)
        unscaled = unscaled * 256 + (uint8_t)at[i];
    double result = (double)unscaled;
    for (int32_t i = 0; i < value->scale; i++)
        result /= 10;
    check_double(result, node, 1e-12);
}

static void check_sequence(section *s, const beam_type *element, const beam_iterable *values,
                           yaml_node_t *node)
{
    assert_int_equal(node->type, YAML_SEQUENCE_NODE);
    beam_iter iter = beam_iterate_(values, element->size);
    const void *value;
    size_t n = 0;
    for (; (value = beam_next_(&iter)) != NULL; n++) {
        assert_true(n < count(node));
        check_value(s, element, value, item(s, node, n));
    }
    assert_int_equal(iter.status, BEAM_OK);
    assert_int_equal(n, count(node));
}

static void check_map(section *s, const beam_type *entry, const beam_list *map, yaml_node_t *node)
{
    const char *at = map->at;
    for (size_t i = 0; i < map->len; i++, at += entry->size) {
        const beam_str *key = (const void *)(at + entry->fields[0].offset);
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)key->len, key->at);
        yaml_node_t *expected = get(s, node, name);
        assert_non_null(expected);
        check_value(s, entry->fields[1].type, at + entry->fields[1].offset, expected);
    }
    assert_int_equal(map->len, node->data.mapping.pairs.top - node->data.mapping.pairs.start);
}

static void check_window(section *s, const beam_window *window, yaml_node_t *node)
{
    if (node->type == YAML_SCALAR_NODE) { /* "global", or "" for the window alone */
        const beam_window global = BEAM_GLOBAL_WINDOW;
        assert_memory_equal(window, &global, sizeof global);
        return;
    }
    yaml_node_t *custom = get(s, node, "window");
    node = custom ? custom : node;
    assert_int_equal(window->end, integer(get(s, node, "end")));
    assert_int_equal(window->end - window->start, integer(get(s, node, "span")));
}

static void check_fields(section *s, const beam_type *type, const char *value, yaml_node_t *node)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const char *name = type->fields[i].name;
        yaml_node_t *field = get(s, node, strcmp(name, "shard_id") == 0 ? "shardId" : name);
        assert_non_null(field);
        check_value(s, type->fields[i].type, value + type->fields[i].offset, field);
    }
}

static void check_value(section *s, const beam_type *type, const void *value, yaml_node_t *node)
{
    switch (type->kind) {
    case BEAM_KIND_BOOL:
        assert_int_equal(*(const bool *)value, is_true(node));
        break;
    case BEAM_KIND_INT16:
        assert_int_equal(*(const int16_t *)value, integer(node));
        break;
    case BEAM_KIND_INT32:
        assert_int_equal(*(const int32_t *)value, integer(node));
        break;
    case BEAM_KIND_INT64:
        assert_int_equal(*(const int64_t *)value, integer(node));
        break;
    case BEAM_KIND_TIMESTAMP: /* the file has the wire's number, shifted by 2^63 */
        assert_int_equal((uint64_t) * (const int64_t *)value, (uint64_t)integer(node) ^ UINT64_C(1)
                                                                                            << 63);
        break;
    case BEAM_KIND_FLOAT:
        check_double((double)*(const float *)value, node, 1e-5);
        break;
    case BEAM_KIND_DOUBLE:
        check_double(*(const double *)value, node, 0);
        break;
    case BEAM_KIND_STR: {
        const beam_str *str = value;
        check_bytes((beam_bytes){text(node), node->data.scalar.length}, str->at, str->len);
        break;
    }
    case BEAM_KIND_BYTES: {
        const beam_bytes *bytes = value;
        check_bytes(latin1(s, node), bytes->at, bytes->len);
        break;
    }
    case BEAM_KIND_DECIMAL:
        check_decimal(value, node);
        break;
    case BEAM_KIND_NULLABLE: {
        bool null = node->type == YAML_SCALAR_NODE && strcmp(text(node), "null") == 0 &&
                    node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        assert_int_equal(*(const bool *)value, !null);
        if (!null)
            check_value(s, beam_type_inner(type), (const char *)value + type->fields[0].offset,
                        node);
        break;
    }
    case BEAM_KIND_ITERABLE:
        check_sequence(s, beam_type_inner(type), value, node);
        break;
    case BEAM_KIND_LIST: {
        const beam_list *list = value;
        check_sequence(s, beam_type_inner(type), &(beam_iterable){NULL, list->at, list->len}, node);
        break;
    }
    case BEAM_KIND_MAP:
        check_map(s, beam_type_inner(type), value, node);
        break;
    case BEAM_KIND_GLOBAL_WINDOW:
    case BEAM_KIND_INTERVAL_WINDOW:
    case BEAM_KIND_CUSTOM_WINDOW:
        check_window(s, value, node);
        break;
    case BEAM_KIND_KV:
    case BEAM_KIND_ROW:
    case BEAM_KIND_SHARDED_KEY:
        check_fields(s, type, value, node);
        break;
    default:
        fail_msg("no way to check a value of kind %d", (int)type->kind);
    }
}

static void check_windows(section *s, const beam_window *windows, size_t n, yaml_node_t *node)
{
    assert_int_equal(n, count(node));
    for (size_t i = 0; i < n; i++)
        check_window(s, &windows[i], item(s, node, i));
}

static void check_pane(section *s, beam_pane pane, yaml_node_t *node)
{
    static const char *const timings[] = {"EARLY", "ON_TIME", "LATE", "UNKNOWN"};
    assert_int_equal(pane.is_first, is_true(get(s, node, "is_first")));
    assert_int_equal(pane.is_last, is_true(get(s, node, "is_last")));
    assert_string_equal(timings[pane.timing], text(get(s, node, "timing")));
    assert_int_equal(pane.index, integer(get(s, node, "index")));
    assert_int_equal(pane.on_time_index, integer(get(s, node, "on_time_index")));
}

/* ---- One example ---------------------------------------------------------------------- */

/* What one example decodes to, whatever its coder. */
typedef struct decoded {
    void *value;
    beam_element_info info;
    beam_timer timer;
} decoded;

static bool is_coder(const section *s, const char *name)
{
    char urn[64];
    snprintf(urn, sizeof urn, "beam:coder:%s:v1", name);
    return strcmp(s->urn, urn) == 0;
}

/* The engine of this test: a token's values are in the section's `state`. */
static beam_status open_tail(void *user, const beam_iterable_tail *tail, beam_iterable *values,
                             beam_error *err)
{
    section *s = user;
    size_t size = tail->element->size, n = (size_t)tail->n;
    char *array = beam_arena_alloc(s->arena, (n + 16) * size), token[64];
    assert_non_null(array);
    snprintf(token, sizeof token, "%.*s", (int)tail->token.len, (const char *)tail->token.at);
    yaml_node_t *suffix = get(s, s->state, token);
    assert_non_null(suffix);
    beam_bytes bytes = latin1(s, suffix);
    beam_reader reader = beam_reader_of(bytes.at, bytes.len);
    if (n)
        memcpy(array, tail->prefix, n * size);
    for (; reader.at != reader.end; n++)
        BEAM_TRY(beam_decode(tail->element, BEAM_NESTED, &reader, array + n * size, s->arena, err));
    *values = (beam_iterable){NULL, array, n};
    return BEAM_OK;
}

static beam_status decode_example(section *s, beam_coder_context context, beam_reader *in,
                                  decoded *to, beam_error *err)
{
    if (is_coder(s, "windowed_value"))
        return beam_decode_windowed(s->type, s->window, context, in, &to->info, to->value, s->arena,
                                    err);
    if (is_coder(s, "timer"))
        return beam_decode_timer(s->type, s->window, in, to->value, &to->timer, s->arena, err);
    if (is_coder(s, "param_windowed_value"))
        BEAM_TRY(beam_decode_param_info(s->window, s->payload.at, s->payload.len, &to->info,
                                        s->arena, err));
    const beam_decoder decoder = {
        .arena = s->arena, .err = err, .open_tail = s->state ? open_tail : NULL, .user = s};
    return beam_decode_with(&decoder, s->type, context, in, to->value);
}

static beam_status encode_example(section *s, beam_coder_context context, const decoded *from,
                                  beam_buffer *out, beam_error *err)
{
    if (is_coder(s, "windowed_value"))
        return beam_encode_windowed(s->type, s->window, context, &from->info, from->value, out,
                                    err);
    if (is_coder(s, "timer"))
        return beam_encode_timer(s->type, s->window, from->value, &from->timer, out, err);
    return beam_encode(s->type, context, from->value, out, err);
}

static void check_example(section *s, const decoded *d, yaml_node_t *node)
{
    if (is_coder(s, "timer")) {
        check_value(s, s->type, d->value, get(s, node, "userKey"));
        yaml_node_t *tag = get(s, node, "dynamicTimerTag");
        check_bytes((beam_bytes){text(tag), tag->data.scalar.length}, d->timer.tag.at,
                    d->timer.tag.len);
        check_windows(s, d->timer.windows, d->timer.n_windows, get(s, node, "windows"));
        assert_int_equal(d->timer.clear, is_true(get(s, node, "clearBit")));
        if (!d->timer.clear) {
            assert_int_equal(d->timer.fire, integer(get(s, node, "fireTimestamp")));
            assert_int_equal(d->timer.hold, integer(get(s, node, "holdTimestamp")));
            check_pane(s, d->timer.pane, get(s, node, "pane"));
        }
        return;
    }
    if (!s->window) {
        check_value(s, s->type, d->value, node);
        return;
    }
    check_value(s, s->type, d->value, get(s, node, "value"));
    assert_int_equal(d->info.timestamp, integer(get(s, node, "timestamp")));
    check_windows(s, d->info.windows, d->info.n_windows, get(s, node, "windows"));
    check_pane(s, d->info.pane, get(s, node, "pane"));
}

/* The payload of a param_windowed_value is encoded from what it says, byte by byte. */
static void check_payload(section *s, const decoded *d)
{
    beam_buffer again = {0};
    assert_int_equal(beam_encode_param_info(s->window, &d->info, &again, NULL), BEAM_OK);
    check_bytes(s->payload, again.data, again.len);
    beam_buffer_free(&again);
}

/* A state-backed iterable that nobody opens keeps prefix and token. */
static void check_token_kept(section *s, beam_coder_context context, beam_bytes bytes)
{
    beam_iterable values, copy;
    beam_buffer again = {0};
    beam_reader in = beam_reader_of(bytes.at, bytes.len);
    assert_int_equal(beam_decode(s->type, context, &in, &values, s->arena, NULL), BEAM_OK);
    if (values.ops) {
        assert_int_equal(beam_value_copy(s->type, &copy, &values, s->arena), BEAM_OK);
        assert_int_equal(beam_encode(s->type, context, &copy, &again, NULL), BEAM_OK);
        check_bytes(bytes, again.data, again.len);
        beam_iter iter = beam_iterate_(&copy, beam_type_inner(s->type)->size);
        while (beam_next_(&iter))
            ;
        assert_int_equal(iter.status, BEAM_FAILED_PRECONDITION);
    }
    beam_buffer_free(&again);
}

static void run_example(section *s, beam_coder_context context, beam_bytes bytes, yaml_node_t *node)
{
    decoded d = {.value = beam_arena_calloc(s->arena, 1, s->type->size)};
    beam_error err = {0};
    beam_reader in = beam_reader_of(bytes.at, bytes.len);
    if (decode_example(s, context, &in, &d, &err) != BEAM_OK)
        fail_msg("%s: %s", s->urn, err.message);
    assert_int_equal(beam_reader_left(&in), 0);
    check_example(s, &d, node);
    if (is_coder(s, "param_windowed_value"))
        check_payload(s, &d);
    if (s->state)
        check_token_kept(s, context, bytes);
    examples_run++;

    beam_buffer again = {0};
    if (encode_example(s, context, &d, &again, &err) != BEAM_OK)
        fail_msg("%s: %s", s->urn, err.message);
    if (s->deterministic) {
        check_bytes(bytes, again.data, again.len);
        encodings_run++;
    } else { /* other bytes, but the same value */
        in = beam_reader_of(again.data, again.len);
        assert_int_equal(decode_example(s, context, &in, &d, &err), BEAM_OK);
        check_example(s, &d, node);
    }
    beam_buffer_free(&again);

    for (size_t len = 0; len < bytes.len; len++) { /* any status, but no byte past the end */
        uint8_t *cut = malloc(len ? len : 1);
        assert_non_null(cut);
        memcpy(cut, bytes.at, len);
        in = beam_reader_of(cut, len);
        (void)decode_example(s, context, &in, &d, &err);
        free(cut);
    }
}

/* ---- Sections ------------------------------------------------------------------------- */

static void run_section(section *s)
{
    yaml_node_t *root = yaml_document_get_root_node(s->yaml);
    yaml_node_t *coder = get(s, root, "coder"), *nested = get(s, root, "nested");
    yaml_node_t *examples = get(s, root, "examples");
    assert_non_null(coder);
    assert_non_null(examples);
    s->urn = text(get(s, coder, "urn"));
    s->state = get(s, coder, "state");
    s->deterministic = !is_true(get(s, coder, "non_deterministic"));
    if (is_coder(s, "timer") || is_coder(s, "windowed_value") ||
        is_coder(s, "param_windowed_value")) {
        s->type = component(s, coder, 0);
        s->window = component(s, coder, 1);
        if (get(s, coder, "payload"))
            s->payload = latin1(s, get(s, coder, "payload"));
    } else {
        s->type = make_type(s, coder);
    }
    yaml_node_pair_t *pair = examples->data.mapping.pairs.start;
    for (; pair < examples->data.mapping.pairs.top; pair++) {
        beam_bytes bytes = latin1(s, node_at(s, pair->key));
        if (!nested || is_true(nested))
            run_example(s, BEAM_NESTED, bytes, node_at(s, pair->value));
        if (!nested || !is_true(nested))
            run_example(s, BEAM_OUTER, bytes, node_at(s, pair->value));
    }
}

static FILE *open_file(void)
{
    char path[512];
    const char *named = getenv("BEAM_STANDARD_CODERS"), *cache = getenv("BEAM_CACHE");
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (named)
        snprintf(path, sizeof path, "%s", named);
    else if (cache)
        snprintf(path, sizeof path, "%s/standard_coders.yaml", cache);
    else if (xdg)
        snprintf(path, sizeof path, "%s/libbeam/standard_coders.yaml", xdg);
    else
        snprintf(path, sizeof path, "%s/.cache/libbeam/standard_coders.yaml", home ? home : "");
    FILE *file = fopen(path, "rb");
    if (!file)
        print_message("skipped: no %s; scripts/fetch-standard-coders brings it\n", path);
    return file;
}

static void all_sections(void **state)
{
    (void)state;
    FILE *file = open_file();
    if (!file)
        skip();
    yaml_parser_t parser;
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, file);
    int sections = 0;
    for (;; sections++) {
        yaml_document_t yaml;
        if (!yaml_parser_load(&parser, &yaml))
            fail_msg("section %d: %s", sections + 1, parser.problem);
        bool more = yaml_document_get_root_node(&yaml) != NULL;
        beam_arena arena = {0};
        section s = {.yaml = &yaml, .arena = &arena};
        if (more)
            run_section(&s);
        beam_arena_free(&arena);
        yaml_document_delete(&yaml);
        if (!more)
            break;
    }
    yaml_parser_delete(&parser);
    fclose(file);
    print_message("%d sections, %d examples decoded, %d encoded to the same bytes\n", sections,
                  examples_run, encodings_run);
    assert_true(sections >= 45);
    assert_true(encodings_run >= 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_sections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
