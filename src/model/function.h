/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* function.h - DoFns and CombineFns as FunctionSpec protos, and back.
 *
 * The payload names the function and carries its config, encoded, and a fingerprint of its
 * declared types, so that a worker built from other sources than the launcher says so rather
 * than reading memory as what it is not. */
#ifndef MODEL_FUNCTION_H
#define MODEL_FUNCTION_H

#include <beam/fn.h>

#include "base/arena.h"
#include "model/proto/pipeline.pb-c.h"
#include "model/registry.h"

/* Over the types that the descriptor declares: in, outs, config, side inputs, restriction,
 * accumulator.  Types left open (NULL) count as such. */
uint64_t beam_dofn_fingerprint(const beam_dofn *fn);
uint64_t beam_combinefn_fingerprint(const beam_combinefn *fn);

/* The metric of a place in the descriptor's list; NULL after the last. */
const beam_metric *beam_dofn_metric(const beam_dofn *fn, size_t place);

/* A spec in the arena; `config` is a value of fn->config, NULL when that is NULL. */
beam_status beam_dofn_to_proto(const beam_dofn *fn, const void *config, beam_arena *arena,
                               BeamPb__FunctionSpec **spec, beam_error *err);
beam_status beam_combinefn_to_proto(const beam_combinefn *fn, const void *config, beam_arena *arena,
                                    BeamPb__FunctionSpec **spec, beam_error *err);

/* The function that a spec names and its config, decoded into the arena (NULL without one).
 * BEAM_NOT_FOUND: the program has no such function; BEAM_FAILED_PRECONDITION: it has, but
 * with other types; BEAM_UNIMPLEMENTED: the spec is of another SDK. */
beam_status beam_dofn_from_proto(const BeamPb__FunctionSpec *spec, const beam_registry *registry,
                                 beam_arena *arena, const beam_dofn **fn, const void **config,
                                 beam_error *err);
beam_status beam_combinefn_from_proto(const BeamPb__FunctionSpec *spec,
                                      const beam_registry *registry, beam_arena *arena,
                                      const beam_combinefn **fn, const void **config,
                                      beam_error *err);

/* Local names carry an index: beam_local_index("out3", "out", &i) stores 3 and returns true. */
bool beam_local_index(const char *local_name, const char *prefix, uint32_t *index);

#endif
