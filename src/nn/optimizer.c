/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* optimizer.c - names and limits of optimizers, learning rates over a run. */
#include <beam/optimizer.h>
#include <math.h>
#include <string.h>

static const char *const optimizers[] = {"sgd", "adam", "adamw", "muon"};
enum { NUM_OPTIMIZERS = sizeof optimizers / sizeof *optimizers };

static const char *const schedules[] = {"constant", "step", "cosine", "one_cycle"};
enum { NUM_SCHEDULES = sizeof schedules / sizeof *schedules };

const char *beam_optimizer_name(beam_optimizer_kind kind)
{
    return (unsigned)kind < NUM_OPTIMIZERS ? optimizers[kind] : "unknown";
}

beam_status beam_optimizer_parse(const char *name, beam_optimizer_kind *kind, beam_error *err)
{
    for (unsigned i = 0; name && i < NUM_OPTIMIZERS; i++) {
        if (strcmp(name, optimizers[i]) == 0) {
            *kind = (beam_optimizer_kind)i;
            return BEAM_OK;
        }
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "there is no optimizer \"%s\"; known are sgd, adam, adamw and muon",
                          name ? name : "");
}

static beam_status in_range(const char *name, float value, float limit, beam_error *err)
{
    if (value >= 0 && value < limit)
        return BEAM_OK;
    if (isinf(limit))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the optimizer's %s is %g; it must be 0 or more", name,
                              (double)value);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "the optimizer's %s is %g; it must be 0 or more and below %g", name,
                          (double)value, (double)limit);
}

beam_status beam_optimizer_check(const beam_optimizer *o, beam_error *err)
{
    if ((unsigned)o->kind >= NUM_OPTIMIZERS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "unknown optimizer %d", (int)o->kind);
    BEAM_TRY(in_range("momentum", o->momentum, 1, err));
    BEAM_TRY(in_range("beta1", o->beta1, 1, err));
    BEAM_TRY(in_range("beta2", o->beta2, 1, err));
    BEAM_TRY(in_range("epsilon", o->epsilon, INFINITY, err));
    BEAM_TRY(in_range("weight_decay", o->weight_decay, INFINITY, err));
    BEAM_TRY(in_range("max_gradient_norm", o->max_gradient_norm, INFINITY, err));
    BEAM_TRY(in_range("bias_lr_factor", o->bias_lr_factor, INFINITY, err));
    if (o->nesterov && o->momentum == 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "Nesterov's method needs a momentum, such as 0.9");
    return BEAM_OK;
}

const char *beam_schedule_name(beam_schedule_kind kind)
{
    return (unsigned)kind < NUM_SCHEDULES ? schedules[kind] : "unknown";
}

beam_status beam_schedule_parse(const char *name, beam_schedule_kind *kind, beam_error *err)
{
    for (unsigned i = 0; name && i < NUM_SCHEDULES; i++) {
        if (strcmp(name, schedules[i]) == 0) {
            *kind = (beam_schedule_kind)i;
            return BEAM_OK;
        }
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "there is no schedule \"%s\"; known are constant, step, cosine and "
                          "one_cycle",
                          name ? name : "");
}

/* After the warmup: `at` goes from 0 to 1, `passed` is the share of all steps that came before. */
static double after_warmup(const beam_schedule *s, double at, double passed)
{
    const double pi = 3.14159265358979323846;
    double factor = s->factor > 0 ? (double)s->factor : 0.1;
    double every = s->every > 0 ? (double)s->every : 1.0 / 3;
    switch (s->kind) {
    case BEAM_SCHEDULE_STEP:
        return pow(factor, floor(passed / every + 1e-9));
    case BEAM_SCHEDULE_COSINE:
        return (double)s->final + (1 - (double)s->final) * (1 + cos(pi * at)) / 2;
    case BEAM_SCHEDULE_ONE_CYCLE:
        return 1 - (1 - (double)s->final) * at;
    default:
        return 1;
    }
}

float beam_schedule_at(const beam_schedule *schedule, uint64_t step, uint64_t total)
{
    const beam_schedule *s = schedule;
    double warmup = (double)s->warmup;
    if (warmup == 0 && s->kind == BEAM_SCHEDULE_ONE_CYCLE)
        warmup = 0.23;
    double initial = s->initial > 0 ? (double)s->initial : 0.1;
    uint64_t last = total > 1 ? total - 1 : 0;
    step = step < last ? step : last;
    double at = last > 0 ? (double)step / (double)last : 0; /* 1 at the last step */
    if (at < warmup)
        return (float)(initial + (1 - initial) * at / warmup);
    return (float)after_warmup(s, warmup < 1 ? (at - warmup) / (1 - warmup) : 1,
                               (double)step / (double)(last + 1));
}
