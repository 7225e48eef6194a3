/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_cuda.h - the libraries of CUDA that a plugin for Nvidia's GPUs opens by name. */
#ifndef DEVICE_PJRT_CUDA_H
#define DEVICE_PJRT_CUDA_H

#include <beam/status.h>

/* Opens those that lie beside the plugin as wheels put them (nvidia/.../lib in the folder that
 * jax_plugins is in), so that the plugin finds them wherever it was unpacked; they stay open.  Of
 * another plugin, or where none lie there: nothing.  FAILED_PRECONDITION: cuDNN is older than the
 * plugin can use, with both versions. */
beam_status beam_pjrt_open_cuda(const char *plugin, beam_error *err);

#endif
