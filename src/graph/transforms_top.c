/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_top.c - Top and Sample: a bounded heap as a CombineFn.
 *
 * An accumulator is a list of items, the worst of them first (a heap).  Top's items are the
 * elements.  Sample's are KV<priority, element>, and the smallest priorities stay: a uniform
 * sample, whatever the order of adding and merging. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/hash.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "type/layout.h"
#include "type/value.h"

/* What an accumulator owns lies before its items. Foreign ones (what is merged in, or
 * extracted from) are only read, as lists. */
typedef struct store {
    beam_arena arena;        /* what items point to */
    size_t capacity, copies; /* items there is room for; copies made in the arena */
    uint64_t random;
    _Alignas(16) char items[];
} store;

/* How items of the combine at work are ordered. */
typedef struct ranking {
    const beam_type *item;
    bool flat, smallest;
    size_t n;
} ranking;

static ranking order_of(const beam_ctx *ctx, bool sample)
{
    const beam_top_config *config = beam_config(ctx, beam_top_config);
    const beam_type *item = beam_type_inner(beam_ctx_acc_type(ctx));
    return (ranking){item, beam_type_is_flat(item), sample || config->smallest, (size_t)config->n};
}

/* Negative where `a` is better and so comes first in the result. */
static int compare(const ranking *order, const void *a, const void *b)
{
    int c = beam_value_compare(order->item, a, b);
    return order->smallest ? c : -c;
}

static store *store_of(const beam_list *acc)
{
    return acc->at ? (store *)((uintptr_t)acc->at - offsetof(store, items)) : NULL;
}

static char *item_at(const ranking *order, const beam_list *acc, size_t i)
{
    return (char *)(uintptr_t)acc->at + i * order->item->size;
}

/* ---- The heap -------------------------------------------------------------------------- */

static void swap_items(const ranking *order, char *a, char *b)
{
    char kept[256];
    for (size_t done = 0, left = order->item->size; left;) {
        size_t n = left < sizeof kept ? left : sizeof kept;
        memcpy(kept, a + done, n);
        memcpy(a + done, b + done, n);
        memcpy(b + done, kept, n);
        done += n;
        left -= n;
    }
}

static void sift_up(const ranking *order, beam_list *acc, size_t i)
{
    while (i && compare(order, item_at(order, acc, i), item_at(order, acc, (i - 1) / 2)) > 0) {
        swap_items(order, item_at(order, acc, i), item_at(order, acc, (i - 1) / 2));
        i = (i - 1) / 2;
    }
}

static void sift_down(const ranking *order, beam_list *acc)
{
    size_t i = 0;
    for (;;) {
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < acc->len; child++)
            if (compare(order, item_at(order, acc, child), item_at(order, acc, worst)) > 0)
                worst = child;
        if (worst == i)
            return;
        swap_items(order, item_at(order, acc, i), item_at(order, acc, worst));
        i = worst;
    }
}

/* Room for one more item. */
static beam_status reserve(const ranking *order, beam_list *acc)
{
    store *old = store_of(acc);
    if (old && acc->len < old->capacity)
        return BEAM_OK;
    size_t capacity = old ? old->capacity * 2 : 4, bytes;
    if (capacity > order->n)
        capacity = order->n;
    if (__builtin_mul_overflow(capacity, order->item->size, &bytes) ||
        bytes > SIZE_MAX - sizeof(store))
        return BEAM_RESOURCE_EXHAUSTED;
    store *grown = beam_acc_realloc(old, sizeof(store) + bytes);
    if (!grown)
        return BEAM_RESOURCE_EXHAUSTED;
    if (!old) {
        struct timespec now = {0, 0};
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        memset(grown, 0, sizeof *grown);
        grown->random = beam_hash64(&now, sizeof now, (uint64_t)(uintptr_t)grown);
    }
    grown->capacity = capacity;
    acc->at = grown->items;
    return BEAM_OK;
}

/* Items that were pushed out leave what they pointed to behind in the arena: now and then it
 * is made anew from those that are still there. */
static beam_status tidy(const ranking *order, beam_list *acc)
{
    store *own = store_of(acc);
    beam_arena fresh = {0};
    if (own->copies < 2 * order->n + 64)
        return BEAM_OK;
    char *copies = beam_arena_alloc(&fresh, acc->len * order->item->size);
    beam_status status = copies ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; status == BEAM_OK && i < acc->len; i++)
        status = beam_value_copy(order->item, copies + i * order->item->size,
                                 item_at(order, acc, i), &fresh);
    if (status != BEAM_OK) {
        beam_arena_free(&fresh);
        return status;
    }
    memcpy(own->items, copies, acc->len * order->item->size);
    beam_arena_free(&own->arena);
    own->arena = fresh;
    own->copies = acc->len;
    return BEAM_OK;
}

/* Writes a copy of an item that the accumulator owns. */
static beam_status own_item(const ranking *order, beam_list *acc, char *to, const void *item)
{
    store *own = store_of(acc);
    if (order->flat) {
        memcpy(to, item, order->item->size);
        return BEAM_OK;
    }
    own->copies++;
    return beam_value_copy(order->item, to, item, &own->arena);
}

static beam_status offer(const ranking *order, beam_list *acc, const void *item)
{
    if (order->n == 0)
        return BEAM_OK;
    if (acc->len < order->n) {
        BEAM_TRY(reserve(order, acc));
        BEAM_TRY(own_item(order, acc, item_at(order, acc, acc->len), item));
        sift_up(order, acc, acc->len++);
        return BEAM_OK;
    }
    if (compare(order, item, acc->at) >= 0)
        return BEAM_OK;
    BEAM_TRY(own_item(order, acc, item_at(order, acc, 0), item));
    sift_down(order, acc);
    return order->flat ? BEAM_OK : tidy(order, acc);
}

/* ---- CombineFns ------------------------------------------------------------------------ */

static beam_status merge_lists(const ranking *order, beam_list *acc, const beam_list *other)
{
    for (size_t i = 0; i < other->len; i++)
        BEAM_TRY(offer(order, acc, item_at(order, other, i)));
    return BEAM_OK;
}

static beam_status top_add(beam_ctx *ctx, void *acc, const void *in)
{
    const ranking order = order_of(ctx, false);
    return offer(&order, acc, in);
}

static beam_status top_add_batch(beam_ctx *ctx, void *const *accs, const void *ins, size_t stride,
                                 size_t n)
{
    const ranking order = order_of(ctx, false);
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(offer(&order, accs[i], (const char *)ins + i * stride));
    return BEAM_OK;
}

static beam_status top_merge(beam_ctx *ctx, void *acc, const void *other)
{
    const ranking order = order_of(ctx, false);
    return merge_lists(&order, acc, other);
}

static void top_destroy(beam_ctx *ctx, void *acc)
{
    (void)ctx;
    beam_list *list = acc;
    store *own = store_of(list);
    if (!own)
        return;
    beam_arena_free(&own->arena);
    beam_acc_realloc(own, 0);
    *list = (beam_list){NULL, 0};
}

static int compare_pointers(const void *a, const void *b, void *with)
{
    return compare(with, *(const char *const *)a, *(const char *const *)b);
}

/* The items, best first, without what lies before `offset` in each. */
static beam_status extract(beam_ctx *ctx, ranking *order, const beam_list *acc, size_t offset,
                           size_t size, void *out)
{
    const char **sorted = beam_alloc(ctx, acc->len * sizeof *sorted);
    char *values = beam_alloc(ctx, acc->len * size);
    if (!sorted || !values)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < acc->len; i++)
        sorted[i] = item_at(order, acc, i);
    qsort_r(sorted, acc->len, sizeof *sorted, compare_pointers, order);
    for (size_t i = 0; i < acc->len; i++)
        memcpy(values + i * size, sorted[i] + offset, size);
    *(beam_iterable *)out = (beam_iterable){NULL, values, acc->len};
    return BEAM_OK;
}

static beam_status top_extract(beam_ctx *ctx, const void *acc, void *out)
{
    ranking order = order_of(ctx, false);
    return extract(ctx, &order, acc, 0, order.item->size, out);
}

const beam_combinefn beam_top_combine = {.struct_size = sizeof(beam_combinefn),
                                         .name = "beam:top",
                                         .config = &beam_top_config_type,
                                         .add = top_add,
                                         .add_batch = top_add_batch,
                                         .merge = top_merge,
                                         .extract = top_extract,
                                         .destroy = top_destroy};

/* With a seed the value decides, so that runs agree; without one, chance does. */
static uint64_t priority_of(uint64_t seed, uint64_t *random, const beam_type *type,
                            const void *value)
{
    uint64_t drawn = seed ? beam_value_hash(type, value) : (*random)++;
    return beam_hash64(&drawn, sizeof drawn, seed) >> 1; /* as a positive int64 */
}

/* Draws a priority for a value and offers both; `item` is room to put them together. */
static beam_status offer_value(const ranking *order, beam_list *acc, uint64_t seed,
                               const void *value, char *item)
{
    const beam_field *fields = order->item->fields;
    int64_t worst = INT64_MAX;
    if (!acc->at)
        BEAM_TRY(reserve(order, acc));
    const int64_t priority =
        (int64_t)priority_of(seed, &store_of(acc)->random, fields[1].type, value);
    if (acc->len == order->n)
        memcpy(&worst, (const char *)acc->at + fields[0].offset, sizeof worst);
    if (priority > worst)
        return BEAM_OK;
    memcpy(item + fields[0].offset, &priority, sizeof priority);
    memcpy(item + fields[1].offset, value, fields[1].type->size);
    return offer(order, acc, item);
}

static beam_status sample_add_batch(beam_ctx *ctx, void *const *accs, const void *ins,
                                    size_t stride, size_t n)
{
    const ranking order = order_of(ctx, true);
    const uint64_t seed = (uint64_t)beam_config(ctx, beam_top_config)->seed;
    char *item = beam_alloc(ctx, order.item->size);
    if (!item)
        return BEAM_RESOURCE_EXHAUSTED;
    memset(item, 0, order.item->size);
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(offer_value(&order, accs[i], seed, (const char *)ins + i * stride, item));
    return BEAM_OK;
}

static beam_status sample_add(beam_ctx *ctx, void *acc, const void *in)
{
    return sample_add_batch(ctx, &acc, in, 0, 1);
}

static beam_status sample_merge(beam_ctx *ctx, void *acc, const void *other)
{
    const ranking order = order_of(ctx, true);
    return merge_lists(&order, acc, other);
}

static beam_status sample_extract(beam_ctx *ctx, const void *acc, void *out)
{
    ranking order = order_of(ctx, true);
    const beam_field *value = &order.item->fields[1];
    return extract(ctx, &order, acc, value->offset, value->type->size, out);
}

const beam_combinefn beam_sample_combine = {.struct_size = sizeof(beam_combinefn),
                                            .name = "beam:sample",
                                            .config = &beam_top_config_type,
                                            .add = sample_add,
                                            .add_batch = sample_add_batch,
                                            .merge = sample_merge,
                                            .extract = sample_extract,
                                            .destroy = top_destroy};

/* ---- Construction ---------------------------------------------------------------------- */

/* Types of the accumulator and the result for elements of `type`. */
static bool make_types(beam_pipeline *p, const beam_call *call, const beam_type *type, bool sample,
                       beam_combine_types *types)
{
    beam_error err = {0};
    const beam_type *item = sample ? beam_graph_kv(p, call, &beam_int64_type, type) : type;
    types->out = beam_graph_iterable(p, call, type);
    if (!item || !types->out)
        return false;
    if (beam_type_make_list(&p->arena, item, &types->acc, &err) == BEAM_OK)
        return true;
    beam_graph_fail_with(p, call, &err);
    return false;
}

static beam_pcoll keep_n(beam_pcoll in, const beam_call *call, beam_top_config config, bool sample,
                         bool per_key)
{
    beam_combine_types types;
    const beam_combine_args combine = {.struct_size = sizeof combine,
                                       .file = call->file,
                                       .line = call->line,
                                       .fn = sample ? &beam_sample_combine : &beam_top_combine,
                                       .config = &config};
    if (per_key ? !beam_graph_needs_kv(in, call, true) : !beam_graph_usable(in, call))
        return beam_no_pcoll(in.pipeline);
    const beam_type *type = beam_graph_pcoll_of(in)->type;
    if (config.n == 0)
        beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT,
                        "n says how many to keep and must be at least 1");
    if (!make_types(in.pipeline, call, per_key ? type->fields[1].type : type, sample, &types))
        return beam_no_pcoll(in.pipeline);
    return per_key ? beam_graph_combine_per_key(in, call, &combine, &types)
                   : beam_graph_combine_globally(in, call, &combine, &types);
}

beam_pcoll beam_top_globally_(beam_pcoll in, const beam_top_args *args)
{
    const beam_top_config config = {args->n, 0, args->smallest};
    return keep_n(in, BEAM_CALL(args, "Top"), config, false, false);
}

beam_pcoll beam_top_per_key_(beam_pcoll kvs, const beam_top_args *args)
{
    const beam_top_config config = {args->n, 0, args->smallest};
    return keep_n(kvs, BEAM_CALL(args, "TopPerKey"), config, false, true);
}

beam_pcoll beam_sample_globally_(beam_pcoll in, const beam_sample_args *args)
{
    const beam_top_config config = {args->n, (beam_int64)args->seed, true};
    return keep_n(in, BEAM_CALL(args, "Sample"), config, true, false);
}

beam_pcoll beam_sample_per_key_(beam_pcoll kvs, const beam_sample_args *args)
{
    const beam_top_config config = {args->n, (beam_int64)args->seed, true};
    return keep_n(kvs, BEAM_CALL(args, "SamplePerKey"), config, true, true);
}
