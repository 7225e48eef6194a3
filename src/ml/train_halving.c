/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_halving.c - successive halving: the end of a rung, where the better half of the
 * configurations goes on.  All results of the rung are there, so what stops depends on nothing but
 * them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/train_models.h"

typedef struct result_list {
    beam_training_result **at; /* copies in a pool; `at` grows by beam_grow */
    size_t n, capacity;
} result_list;

/* One that failed, or has nothing more to do, is final. */
static bool goes_on(const beam_training_result *result)
{
    return beam_str_equal(result->status, beam_str_of("ok")) &&
           result->epochs < result->config.epochs;
}

static int by_accuracy(const void *a, const void *b)
{
    const beam_training_result *x = *(beam_training_result *const *)a;
    const beam_training_result *y = *(beam_training_result *const *)b;
    if (x->accuracy != y->accuracy)
        return x->accuracy < y->accuracy ? 1 : -1;
    size_t len =
        x->experiment_id.len < y->experiment_id.len ? x->experiment_id.len : y->experiment_id.len;
    int order = memcmp(x->experiment_id.at, y->experiment_id.at, len);
    return order ? order
                 : (x->experiment_id.len > y->experiment_id.len) -
                       (x->experiment_id.len < y->experiment_id.len);
}

static beam_status collect(beam_ctx *ctx, const beam_rung *rung, beam_pool *pool, result_list *list)
{
    beam_iter it = beam_iterate(&rung->values, beam_training_result);
    const beam_training_result *result;
    while ((result = beam_next(&it, beam_training_result))) {
        if (!goes_on(result)) {
            BEAM_TRY(beam_emit_element(ctx, 1, result));
            continue;
        }
        void *copy;
        BEAM_TRY(beam_pool_copy(pool, &beam_training_result_type, result, &copy));
        if (beam_grow((void **)&list->at, &list->capacity, list->n + 1, sizeof(void *)) != 0)
            return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for results");
        list->at[list->n++] = copy;
    }
    return it.status;
}

static beam_status emit_better_half(beam_ctx *ctx, const result_list *list, beam_pool *pool)
{
    size_t kept = (list->n + 1) / 2;
    beam_training_config *configs = beam_pool_alloc(pool, kept * sizeof *configs);
    if (!configs)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for configurations");
    if (list->n)
        qsort(list->at, list->n, sizeof *list->at, by_accuracy);
    for (size_t i = 0; i < kept; i++)
        configs[i] = list->at[i]->config;
    beam_training_configs_order(configs, kept);
    for (size_t i = 0; i < kept; i++)
        BEAM_TRY(beam_emit_element(ctx, 0, &configs[i]));
    for (size_t i = kept; i < list->n; i++) {
        list->at[i]->status = beam_str_of("stopped");
        BEAM_TRY(beam_emit_element(ctx, 1, list->at[i]));
    }
    return BEAM_OK;
}

static beam_status process(beam_ctx *ctx, const void *element)
{
    result_list list = {0};
    beam_pool *pool = beam_pool_new();
    if (!pool)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for results");
    beam_status status = collect(ctx, element, pool, &list);
    if (status == BEAM_OK)
        status = emit_better_half(ctx, &list, pool);
    beam_free(list.at);
    beam_pool_free(pool);
    return status;
}

const beam_dofn beam_halve_fn = {.struct_size = sizeof(beam_dofn),
                                 .name = "beam_halve_fn",
                                 .in = &beam_rung_type,
                                 BEAM_TYPES(&beam_training_config_type, &beam_training_result_type),
                                 .process = process};
