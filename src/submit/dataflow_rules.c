/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_rules.c - what Dataflow does with accelerators, and what it does not, held against the
 * options and the hints of a pipeline's environments.
 *
 * A job's workers are all alike, so an accelerator is asked for the whole job; only Prime's right
 * fitting gives transforms workers of their own, of hints, and it has GPUs alone. */
#include <string.h>

#include "model/urn.h"
#include "submit/dataflow.h"

/* An environment's accelerator hint, as text in the arena; NULL: it has none. */
static beam_status hint_of(const BeamPb__Environment *environment, beam_arena *arena,
                           const char **hint)
{
    *hint = NULL;
    for (size_t i = 0; environment && i < environment->n_resource_hints; i++) {
        const BeamPb__BytesEntry *entry = environment->resource_hints[i];
        if (strcmp(entry->key, BEAM_URN_HINT_ACCELERATOR) == 0 && entry->value.len &&
            !(*hint = beam_arena_strndup(arena, (const char *)entry->value.data, entry->value.len)))
            return BEAM_RESOURCE_EXHAUSTED;
    }
    return BEAM_OK;
}

static beam_status check_prime_hint(const char *text, const beam_dataflow_accelerator *hint,
                                    beam_dataflow_accelerator *wanted, beam_error *err)
{
    *wanted = *hint;
    if (!hint->is_tpu)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "a transform asks for %s, and Dataflow Prime has no TPUs: leave out "
                          "enable_prime, and say --worker_accelerator='type:%s;topology:%s' for "
                          "the whole job",
                          text, hint->type, hint->topology);
}

static beam_status check_hint(const beam_dataflow_options *o, const char *text,
                              beam_dataflow_accelerator *wanted, beam_error *err)
{
    beam_dataflow_accelerator hint;
    BEAM_TRY(beam_dataflow_accelerator_parse("a transform's hint accelerator", text, &hint, err));
    if (o->prime)
        return check_prime_hint(text, &hint, wanted, err);
    if (!o->has_accelerator)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a transform asks for an accelerator (%s) and would not get it: say "
                              "--worker_accelerator='%s' for all workers of the job%s",
                              text, text,
                              hint.is_tpu ? ""
                                          : ", or --dataflow_service_options=enable_prime for "
                                            "workers of its own (right fitting)");
    const beam_dataflow_accelerator *all = &o->accelerator;
    if (strcmp(hint.type, all->type) != 0 || hint.count > all->count ||
        strcmp(hint.topology, all->topology) != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a transform asks for an accelerator (%s) that is not "
                              "--worker_accelerator's; all workers of a job are alike, so make "
                              "them the same (--accelerator=... of the learning path's programs)",
                              text);
    return BEAM_OK;
}

static beam_status check_prime(const beam_dataflow_options *o, beam_error *err)
{
    if (!o->prime || !o->has_accelerator)
        return BEAM_OK;
    if (o->accelerator.is_tpu)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "TPUs and Dataflow Prime exclude one another: leave out enable_prime "
                              "(Prime's right fitting mixes workers, and a TPU is asked for the "
                              "whole job)");
    return beam_error_set(
        err, BEAM_INVALID_ARGUMENT,
        "Dataflow Prime takes no --worker_accelerator: leave out enable_prime, or "
        "ask for the GPU where it is needed, with the transform's hint or "
        "--resource_hints=accelerator=...");
}

static beam_status check_hints(const beam_dataflow_options *o, const BeamPb__Pipeline *pipeline,
                               beam_dataflow_accelerator *wanted, beam_error *err)
{
    const BeamPb__Components *c = pipeline->components;
    beam_arena arena = {0};
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < c->n_environments; i++) {
        const char *hint;
        status = hint_of(c->environments[i]->value, &arena, &hint);
        if (status != BEAM_OK)
            (void)beam_error_set(err, status, "no memory to check the pipeline");
        else if (hint)
            status = check_hint(o, hint, wanted, err);
    }
    beam_arena_free(&arena);
    return status;
}

beam_status beam_dataflow_check(const beam_dataflow_options *o, const BeamPb__Pipeline *pipeline,
                                beam_dataflow_accelerator *wanted, beam_error *err)
{
    *wanted = o->accelerator;
    BEAM_TRY(check_prime(o, err));
    if (o->has_accelerator)
        BEAM_TRY(beam_dataflow_accelerator_fits(&o->accelerator, o->machine_type, err));
    if (o->has_accelerator && o->accelerator.is_tpu &&
        beam_dataflow_has(&o->experiments, "use_multiple_sdk_containers"))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--experiments=use_multiple_sdk_containers: a TPU belongs to one "
                              "process; leave it out");
    return check_hints(o, pipeline, wanted, err);
}
