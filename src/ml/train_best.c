/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_best.c - BestModelFn; results as text and as metrics. */
#include <beam/training.h>

#include <math.h>
#include <string.h>

#define BEST(FIELD, S) FIELD(S, beam_bool, present) FIELD(S, beam_training_result, result)
BEAM_STRUCT(best_result, BEST);

/* ---- What an accumulator owns ------------------------------------------------------------- */

static void disown(const beam_type *type, void *row)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        void *field = (char *)row + type->fields[i].offset;
        if (type->fields[i].type->kind == BEAM_KIND_ROW)
            disown(type->fields[i].type, field);
        else if (type->fields[i].type->kind == BEAM_KIND_STR)
            (void)beam_acc_realloc((void *)(uintptr_t)((beam_str *)field)->at, 0);
    }
}

/* Replaces every text of *row by a copy; where memory is out by none, and false. */
static bool own(const beam_type *type, void *row)
{
    bool whole = true;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        void *field = (char *)row + type->fields[i].offset;
        if (type->fields[i].type->kind == BEAM_KIND_ROW) {
            whole &= own(type->fields[i].type, field);
        } else if (type->fields[i].type->kind == BEAM_KIND_STR) {
            beam_str *text = field;
            char *copy = text->len ? beam_acc_realloc(NULL, text->len) : NULL;
            whole &= copy || !text->len;
            if (copy)
                memcpy(copy, text->at, text->len);
            *text = (beam_str){copy, copy ? text->len : 0};
        }
    }
    return whole;
}

/* ---- The best ----------------------------------------------------------------------------- */

static bool better(const beam_training_result *a, const beam_training_result *b)
{
    bool a_model = a->model_path.len > 0, b_model = b->model_path.len > 0;
    if (a_model != b_model)
        return a_model;
    double x = isnan(a->accuracy) ? -1 : a->accuracy, y = isnan(b->accuracy) ? -1 : b->accuracy;
    if (x != y)
        return x > y;
    beam_str s = a->experiment_id, t = b->experiment_id;
    size_t len = s.len < t.len ? s.len : t.len;
    int order = len ? memcmp(s.at, t.at, len) : 0;
    return order ? order < 0 : s.len < t.len;
}

static beam_status take(beam_ctx *ctx, best_result *best, const beam_training_result *result)
{
    if (best->present && !better(result, &best->result))
        return BEAM_OK;
    beam_training_result copy = *result;
    if (!own(&beam_training_result_type, &copy)) {
        disown(&beam_training_result_type, &copy);
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for the best result");
    }
    if (best->present)
        disown(&beam_training_result_type, &best->result);
    *best = (best_result){true, copy};
    return BEAM_OK;
}

static beam_status add(beam_ctx *ctx, void *acc, const void *in)
{
    return take(ctx, acc, in);
}

static beam_status merge(beam_ctx *ctx, void *acc, const void *other)
{
    const best_result *o = other;
    return o->present ? take(ctx, acc, &o->result) : BEAM_OK;
}

static beam_status extract(beam_ctx *ctx, const void *acc, void *out)
{
    (void)ctx;
    const best_result *best = acc;
    const beam_training_result none = {.accuracy = (double)NAN,
                                       .plain_accuracy = (double)NAN,
                                       .loss = (double)NAN,
                                       .status = beam_str_of("failed"),
                                       .error = beam_str_of("there were no results")};
    *(beam_training_result *)out = best->present ? best->result : none;
    return BEAM_OK;
}

static void destroy(beam_ctx *ctx, void *acc)
{
    (void)ctx;
    best_result *best = acc;
    if (best->present)
        disown(&beam_training_result_type, &best->result);
}

const beam_combinefn beam_best_model = {.struct_size = sizeof(beam_combinefn),
                                        .name = "beam_best_model",
                                        .in = &beam_training_result_type,
                                        .acc = &best_result_type,
                                        .out = &beam_training_result_type,
                                        .add = add,
                                        .merge = merge,
                                        .extract = extract,
                                        .destroy = destroy};

/* ---- Telling ------------------------------------------------------------------------------ */

static beam_status format(beam_ctx *ctx, const void *element)
{
    beam_str json;
    beam_pool *pool = beam_pool_new();
    if (!pool)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for a result");
    beam_status status = beam_training_result_to_json(element, pool, &json, beam_ctx_error(ctx));
    if (status == BEAM_OK)
        status = beam_emit_value(ctx, beam_str, &json);
    beam_pool_free(pool);
    return status;
}

static const beam_type *const text[] = {&beam_str_type};
const beam_dofn beam_format_training_result = {.struct_size = sizeof(beam_dofn),
                                               .name = "beam_format_training_result",
                                               .in = &beam_training_result_type,
                                               .outs = text,
                                               .n_outs = 1,
                                               .process = format};

enum { TRAINED, ACCURACY, PLAIN_ACCURACY, EPOCHS };

static beam_status tell(beam_ctx *ctx, const void *element)
{
    const beam_training_result *result = element;
    if (!(result->accuracy >= 0))
        return BEAM_OK;
    beam_count(ctx, TRAINED, 1);
    beam_count(ctx, ACCURACY, (int64_t)llround(result->accuracy * 1e9));
    beam_count(ctx, PLAIN_ACCURACY, (int64_t)llround(result->plain_accuracy * 1e9));
    beam_count(ctx, EPOCHS, result->epochs);
    return BEAM_OK;
}

const beam_dofn beam_tell_training = {
    .struct_size = sizeof(beam_dofn),
    .name = "beam_tell_training",
    .in = &beam_training_result_type,
    .process = tell,
    BEAM_METRICS([TRAINED] = {"models_told", BEAM_COUNTER},
                 [ACCURACY] = {"accuracy_billionths", BEAM_COUNTER},
                 [PLAIN_ACCURACY] = {"plain_accuracy_billionths", BEAM_COUNTER},
                 [EPOCHS] = {"epochs_told", BEAM_COUNTER})};
