/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* testing.c - checks as transforms: all elements become one group in the global window (an
 * empty one when there are none, made from an Impulse, so that a check always runs), and one
 * function compares it with what was expected. */
#include <beam/testing.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "type/coder.h"
#include "type/value.h"

enum { SHOWN_BYTES = 300 };

static const beam_type *const any_type[] = {NULL};

/* ---- Elements of one window ------------------------------------------------------------ */

#define WINDOW_CONFIG(FIELD, S) FIELD(S, beam_int64, start) FIELD(S, beam_int64, end)
BEAM_STRUCT(window_config, WINDOW_CONFIG);

static beam_status in_window_process(beam_ctx *ctx, const void *element)
{
    const window_config *window = beam_config(ctx, window_config);
    const beam_element_info *info = beam_info(ctx);
    for (uint32_t i = 0; i < info->n_windows; i++)
        if (info->windows[i].start == window->start && info->windows[i].end == window->end)
            return beam_emit_element(ctx, 0, element);
    return BEAM_OK;
}

const beam_dofn beam_in_window_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "beam:in_window",
                                     .outs = any_type,
                                     .n_outs = 1,
                                     .config = &window_config_type,
                                     .process = in_window_process};

/* ---- The comparison -------------------------------------------------------------------- */

#define CHECK_CONFIG(FIELD, S) \
    FIELD(S, beam_str, place)  \
    FIELD(S, beam_bool, by_count) FIELD(S, beam_int64, count) FIELD(S, beam_bytes, expected)
BEAM_STRUCT(check_config, CHECK_CONFIG);

/* Values in one array and in order. */
typedef struct value_list {
    const beam_type *type;
    char *values;
    size_t n, capacity;
} value_list;

static beam_status push(value_list *list, beam_arena *arena, void **slot)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        char *grown = beam_arena_alloc(arena, capacity * list->type->size);
        if (!grown)
            return BEAM_RESOURCE_EXHAUSTED;
        if (list->n)
            memcpy(grown, list->values, list->n * list->type->size);
        list->values = grown;
        list->capacity = capacity;
    }
    *slot = list->values + list->n++ * list->type->size;
    return BEAM_OK;
}

static int compare_values(const void *a, const void *b, void *type)
{
    return beam_value_compare(type, a, b);
}

static void sort(value_list *list)
{
    if (list->n)
        qsort_r(list->values, list->n, list->type->size, compare_values,
                (void *)(uintptr_t)list->type);
}

static beam_status read_expected(const check_config *config, value_list *list, beam_arena *arena,
                                 beam_error *err)
{
    beam_reader reader = beam_reader_of(config->expected.at, config->expected.len);
    for (int64_t i = 0; i < config->count; i++) {
        void *slot;
        BEAM_TRY(push(list, arena, &slot));
        BEAM_TRY(beam_decode(list->type, BEAM_NESTED, &reader, slot, arena, err));
    }
    sort(list);
    return BEAM_OK;
}

static beam_status read_actual(const beam_iterable *values, value_list *list, beam_arena *arena)
{
    beam_iter iter = beam_iterate_(values, list->type->size);
    const void *value;
    while ((value = beam_next_(&iter))) {
        void *slot;
        BEAM_TRY(push(list, arena, &slot));
        BEAM_TRY(beam_value_copy(list->type, slot, value, arena));
    }
    sort(list);
    return iter.status;
}

/* Appends values of `a` that `b` has not as often: "; WHAT: 1, 2, ...". Returns how many. */
static size_t difference(const value_list *a, const value_list *b, const char *what,
                         beam_buffer *out, beam_status *status)
{
    size_t i = 0, k = 0, found = 0, size = a->type->size;
    size_t limit = out->len + SHOWN_BYTES;
    while (i < a->n && *status == BEAM_OK) {
        const char *value = a->values + i * size;
        int c = k < b->n ? beam_value_compare(a->type, value, b->values + k * size) : -1;
        i += c <= 0;
        k += c >= 0;
        if (c >= 0)
            continue;
        if (out->len < limit) {
            *status =
                found ? beam_buffer_printf(out, ", ") : beam_buffer_printf(out, "; %s: ", what);
            if (*status == BEAM_OK)
                *status = beam_value_print(a->type, value, out, SHOWN_BYTES);
        } else if (out->len < limit + SHOWN_BYTES && limit) {
            *status = beam_buffer_printf(out, ", ...");
            limit = 0;
        }
        found++;
    }
    return found;
}

static beam_status report(beam_ctx *ctx, const check_config *config, const value_list *actual,
                          const value_list *expected)
{
    beam_buffer words = {0};
    beam_status status = BEAM_OK;
    size_t wrong = 0;
    if (!config->by_count) {
        wrong += difference(expected, actual, "missing", &words, &status);
        wrong += difference(actual, expected, "not expected", &words, &status);
    } else if ((int64_t)actual->n != config->count) {
        const value_list none = {.type = actual->type};
        wrong++;
        difference(actual, &none, "they are", &words, &status);
    }
    if (status == BEAM_OK && wrong)
        status = beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                           "%.*s: the check failed: %" PRId64 " elements were expected and %zu "
                           "came%.*s",
                           (int)config->place.len, config->place.at, config->count, actual->n,
                           (int)words.len, words.data ? (const char *)words.data : "");
    beam_buffer_free(&words);
    return status;
}

static beam_status check_process(beam_ctx *ctx, const void *element)
{
    const check_config *config = beam_config(ctx, check_config);
    const beam_field *group = &beam_ctx_in_type(ctx)->fields[1];
    const beam_type *type = group->type->fields[0].type;
    value_list actual = {.type = type}, expected = {.type = type};
    beam_arena arena = {0};
    beam_iterable values;
    memcpy(&values, (const char *)element + group->offset, sizeof values);
    beam_status status = read_actual(&values, &actual, &arena);
    if (status == BEAM_OK && !config->by_count)
        status = read_expected(config, &expected, &arena, beam_ctx_error(ctx));
    if (status == BEAM_OK)
        status = report(ctx, config, &actual, &expected);
    beam_arena_free(&arena);
    return status;
}

const beam_dofn beam_check_fn = {.struct_size = sizeof(beam_dofn),
                                 .name = "beam:check",
                                 .config = &check_config_type,
                                 .process = check_process};

/* ---- Construction ---------------------------------------------------------------------- */

/* One group of all elements, whatever their windows. */
static beam_pcoll gather(beam_pcoll in, const beam_call *call, const beam_window *window)
{
    const beam_int64 key = 0;
    if (window) {
        const window_config config = {window->start, window->end};
        in = beam_graph_map(in, call, "InWindow", &beam_in_window_fn, &config, beam_pcoll_type(in));
    }
    beam_pcoll keyed = beam_with_keys(beam_window_into(in, (beam_windowing){0}), beam_int64, &key);
    return beam_group_by_key(keyed);
}

/* The group, where there is none: without values. */
static beam_pcoll gather_nothing(beam_pcoll groups)
{
    const beam_type *type = beam_pcoll_type(groups);
    const beam_view side = beam_as_iterable(groups);
    const beam_call named = {NULL, 0, "EmptyGroup", "EmptyGroup", NULL};
    const beam_pardo_args args = {
        .struct_size = sizeof args, .fn = &beam_empty_group_fn, .sides = &side, .n_sides = 1};
    return groups.id ? beam_graph_pardo(beam_impulse(groups.pipeline), &named, &args, &type)
                     : groups;
}

/* Two checks, of which one has something to look at: a Flatten before one check would be of
 * groups that an engine made and of one that we made, which Flink does not take together. */
static void check_groups(beam_pcoll groups, const check_config *config)
{
    const beam_call some = {NULL, 0, "Check", "Check", NULL};
    const beam_call none = {NULL, 0, "CheckNothing", "CheckNothing", NULL};
    const beam_pardo_args args = {
        .struct_size = sizeof args, .fn = &beam_check_fn, .config = config};
    beam_graph_pardo(groups, &some, &args, NULL);
    beam_graph_pardo(gather_nothing(groups), &none, &args, NULL);
}

static bool encode_expected(beam_pipeline *p, const beam_call *call, const beam_assert_args *args,
                            beam_buffer *bytes)
{
    beam_error err = {0};
    for (size_t i = 0; args->expected && i < args->count; i++) {
        const char *value = (const char *)args->expected + i * args->type->size;
        if (beam_encode(args->type, BEAM_NESTED, value, bytes, &err) != BEAM_OK) {
            beam_graph_fail_with(p, call, &err);
            return false;
        }
    }
    return true;
}

static bool check_type(beam_pcoll in, const beam_call *call, const beam_type *type)
{
    char wants[256], gives[256];
    if (!beam_graph_usable(in, call))
        return false;
    const beam_type *have = beam_pcoll_type(in);
    if (!type || beam_type_equal(type, have))
        return true;
    beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT,
                    "elements of %s are expected, but the PCollection is of %s",
                    beam_type_describe(type, wants, sizeof wants),
                    beam_type_describe(have, gives, sizeof gives));
    return false;
}

void beam_assert_that_(beam_pcoll pcoll, const beam_assert_args *args)
{
    const beam_call *call = BEAM_CALL(args, "Assert");
    char place[256] = "";
    beam_buffer bytes = {0};
    if (!check_type(pcoll, call, args->type))
        return;
    if (args->type && args->count && !args->expected) {
        beam_graph_fail(pcoll.pipeline, call, BEAM_INVALID_ARGUMENT, "it is given no values");
        return;
    }
    const char *slash = args->file ? strrchr(args->file, '/') : NULL;
    snprintf(place, sizeof place, "%s:%d",
             slash        ? slash + 1
             : args->file ? args->file
                          : "?",
             args->line);
    if (encode_expected(pcoll.pipeline, call, args, &bytes) &&
        beam_graph_open(pcoll.pipeline, call, NULL, (ProtobufCBinaryData){0, NULL})) {
        const check_config config = {.place = beam_str_of(place),
                                     .by_count = !args->expected,
                                     .count = (beam_int64)args->count,
                                     .expected = {bytes.data, bytes.len}};
        check_groups(gather(pcoll, call, args->window), &config);
        beam_graph_close(pcoll.pipeline);
    }
    beam_buffer_free(&bytes);
}

void beam_assert_all_(beam_pcoll pcoll, const beam_assert_all_args *args)
{
    const beam_call *call = BEAM_CALL(args, "AssertAll");
    if (!beam_graph_usable(pcoll, call) ||
        !beam_graph_open(pcoll.pipeline, call, NULL, (ProtobufCBinaryData){0, NULL}))
        return;
    const beam_assert_args none = {
        .struct_size = sizeof none, .file = args->file, .line = args->line, .name = "NoneFails"};
    beam_assert_that_(beam_pardo(pcoll, args->predicate), &none);
    beam_graph_close(pcoll.pipeline);
}
