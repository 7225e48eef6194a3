/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* sdf_process.c - beam:transform:sdf_process_sized_element_and_restrictions:v1: processing a
 * restriction, part of which may be given away meanwhile.
 *
 * Other threads never touch the tracker: they leave a wish (tracker.split_wanted), which the
 * processing thread meets at its next claim.  So claiming costs one relaxed load, and trackers
 * need no locks. */
#include <string.h>

#include "model/urn.h"
#include "plan/splittable.h"

enum { WANT_SPLIT = 1, WANT_PROGRESS = 2 };

typedef struct process_node {
    beam_dofn_node dofn;
    beam_pair_layout layout; /* within the input */
    size_t size_at;
    beam_tracker tracker;
    const void *element;      /* the input at hand; NULL when there is none */
    char *primary, *residual; /* two values of the input's type */
    int running;              /* read from other threads, as what follows */
    uint64_t fraction;        /* a double's bits */
    uint64_t completed, remaining;
} process_node;

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- Splits --------------------------------------------------------------------------- */

static beam_status size_part(process_node *self, char *part)
{
    double size;
    BEAM_TRY(beam_restriction_size(&self->dofn.node.ctx, self->dofn.fn->splittable,
                                   part + self->layout.element_at,
                                   part + self->layout.restriction_at, &size));
    memcpy(part + self->size_at, &size, sizeof size);
    return BEAM_OK;
}

static beam_status split(process_node *self, double fraction)
{
    beam_node *node = &self->dofn.node;
    const beam_pair_layout *layout = &self->layout;
    const beam_plan_driver *driver = &node->plan->driver;
    memcpy(self->primary, self->element, node->in_type->size);
    memcpy(self->residual, self->element, node->in_type->size);
    if (!self->tracker.fn->try_split(self->tracker.state, fraction,
                                     self->primary + layout->restriction_at,
                                     self->residual + layout->restriction_at)) {
        if (driver->refused)
            driver->refused(driver->self);
        return BEAM_OK;
    }
    BEAM_TRY(size_part(self, self->primary));
    BEAM_TRY(size_part(self, self->residual));
    beam_plan_split parts = {
        .transform = node->id,
        .input = node->in_local,
        .pcollection = node->in->id,
        .type = node->in_type,
        .primary = self->primary,
        .residual = self->residual,
        .info = node->ctx.frame->info,
    };
    return driver->residual(driver->self, &parts, &node->error);
}

static void report_progress(process_node *self)
{
    double completed = 0, remaining = 0;
    if (self->tracker.fn->progress)
        self->tracker.fn->progress(self->tracker.state, &completed, &remaining);
    __atomic_store_n(&self->completed, bits_of(completed), __ATOMIC_RELAXED);
    __atomic_store_n(&self->remaining, bits_of(remaining), __ATOMIC_RELAXED);
}

void beam_tracker_split_(beam_ctx *ctx, beam_tracker *tracker)
{
    process_node *self = (process_node *)ctx;
    int wanted = __atomic_exchange_n(&tracker->split_wanted, 0, __ATOMIC_ACQUIRE);
    if (wanted & WANT_SPLIT) {
        double fraction = double_of(__atomic_load_n(&self->fraction, __ATOMIC_RELAXED));
        beam_status status = split(self, fraction);
        if (status != BEAM_OK) /* the tracker has shrunk already: the bundle cannot go on */
            beam_node_failed(&self->dofn.node, status, "split", self->element, 1);
    }
    if (wanted & WANT_PROGRESS)
        report_progress(self);
}

bool beam_plan_request_split(beam_plan *plan, double fraction)
{
    process_node *self = (process_node *)plan->splittable;
    if (!self || !plan->driver.residual || !(fraction >= 0 && fraction <= 1))
        return false;
    __atomic_store_n(&self->fraction, bits_of(fraction), __ATOMIC_RELAXED);
    (void)__atomic_fetch_or(&self->tracker.split_wanted, WANT_SPLIT, __ATOMIC_RELEASE);
    return true;
}

void beam_plan_get_progress(beam_plan *plan, beam_plan_progress *progress)
{
    process_node *self = (process_node *)plan->splittable;
    *progress = (beam_plan_progress){.elements = __atomic_load_n(&plan->pushed, __ATOMIC_RELAXED)};
    if (!self || !__atomic_load_n(&self->running, __ATOMIC_RELAXED))
        return;
    progress->splittable = true;
    progress->completed = double_of(__atomic_load_n(&self->completed, __ATOMIC_RELAXED));
    progress->remaining = double_of(__atomic_load_n(&self->remaining, __ATOMIC_RELAXED));
    (void)__atomic_fetch_or(&self->tracker.split_wanted, WANT_PROGRESS, __ATOMIC_RELEASE);
}

/* ---- Processing ----------------------------------------------------------------------- */

static beam_status call_process(beam_ctx *ctx, const void *element)
{
    process_node *self = (process_node *)ctx;
    return self->dofn.fn->splittable->process(ctx, element, &self->tracker);
}

static beam_status process_restriction(process_node *self, const void *element)
{
    beam_node *node = &self->dofn.node;
    beam_tracker *tracker = &self->tracker;
    if (tracker->fn->state_size)
        memset(tracker->state, 0, tracker->fn->state_size);
    if (tracker->fn->start)
        BEAM_TRY(tracker->fn->start(tracker->state, tracker->restriction));
    report_progress(self);
    BEAM_TRY(beam_outputs_around(node, element, call_process));
    if (node->plan->failure.transform) /* a split that failed */
        return node->plan->failure.error.code;
    if (tracker->fn->is_done && !tracker->fn->is_done(tracker->state))
        return beam_fail(&node->ctx, BEAM_FAILED_PRECONDITION,
                         "process returned before all of its restriction was claimed");
    return BEAM_OK;
}

static beam_status process_input(beam_ctx *ctx, const void *input, size_t n)
{
    (void)n;
    process_node *self = (process_node *)ctx;
    self->element = input;
    self->tracker.restriction = (const char *)input + self->layout.restriction_at;
    __atomic_store_n(&self->running, 1, __ATOMIC_RELAXED);
    beam_status status = process_restriction(self, (const char *)input + self->layout.element_at);
    __atomic_store_n(&self->running, 0, __ATOMIC_RELAXED);
    self->element = NULL;
    return status;
}

static beam_status process_one(beam_ctx *ctx, const void *input)
{
    return process_input(ctx, input, 1);
}

static beam_status process_exploded(beam_ctx *ctx, const void *input)
{
    return beam_dofn_in_each_window(ctx, input, 1, process_input);
}

/* ---- The node ------------------------------------------------------------------------- */

static beam_status open_process(beam_node *node, beam_error *err)
{
    process_node *self = (process_node *)node;
    beam_plan *plan = node->plan;
    BEAM_TRY(beam_splittable_open(node, err));
    BEAM_TRY(beam_dofn_connect(node, err));
    BEAM_TRY(beam_splittable_sized(node, node->in_type, &self->layout, &self->size_at, err));
    if (plan->splittable)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "a stage can process restrictions of one splittable DoFn only");
    const beam_tracker_fn *fn = self->dofn.fn->splittable->tracker;
    self->tracker.fn = fn;
    self->tracker.state = beam_plan_alloc(plan, 1, fn->state_size, err);
    self->primary = beam_plan_alloc(plan, 1, node->in_type->size, err);
    self->residual = beam_plan_alloc(plan, 1, node->in_type->size, err);
    if (!self->tracker.state || !self->primary || !self->residual)
        return BEAM_RESOURCE_EXHAUSTED;
    plan->splittable = node;
    node->fn_in = self->layout.element;
    node->process = node->one_by_one ? process_exploded : process_one;
    return BEAM_OK;
}

static beam_status start_process(beam_node *node)
{
    process_node *self = (process_node *)node;
    __atomic_store_n(&self->tracker.split_wanted, 0, __ATOMIC_RELAXED);
    return beam_dofn_start(node);
}

const beam_node_kind beam_sdf_process_kind = {
    .urn = BEAM_URN_SDF_PROCESS,
    .size = sizeof(process_node),
    .open = open_process,
    .setup = beam_dofn_setup,
    .start = start_process,
    .finish = beam_dofn_finish,
    .end = beam_dofn_end,
    .teardown = beam_dofn_teardown,
    .close = beam_dofn_close,
};
