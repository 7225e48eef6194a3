/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* foreign.h - models that were made elsewhere, and come as files or stay on a server: their drivers
 * compile nothing of nn's, and set model->network to one of inputs and outputs only, which tells
 * their shapes. */
#ifndef DEVICE_FOREIGN_H
#define DEVICE_FOREIGN_H

#include "base/file.h"
#include "device/device.h"

enum { BEAM_FOREIGN_MAX_PORTS = 16, BEAM_FOREIGN_MAX_FILES = 16 };

/* One input or output: f32, the batch first. */
typedef struct beam_foreign_port {
    uint32_t rank;
    int64_t shape[BEAM_TENSOR_MAX_RANK]; /* shape[0] is BEAM_NN_BATCH */
} beam_foreign_port;

/* Makes model->network. */
beam_status beam_foreign_describe(beam_model *model, const char *name,
                                  const beam_foreign_port *inputs, size_t num_inputs,
                                  const beam_foreign_port *outputs, size_t num_outputs,
                                  beam_error *err);

/* Each sets model->network, max_batch and state from files' bytes, or leaves nothing. */
typedef struct beam_foreign_files {
    const char *name; /* as given, for messages */
    beam_file_view views[BEAM_FOREIGN_MAX_FILES];
    size_t count;
} beam_foreign_files;
beam_status beam_openvino_load(beam_model *model, const beam_foreign_files *files,
                               const beam_load_options *options, beam_error *err);
beam_status beam_module_load(beam_model *model, const beam_foreign_files *files,
                             const beam_load_options *options, beam_error *err);
/* The same of a server's address, which must have been checked. */
beam_status beam_remote_check_address(const char *address, beam_error *err);
beam_status beam_remote_load(beam_model *model, const char *address,
                             const beam_load_options *options, beam_error *err);

/* Runs of the context that wait for a server are broken off (BEAM_CANCELLED) soon after *stop is
 * not 0; NULL: they are not. */
void beam_model_context_stop(beam_model_context *context, const int *stop);

/* BEAM_INVALID_ARGUMENT: the device runs no StableHLO. */
beam_status beam_foreign_needs_pjrt(const beam_device *device, beam_error *err);

extern const beam_device_driver beam_openvino_driver;
extern const beam_device_driver beam_module_driver;
extern const beam_device_driver beam_module_train_driver;

/* Refuses what is no ONNX, and ONNX whose tensors lie in other files (they could be any file). */
beam_status beam_onnx_check(const void *data, size_t size, beam_error *err);

#endif
