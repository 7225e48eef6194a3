/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* registry.h - functions by name: what a worker can run. */
#ifndef MODEL_REGISTRY_H
#define MODEL_REGISTRY_H

#include <beam/fn.h>
#include <beam/pipeline.h>

/* A zeroed registry is empty and ready.  Reading from several threads is fine while none
 * adds. DoFns and CombineFns have names of their own each. */
typedef struct beam_registry {
    const beam_dofn **dofns;
    size_t n_dofns, dofns_capacity;
    const beam_combinefn **combinefns;
    size_t n_combinefns, combinefns_capacity;
} beam_registry;

/* Adding the same function again does nothing; another one of the same name is
 * BEAM_ALREADY_EXISTS.  A descriptor that is const in a header exists once a translation
 * unit, so two are the same function when their types, sizes and metrics agree. */
beam_status beam_registry_add_dofn(beam_registry *registry, const beam_dofn *fn, beam_error *err);
beam_status beam_registry_add_combinefn(beam_registry *registry, const beam_combinefn *fn,
                                        beam_error *err);
beam_status beam_registry_add_functions(beam_registry *registry, const beam_functions *functions,
                                        beam_error *err);
/* NULL when there is none of that name. */
const beam_dofn *beam_registry_dofn(const beam_registry *registry, const char *name);
const beam_combinefn *beam_registry_combinefn(const beam_registry *registry, const char *name);
void beam_registry_free(beam_registry *registry);

#endif
