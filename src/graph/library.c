/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* library.c - the list of the library's own functions. */
#include "graph/library.h"

#include "graph/pipeline.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const beam_dofn *const dofns[] = {
    &beam_pass_fn,       &beam_create_fn,      &beam_keys_fn,           &beam_values_fn,
    &beam_kv_swap_fn,    &beam_with_keys_fn,   &beam_pair_fn,           &beam_add_shard_fn,
    &beam_drop_shard_fn, &beam_empty_group_fn, &beam_reshuffle_pair_fn, &beam_reshuffle_restore_fn,
    &beam_tag_fn,        &beam_co_group_fn,    &beam_in_window_fn,      &beam_check_fn};

static const beam_combinefn *const combinefns[] = {
    &beam_sum_int64,     &beam_sum_double,  &beam_min_int64,   &beam_max_int64,
    &beam_min_double,    &beam_max_double,  &beam_mean_double, &beam_mean_int64,
    &beam_count_combine, &beam_any_combine, &beam_top_combine, &beam_sample_combine};

static const beam_functions functions = {.struct_size = sizeof(beam_functions),
                                         .dofns = dofns,
                                         .n_dofns = COUNT(dofns),
                                         .combinefns = combinefns,
                                         .n_combinefns = COUNT(combinefns)};

const beam_functions *beam_transform_functions(void)
{
    return &functions;
}
