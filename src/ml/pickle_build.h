/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pickle_build.h - the constructors that a pickle of tensors may name. */
#ifndef ML_PICKLE_BUILD_H
#define ML_PICKLE_BUILD_H

#include "ml/pickle.h"

/* Fills *global (of kind GLOBAL) for module.name; BEAM_INVALID_ARGUMENT with the name for any
 * that is not known. */
beam_status beam_pickle_find_global(const char *what, const char *module, size_t module_len,
                                    const char *name, size_t name_len, beam_pickle_value *global,
                                    beam_error *err);

/* What calling `function` with the tuple `args` stands for. */
beam_status beam_pickle_call(const char *what, beam_arena *arena, const beam_pickle_value *function,
                             const beam_pickle_value *args, beam_pickle_value **result,
                             beam_error *err);

/* A persistent id: ('storage', class, key, location, count[, view]). */
beam_status beam_pickle_storage(const char *what, beam_arena *arena, const beam_pickle_value *id,
                                beam_pickle_value **storage, beam_error *err);

#endif
