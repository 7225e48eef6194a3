/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/estimate.h"

#include <stdlib.h>
#include <string.h>

#include "app/prices.h"
#include "app/work.h"

/* All that an estimate is made of. */
typedef struct estimate {
    const beam_dataflow_options *options;
    const beam_logger *logger;
    beam_arena *arena;
    json_t *prices, *results;
    const json_t *device; /* that workers have; NULL: the price file does not know it */
    beam_machine machine;
    bool machine_known;
    double hour; /* dollars, of a worker; negative: not known */
    int64_t least, most;
} estimate;

#define TELL(e, ...) BEAM_LOG((e)->logger, BEAM_LOG_NOTICE, __VA_ARGS__)

/* ---- Workers --------------------------------------------------------------------------------- */

/* What a worker has more than a CPU: of the whole job, or as many as a TPU's topology has chips. */
static int64_t count_of(const beam_dataflow_accelerator *a)
{
    char *times;
    if (!a->is_tpu)
        return a->count;
    long chips = strtol(a->topology, &times, 10);
    return *times == 'x' ? chips * strtol(times + 1, NULL, 10) : chips;
}

static void look_at_workers(estimate *e)
{
    const beam_dataflow_options *o = e->options;
    e->least = o->num_workers ? o->num_workers : 1;
    e->most = o->max_num_workers > e->least ? o->max_num_workers : e->least;
    e->device = beam_prices_device(e->prices, o->has_accelerator ? o->accelerator.type : "cpu");
    e->machine_known = beam_prices_machine(e->prices, o->machine_type, &e->machine);
    e->hour = -1;
    bool alone = json_is_true(json_object_get(e->device, "without_worker"));
    if (e->device && !o->prime && (e->machine_known || alone))
        e->hour = beam_prices_hour(e->prices, e->device, count_of(&o->accelerator), &e->machine);
}

/* "n1-standard-4 (4 vCPUs, 15 GB) with 1 NVIDIA T4" */
static const char *worker_text(const estimate *e)
{
    const beam_dataflow_options *o = e->options;
    const char *type = o->machine_type ? o->machine_type : "a machine of Dataflow's choice";
    const char *inside = e->machine_known ? beam_arena_printf(e->arena, " (%s%.0f vCPUs, %.4g GB)",
                                                              o->machine_type ? "" : "taken as ",
                                                              e->machine.vcpus, e->machine.ram_gb)
                                          : "";
    const char *with = "";
    if (o->has_accelerator)
        with = beam_arena_printf(e->arena, " with %lld x %s", (long long)count_of(&o->accelerator),
                                 e->device ? beam_prices_text(e->device, "title")
                                           : o->accelerator.type);
    const char *text =
        inside && with ? beam_arena_printf(e->arena, "%s%s%s", type, inside, with) : NULL;
    return text ? text : type;
}

/* What the price table would have to know. */
static void tell_no_price(const estimate *e)
{
    const beam_dataflow_options *o = e->options;
    if (o->prime)
        TELL(e,
             "no estimate of the cost: Dataflow Prime chooses the machines, and has prices of its "
             "own that the price table (share/cheatsheet.json) does not know");
    else if (e->device && !json_is_number(json_object_get(e->device, "price_hour")))
        TELL(e,
             "no estimate of the cost: a worker is %s, whose price the price table "
             "(share/cheatsheet.json) does not know; give it: --price=%s:USD, dollars an hour",
             worker_text(e), beam_prices_text(e->device, "name"));
    else
        TELL(e, "no estimate of the cost: the price table (share/cheatsheet.json) does not know %s",
             e->device ? o->machine_type : o->accelerator.type);
}

static void tell_hour(const estimate *e)
{
    const char *from = beam_prices_text(json_object_get(e->prices, "worker"), "from");
    if (e->hour < 0)
        tell_no_price(e);
    else if (e->most == e->least)
        TELL(e, "estimate: a worker is %s: $%.2f an hour, with %lld of them $%.2f (prices: %s)",
             worker_text(e), e->hour, (long long)e->least, e->hour * (double)e->least, from);
    else
        TELL(e,
             "estimate: a worker is %s: $%.2f an hour, with %lld to %lld of them $%.2f to $%.2f "
             "(prices: %s)",
             worker_text(e), e->hour, (long long)e->least, (long long)e->most,
             e->hour * (double)e->least, e->hour * (double)e->most, from);
}

/* ---- Rates ----------------------------------------------------------------------------------- */

/* Images a second that go through a network on one worker. */
typedef struct rate {
    double images;   /* 0: nobody knows */
    const char *how; /* whose it is */
    bool at_most;
} rate;

static int64_t size_of(const json_t *result)
{
    const char *dataset = beam_prices_text(result, "dataset");
    return strcmp(dataset, "cifar10") == 0 ? 32 : strcmp(dataset, "digits") == 0 ? 8 : 0;
}

static double measured(const estimate *e, const beam_model_work *work, const char *device)
{
    size_t i;
    json_t *result;
    json_array_foreach(e->results, i, result)
    {
        if (strcmp(beam_prices_text(result, "model"), work->model) == 0 &&
            strcmp(beam_prices_text(result, "device"), device) == 0 &&
            strcmp(beam_prices_text(result, "precision"), work->precision) == 0 &&
            beam_result_is_training(result) == work->training &&
            size_of(result) == work->image_size)
            return beam_prices_number(result, "images_per_second");
    }
    return 0;
}

static double estimated(const estimate *e, const beam_model_work *work, const char *device)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(e->prices, "estimates"), i, row)
    {
        double minutes = beam_prices_number(row, "minutes");
        if (strcmp(beam_prices_text(row, "model"), work->model) == 0 &&
            strcmp(beam_prices_text(row, "device"), device) == 0 &&
            beam_prices_number(row, "image_size") == (double)work->image_size)
            return !work->training ? beam_prices_number(row, "images_per_second")
                   : minutes > 0   ? BEAM_JOB_EPOCHS * BEAM_EPOCH_IMAGES / (60 * minutes)
                                   : 0;
    }
    return 0;
}

/* What was measured on two cores, on as many as the worker has. */
static rate cpu_rate(const estimate *e, const beam_model_work *work)
{
    enum { MEASURED_ON = 2 };
    bool same = e->machine.vcpus == MEASURED_ON;
    return (rate){measured(e, work, "cpu") * e->machine.vcpus / MEASURED_ON,
                  same ? "measured" : "computed from what was measured on 2 cores", false};
}

static rate rate_of(const estimate *e, const beam_model_work *work)
{
    const char *name = beam_prices_text(e->device, "name");
    if (!e->options->has_accelerator || strcmp(work->device, "cpu") == 0)
        return cpu_rate(e, work);
    if (!e->device)
        return (rate){0};
    int64_t devices = count_of(&e->options->accelerator);
    double used = (double)(work->replicas < devices ? work->replicas : devices);
    rate found = {used * measured(e, work, name), "measured", false};
    if (found.images <= 0)
        found = (rate){used * estimated(e, work, name), "estimated, never measured", false};
    if (found.images <= 0)
        found = (rate){used * beam_prices_bound(e->prices, e->device, work->model, work->image_size,
                                                work->training),
                       "computed from the peak of its arithmetic, which no program reaches", true};
    return found;
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* Seconds of all that there is to do, with the fewest and the most workers. */
typedef struct times {
    double slow, fast;
    bool at_least; /* by a bound */
} times;

/* The share of a worker that one configuration uses. */
static double share_of(const estimate *e, const beam_model_work *work)
{
    bool on_cpu = !e->options->has_accelerator || strcmp(work->device, "cpu") == 0;
    double share = on_cpu ? (double)work->threads / e->machine.vcpus : 1;
    return share < 1 ? share : 1;
}

/* Seconds with so many workers: all share inference, one configuration has one worker. */
static double seconds_with(const estimate *e, const beam_model_work *work, const rate *r,
                           int64_t workers)
{
    int64_t used = work->training && work->configs < workers ? work->configs : workers;
    double seconds = work->images / (r->images * (double)used);
    double alone = work->training ? work->longest / (r->images * share_of(e, work)) : 0;
    return seconds > alone ? seconds : alone;
}

/* How many images of what, in words. */
static const char *work_text(const estimate *e, const beam_model_work *work)
{
    const char *size = work->image_size ? beam_arena_printf(e->arena, " of %lldx%lld pixels",
                                                            (long long)work->image_size,
                                                            (long long)work->image_size)
                                        : "";
    const char *text =
        work->training
            ? beam_arena_printf(e->arena,
                                "%.0f images%s through the training of %s in %s (epochs times "
                                "images; %lld configuration%s)",
                                work->images, size ? size : "", work->model, work->precision,
                                (long long)work->configs, work->configs == 1 ? "" : "s")
            : beam_arena_printf(e->arena, "%.0f images%s classified by %s in %s", work->images,
                                size ? size : "", work->model, work->precision);
    return text ? text : work->model;
}

/* Adds the work's seconds; false where nobody knows them. */
static bool tell_work(const estimate *e, const beam_model_work *work, times *t)
{
    if (work->images < 0) {
        TELL(e, "no estimate of the time: how many images %s sees is not known before it runs",
             work->model);
        return false;
    }
    const rate r = rate_of(e, work);
    if (r.images <= 0) {
        TELL(e, "no estimate of the time: %s; there is no rate of that for %s", work_text(e, work),
             worker_text(e));
        return false;
    }
    TELL(e, "estimate: %s, at %s%.0f images/s a worker (%s)", work_text(e, work),
         r.at_most ? "no more than " : "", r.images, r.how);
    t->slow += seconds_with(e, work, &r, e->least);
    t->fast += seconds_with(e, work, &r, e->most);
    t->at_least |= r.at_most;
    return true;
}

static void tell_workers(const estimate *e, const times *t, double seconds, int64_t workers)
{
    const char *at_least = t->at_least ? "at least " : "", *cost = "whose cost is not known";
    const char *unit = seconds < 90 ? "seconds" : seconds < 5400 ? "minutes" : "hours";
    double shown = seconds < 90 ? seconds : seconds < 5400 ? seconds / 60 : seconds / 3600;
    double dollars = e->hour * (double)workers * seconds / 3600;
    if (e->hour >= 0)
        cost = beam_arena_printf(e->arena, dollars < 1 ? "%s$%.3g a job" : "%s$%.2f a job",
                                 at_least, dollars);
    TELL(e, "estimate: %s%.3g %s with %lld worker%s, %s", at_least, shown, unit, (long long)workers,
         workers == 1 ? "" : "s", cost ? cost : "");
}

static void tell_job(const estimate *e, const times *t)
{
    tell_workers(e, t, t->slow, e->least);
    if (e->most > e->least)
        tell_workers(e, t, t->fast, e->most);
    if (e->hour >= 0)
        TELL(e,
             "estimate: not in it are disks, shuffle and the minutes in which a worker starts, "
             "$%.3f each",
             e->hour / 60);
}

static beam_status tell_time(const estimate *e, const beam_pipeline *pipeline, beam_error *err)
{
    beam_works works;
    times t = {0};
    bool known = true;
    if (e->options->streaming || e->options->prime)
        return BEAM_OK;
    BEAM_TRY(beam_works_read(pipeline, e->arena, &works, err));
    for (size_t i = 0; i < works.n; i++)
        known = tell_work(e, &works.items[i], &t) && known;
    if (works.n == 0)
        TELL(e, "no estimate of the time: the pipeline runs and trains no network");
    else if (known)
        tell_job(e, &t);
    return BEAM_OK;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static beam_status put_prices(const estimate *e, beam_error *err)
{
    for (size_t i = 0; i < e->options->n_all; i++)
        if (strcmp(e->options->all[i].name, "price") == 0)
            BEAM_TRY(beam_prices_set(e->prices, e->options->all[i].value, err));
    return BEAM_OK;
}

beam_status beam_estimate_tell(const beam_pipeline *pipeline, const beam_dataflow_options *options,
                               const beam_logger *logger, beam_arena *arena, beam_error *err)
{
    estimate e = {.options = options, .logger = logger, .arena = arena};
    beam_error why = {0};
    beam_status status = BEAM_OK;
    if (beam_prices_load(NULL, &e.prices, &why) != BEAM_OK ||
        beam_results_load(&e.results, &why) != BEAM_OK)
        TELL(&e, "no estimate of the cost: %s", why.message);
    else if ((status = put_prices(&e, err)) == BEAM_OK) {
        look_at_workers(&e);
        tell_hour(&e);
        status = tell_time(&e, pipeline, err);
    }
    json_decref(e.prices);
    json_decref(e.results);
    return status;
}
