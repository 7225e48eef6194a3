/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* registry.c - functions by name.  A program has tens of them and looks each up once a
 * stage, so a list is enough. */
#include "model/registry.h"

#include <string.h>

#include "base/alloc.h"
#include "model/function.h"

const beam_dofn *beam_registry_dofn(const beam_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->n_dofns; i++)
        if (strcmp(registry->dofns[i]->name, name) == 0)
            return registry->dofns[i];
    return NULL;
}

const beam_combinefn *beam_registry_combinefn(const beam_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->n_combinefns; i++)
        if (strcmp(registry->combinefns[i]->name, name) == 0)
            return registry->combinefns[i];
    return NULL;
}

static bool same_metrics(const beam_dofn *a, const beam_dofn *b)
{
    for (size_t i = 0;; i++) {
        const beam_metric *one = beam_dofn_metric(a, i), *other = beam_dofn_metric(b, i);
        if (!one || !other)
            return one == other;
        if (strcmp(one->name, other->name) != 0 || one->kind != other->kind)
            return false;
    }
}

static bool same_dofn(const beam_dofn *a, const beam_dofn *b)
{
    return a == b || (a->state_size == b->state_size && !a->process == !b->process &&
                      !a->process_batch == !b->process_batch &&
                      beam_dofn_fingerprint(a) == beam_dofn_fingerprint(b) && same_metrics(a, b));
}

beam_status beam_registry_add_dofn(beam_registry *registry, const beam_dofn *fn, beam_error *err)
{
    if (!fn || !fn->name || !*fn->name)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a DoFn has no name");
    const beam_dofn *known = beam_registry_dofn(registry, fn->name);
    if (known && !same_dofn(known, fn))
        return beam_error_set(err, BEAM_ALREADY_EXISTS,
                              "two different DoFns are named '%s': a worker finds a function by "
                              "its name, so give one of them another",
                              fn->name);
    if (known)
        return BEAM_OK;
    if (beam_grow((void **)&registry->dofns, &registry->dofns_capacity, registry->n_dofns + 1,
                  sizeof *registry->dofns))
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    registry->dofns[registry->n_dofns++] = fn;
    return BEAM_OK;
}

beam_status beam_registry_add_combinefn(beam_registry *registry, const beam_combinefn *fn,
                                        beam_error *err)
{
    if (!fn || !fn->name || !*fn->name)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a CombineFn has no name");
    const beam_combinefn *known = beam_registry_combinefn(registry, fn->name);
    if (known && known != fn && beam_combinefn_fingerprint(known) != beam_combinefn_fingerprint(fn))
        return beam_error_set(err, BEAM_ALREADY_EXISTS,
                              "two different CombineFns are named '%s': a worker finds a function "
                              "by its name, so give one of them another",
                              fn->name);
    if (known)
        return BEAM_OK;
    if (beam_grow((void **)&registry->combinefns, &registry->combinefns_capacity,
                  registry->n_combinefns + 1, sizeof *registry->combinefns))
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    registry->combinefns[registry->n_combinefns++] = fn;
    return BEAM_OK;
}

beam_status beam_registry_add_functions(beam_registry *registry, const beam_functions *functions,
                                        beam_error *err)
{
    for (size_t i = 0; i < functions->n_dofns; i++)
        BEAM_TRY(beam_registry_add_dofn(registry, functions->dofns[i], err));
    for (size_t i = 0; i < functions->n_combinefns; i++)
        BEAM_TRY(beam_registry_add_combinefn(registry, functions->combinefns[i], err));
    return BEAM_OK;
}

void beam_registry_free(beam_registry *registry)
{
    beam_free(registry->dofns);
    beam_free(registry->combinefns);
    *registry = (beam_registry){0};
}
