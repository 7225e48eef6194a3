/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* model_load.h - from a spec to a model on a device. */
#ifndef ML_MODEL_LOAD_H
#define ML_MODEL_LOAD_H

#include <beam/ml.h>
#include <beam/weights.h>

typedef struct beam_model_request {
    const beam_model_spec *spec;
    beam_status (*make_network)(const beam_model_spec *spec, beam_network **network,
                                beam_error *err);
    int64_t max_batch;
    const beam_logger *logger;
    const char *transform; /* for the log; NULL: none */
} beam_model_request;

/* A field of a spec as a C string, `otherwise` when it is empty; BEAM_INVALID_ARGUMENT when it
 * holds a NUL or does not fit. */
typedef struct beam_spec_text {
    char text[1024];
} beam_spec_text;
beam_status beam_spec_field(beam_str field, const char *what, const char *otherwise,
                            beam_spec_text *text, beam_error *err);

/* Opens the weights that a spec names; *weights is NULL when it names none. */
beam_status beam_spec_open_weights(const beam_model_spec *spec,
                                   const beam_download_options *download, beam_weights **weights,
                                   beam_error *err);

/* Gives what the spec leaves out what the weights (NULL: none) tell of it: in the notes that
 * beam_trainer_export writes, else in the shapes of their tensors. */
void beam_spec_complete(beam_model_spec *spec, const beam_weights *weights);

/* Whether its network is a file of a model made elsewhere: see beam_device_load. */
bool beam_spec_is_file(const beam_model_spec *spec);

/* Builds the network, gives it its weights, compiles it; or loads the model's file.  Says in the
 * log what it does. */
beam_status beam_model_load(const beam_model_request *request, beam_device *device,
                            beam_model **model, beam_error *err);

#endif
