/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/library.h"

#include "ml/train_models.h"

const beam_functions *beam_ml_functions(void)
{
    static const beam_dofn *const dofns[] = {
        &beam_read_dataset_fn,     &beam_tell_accuracy,
        &beam_train_models_fn,     &beam_halve_fn,
        &beam_deploy_fn,           &beam_format_training_result,
        &beam_tell_training,       &beam_inference_done_fn,
        &beam_inference_failed_fn, &beam_inference_threshold_fn};
    static const beam_combinefn *const combinefns[] = {&beam_accuracy, &beam_best_model};
    static const beam_functions functions = {.struct_size = sizeof functions,
                                             .dofns = dofns,
                                             .n_dofns = sizeof dofns / sizeof *dofns,
                                             .combinefns = combinefns,
                                             .n_combinefns =
                                                 sizeof combinefns / sizeof *combinefns};
    return &functions;
}
