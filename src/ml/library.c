/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/library.h"

const beam_functions *beam_ml_functions(void)
{
    static const beam_dofn *const dofns[] = {&beam_read_dataset_fn, &beam_tell_accuracy};
    static const beam_combinefn *const combinefns[] = {&beam_accuracy};
    static const beam_functions functions = {.struct_size = sizeof functions,
                                             .dofns = dofns,
                                             .n_dofns = sizeof dofns / sizeof *dofns,
                                             .combinefns = combinefns,
                                             .n_combinefns =
                                                 sizeof combinefns / sizeof *combinefns};
    return &functions;
}
