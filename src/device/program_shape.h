/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* program_shape.h - what a compiled module's main takes and gives, as its compiler tells. */
#ifndef DEVICE_PROGRAM_SHAPE_H
#define DEVICE_PROGRAM_SHAPE_H

#include <beam/tensor.h>

#include "device/pjrt_compile.h"

enum { BEAM_PROGRAM_MAX_ARGUMENTS = 1 << 14 };

/* Arguments, then results: tensors without data. */
typedef struct beam_program_shape {
    beam_tensor *tensors;
    size_t num_arguments, num_results, capacity;
} beam_program_shape;

/* BEAM_UNIMPLEMENTED: a type or rank that no beam_tensor has. */
beam_status beam_program_shape_of(const PJRT_Api *api, PJRT_LoadedExecutable *program,
                                  beam_program_shape *shape, beam_error *err);
void beam_program_shape_free(beam_program_shape *shape);

/* Reads it from an HloModuleProtoWithConfig. */
beam_status beam_program_shape_parse(const void *data, size_t size, beam_program_shape *shape,
                                     beam_error *err);

#endif
