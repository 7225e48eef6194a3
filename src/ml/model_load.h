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
    int64_t version; /* tells weights of one name apart: see model_watch.h; 0: whichever */
    int64_t budget;  /* bytes that models may take of the device: see model_cache.h; 0: any */
    const beam_logger *logger;
    const char *transform; /* for the log; NULL: none */
    const int *stop; /* asking a server is broken off soon after *stop is not 0; NULL: never */
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

/* The network of a spec that is complete, with those weights (NULL: random ones), which must live
 * as long as it does. */
beam_status beam_spec_network(const beam_model_request *request, const beam_model_spec *spec,
                              const beam_weights *weights, beam_network **network, beam_error *err);

/* Whether its network is a file of a model made elsewhere: see beam_device_load. */
bool beam_spec_is_file(const beam_model_spec *spec);

/* model_remote.c: whether its network is the address of a server's model, which must then be one
 * that can be used. */
bool beam_spec_is_address(const beam_model_spec *spec);
beam_status beam_spec_check_address(const beam_model_spec *spec, beam_error *err);
/* The device it is for, as beam_device_open takes it. */
beam_status beam_spec_device(const beam_model_spec *spec, beam_spec_text *name, beam_error *err);
beam_status beam_model_load_address(const beam_model_request *request, beam_device *device,
                                    beam_model **model, beam_error *err);

/* Bytes that the model will take of a device, as far as its files tell; 0: they do not. */
uint64_t beam_model_estimate(const beam_model_request *request);

/* Builds the network, gives it its weights, compiles it; or loads the model's file; or asks the
 * server that has it.  Says in the log what it does. */
beam_status beam_model_load(const beam_model_request *request, beam_device *device,
                            beam_model **model, beam_error *err);

#endif
